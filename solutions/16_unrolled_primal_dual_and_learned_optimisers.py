# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 16 Primal-dual networks and learned optimisers
#
# ![Six panels: the true head, the zero-filled image, and what a learned optimiser makes of it after one, three, eight and sixteen steps, each with its error](../docs/16_unrolled_primal_dual_and_learned_optimisers.png)
#
# Chapter 15 kept an algorithm and learned one step of it; the data came in by a formula. Learn more: the other steps,
# and at last the optimiser itself. **If the algorithm is learned too, who keeps it honest?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **write** a reconstruction as a saddle point, and the step of its dual variable (exercise 1, quiz 1),
# 2. **write** the primal-dual algorithm PDHG, and **say** what its second variable is (exercise 2, quiz 2),
# 3. **write** PD-Net, in which both steps are learned, and **show** that PDHG is one setting of it (exercise 3),
# 4. **write** a recurrent inference machine, a learned optimiser, and **run** it beyond its training (exercise 4, the
#    slider, quiz 3),
# 5. **measure** how far an image is from the data, in units of the noise (exercise 5, quiz 4, quiz 5),
# 6. **compare** what is given with what is learned, with intervals, and **break** it (project).
#
# **You need** chapters 02 (the prox, PDHG by name), 05 (tuned TV), 06 (training, a gated unit) and 15 (unrolling).
# **Time**: about 90 minutes of reading and thinking, and 60 for the exercises; the project takes 120.
# **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import CoilByCoil, OnComplex, OnComplexChannels, Update, cnn, real_matrix, start_as
from course_lib.losses import l1
from course_lib.methods import Reconstructor
from course_lib.methods.base import cartesian
from course_lib.ops import Coils, Fourier
from course_lib.sampling import effective_accelerations, protocol
from course_lib.scores import table
from course_lib.solve import pdhg, safe_step, shifted_inverse
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (2, 1), "cpu": (15, 2), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
device = "cuda" if where.name == "gpu" and torch.cuda.is_available() else "cpu"  # where the networks train
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s on {device}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + \text{noise}$ | the data: k-space of all coils, 0 where nothing was acquired | `y`, `kspace` |
# > | $A = MFS$, $A^H$ | coil maps, Fourier transform, mask (chapter 03); the adjoint | `A`, `A.H` |
# > | $x$, $d$ | the primal variable, an image; the dual variable, a k-space of all coils | `x`, `d` |
# > | $z$ | $x$, extrapolated | `z` |
# > | $\tau$, $\sigma$ | step lengths of $x$ and of $d$ | `tau`, `sigma` |
# > | $h$, $s_t$ | a learned optimiser and its memory | `h`, `state` |

# %%
quiz.choice(
    "From chapter 15: MoDL, trained with five iterations, is run with twenty. What happens?",
    right={
        "the image gets worse, its misfit hardly moves": "It was trained to be good when it stops, not to converge."
    },
    wrong={
        "it converges, as every algorithm does": "Nothing in its training asks for a fixed point.",
        "it cannot be run: each iteration has weights of its own": "That is DC-CNN. MoDL shares one network.",
    },
)

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by
# subject: the test person was never seen in training, and nothing is trained on the real scan.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True, strip=where.strip)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
sample = test[len(test) // 2]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
for name, slices in {"validation": validation, "test": test, "real": real}.items():
    print(f"R = {R}, effective R of the {name} slices (range): {effective_accelerations(s.mask for s in slices)}")

# %% [markdown]
# > **Predict 1.** The algorithm of this chapter carries a second variable, a k-space $d$. What is it when the algorithm
# > has come to rest: 0, $y$, $Ax$, or $Ax - y$? And without a penalty, is the image after 300 iterations better than
# > after 30?

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 3)]  # few, since four networks are validated on them
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, tuning).mean("psnr")
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, PSNR there {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
).saying("The zero-filled head is smeared along the width; TV's is clean and a little flat.")

# %% [markdown]
# Zero-filling smears the head; tuned TV (chapter 05) is one mark to beat. The other is DC-CNN of chapter 15.

# %% [markdown]
# ## Two players and one number
#
# Chapter 05 met the same problem each time, $\min_x f(Ax) + g(x)$, with $f(p) = \tfrac12\lVert p - y\rVert^2$. Here is
# another way to write $f$. It is the upper edge of a family of planes, one for each slope $d$:
#
# $$f(p) = \max_d\; \operatorname{Re}\langle p, d\rangle - f^*(d), \qquad
#   f^*(d) = \tfrac12\lVert d\rVert^2 + \operatorname{Re}\langle d, y\rangle.$$
#
# $f^*$ is the *conjugate* of $f$. (Check it: the best slope is $d = p - y$, and it gives $\tfrac12\lVert p-y\rVert^2$.)
# So
#
# $$\min_x \max_d\; \operatorname{Re}\langle Ax, d\rangle - f^*(d) + g(x).$$
#
# Two players share one number. $x$, the *primal* variable, lives in the image and wants it small. $d$, the *dual*
# variable, lives in k-space and wants it large. Where neither can gain any more is a *saddle point*, and its $x$ is the
# image we look for. What is won? $A$ stands between the two, and nowhere else: no system has to be solved.
#
# Each player moves along its gradient, then applies the prox of its own term. For $d$ this is the prox of $\sigma f^*$:
# the $d$ that minimises $\tfrac12\lVert d - v\rVert^2 + \sigma f^*(d)$.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `dual_prox(v, y, sigma)`, this $d$. All are k-spaces of all coils; `sigma` is a number.
# >
# > <details><summary>Hint 1</summary>Set the gradient to zero: $(d - v) + \sigma\,(d + y) = 0$.</details>
# > <details><summary>Hint 2</summary>Where nothing was acquired, $v$ and $y$ are 0, and so must be your $d$.</details>


# %%
def dual_prox(v, y, sigma):
    """The d that minimises 1/2 |d - v|^2 + sigma (1/2 |d|^2 + Re <d, y>)."""
    #: solution
    return (v - sigma * y) / (1 + sigma)
    #: end


check.ch16_dual_prox(dual_prox)

# %%
dual_prox = use(dual_prox, check.ch16_dual_prox)

# %% [markdown] tags=["solution"]
# **Analysis.** The sign is where one goes wrong: the prox of $f$ itself *adds* $\sigma y$. The step is exact, whatever
# $A$ is, with as many coils as you like: $A$ does not stand in it. Compare chapter 15, which had to invert $A^HA + s$.

# %% [markdown]
# ## PDHG, step by step
#
# The *primal-dual hybrid gradient* method (Chambolle & Pock 2011) lets them move in turn:
#
# $$d \leftarrow \text{dual\_prox}(d + \sigma A z), \qquad
#   x_\text{new} \leftarrow \operatorname{prox}_{\tau g}(x - \tau A^H d), \qquad
#   z \leftarrow 2x_\text{new} - x.$$
#
# $d$ goes up, $x$ goes down. The third line is the trick that makes it converge: $d$ answers to where $x$ is about to
# go. It needs $\tau\sigma\lVert A\rVert^2 \le 1$. Our coil maps have unit length, so $\lVert A\rVert \le 1$.
#
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > Write `primal_dual(y, A, prox, tau, sigma, iterations)`; it returns the last `x` and the last `d`. Start with $x = z
# > = A^Hy$ and $d = 0$. `prox(v, tau)` is the prox of $\tau g$.
# >
# > <details><summary>Hint 1</summary>First $d$, then $x$ with the *new* $d$, then $z$.</details>
# > <details><summary>Hint 2</summary>Keep the old image: `before, x = x, prox(...)`.</details>


# %%
def primal_dual(y, A, prox, tau, sigma, iterations):
    """The image (batch, height, width) and the dual variable (as y) after so many iterations of PDHG."""
    #: solution
    x = z = A.H(y)
    d = torch.zeros_like(y)
    for _ in range(iterations):
        d = dual_prox(d + sigma * A(z), y, sigma)
        before, x = x, prox(x - tau * A.H(d), tau)
        z = 2 * x - before
    return x, d
    #: end


check.ch16_pdhg(primal_dual)

# %%
primal_dual = use(primal_dual, check.ch16_pdhg)

# %% [markdown] tags=["solution"]
# **Analysis.** Gradient descent would put $A^H(Ax - y)$ where $A^Hd$ stands. $d$ is a residual with a memory: an
# average of those seen so far, and a little ahead.

# %% [markdown]
# The library's `pdhg` computes the same from $f$ itself. Without a penalty, the prox of $g = 0$ changes nothing:


# %%
def nothing(v, tau):
    return v


y, A = sample.kspace, sample.A
mine, _ = primal_dual(y, A, nothing, 0.9, 0.8, 10)
theirs = pdhg(A, lambda v, t: (v + t * y) / (1 + t), nothing, A.H(y), 0.9, 0.8, 10)
print(f"largest difference to the library's: {(mine - theirs).abs().max():.1e}")
assert (mine - theirs).abs().max() < 1e-4
print("iterations   PSNR (dB)   |d - (A x - y)| / |A x - y|")
reached, apart = {}, {}
for n in (1, 3, 10, 30, 100, 300):
    x, d = primal_dual(y, A, nothing, 1.0, 1.0, n)
    reached[n] = c.metrics.psnr(x, sample.image).item()
    apart[n] = ((d - (A(x) - y)).norm() / (A(x) - y).norm()).item()
    print(f"{n:10}{reached[n]:12.2f}{apart[n]:20.3f}")
assert apart[300] < apart[3] and reached[10] > reached[1]

# %% [markdown]
# **Predict 1**: $d$ becomes the residual $Ax - y$: what of the data the image does not explain. It is not 0, since no
# image explains the noise. The PSNR rises, and in the end no more, or it falls: without a penalty the noise is fitted,
# too. A prior must come in, or somebody must stop in time.

# %% [markdown]
# ## Learn the prox: PDHG-CSNet
#
# The first relaxation is that of chapter 15. Nobody writes $g$ down; a CNN takes the place of its prox, another one in
# each of a few iterations. The step lengths are learned as well. The dual step stays a formula:


# %% tags=["same:course_lib.methods.unrolled.pdhg_csnet.PDHGCSNet"]
class MyPDHGCSNet(Reconstructor):
    def __init__(self, iterations=10, width=32, depth=3):
        super().__init__()
        self.P = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(iterations))
        self.sigma, self.tau, self.theta = (nn.Parameter(torch.tensor(1.0)) for _ in range(3))

    def forward(self, y, A):
        x = z = A.H(y)
        d = torch.zeros_like(y)
        tau = self.tau * safe_step(A, x)
        for P in self.P:
            d = (d + self.sigma * (A(z) - y)) / (1 + self.sigma)
            v = x - tau * A.H(d)
            before, x = x, v + P(v)
            z = x + self.theta * (x - before)
        return x

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


# %% [markdown]
# (`safe_step` is 1 for our data.) The last layers start at zero, so before training it must be your loop:

# %%
untrained = MyPDHGCSNet(iterations=10, width=4)
with torch.no_grad():
    difference = (untrained.forward(y, A) - primal_dual(y, A, nothing, 1.0, 1.0, 10)[0]).abs().max()
print(f"untrained network against PDHG: {difference:.1e}")
assert difference < 1e-4

# %% [markdown]
# ## Learn both steps: PD-Net
#
# The dual step comes from $f$, and $f$ from a belief: the noise is Gaussian and $A$ is right. *CP-Net* lets a CNN
# correct it (`c.show("cp_net")`). *PD-Net*, or learned primal-dual (Adler & Öktem 2018; Cheng et al. 2019), gives up
# the form of the steps, too. Both variables become *memories* of several channels, and two CNNs write into them:
#
# $$d \leftarrow d + \text{dual}(d,\, A x_2,\, y), \qquad x \leftarrow x + \text{primal}(x,\, S^HF^H d_1).$$
#
# What to keep, what to extrapolate and how far to go is left to the networks. $A$ alone is still given.
#
# | | dual step | primal step | extrapolation |
# |---|---|---|---|
# | PDHG | formula | formula | formula |
# | PDHG-CSNet | formula | CNN | one number learned |
# | CP-Net | CNN | CNN | one number learned |
# | PD-Net | CNN, with memory | CNN, with memory | learned |
#
# With many coils there are many k-spaces. One dual CNN reads them coil by coil, so their number and order do not
# matter. And note $S^HF^H$ in the place of $A^H = S^HF^HM$. A convolution in k-space also writes where nothing was
# acquired; the mask would throw that away.
#
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `forward`. `x` is (batch, memory, height, width), all of it $A^Hy$ at first; `d` is (batch, coil, memory,
# > height, width), 0 at first. The *second* image goes to k-space, the *first* k-space comes back, the first image is
# > the result.
# >
# > <details><summary>Hint 1</summary>`A(x[:, 1])[:, :, None]` has a channel axis, and so has `y[:, :, None]`.</details>
# > <details><summary>Hint 2</summary>`dual(torch.cat([d, what x gives, y], 2))`, all along axis 2.</details>
# > <details><summary>Hint 3</summary>`FS.H(d[:, :, 0])[:, None]` is the image of the first k-space.</details>


# %% tags=["same:course_lib.methods.unrolled.pd_net.PDNet"]
class MyPDNet(Reconstructor):
    def __init__(self, iterations=10, width=32, depth=3, memory=5):
        super().__init__()
        self.memory, self.dual, self.primal = memory, nn.ModuleList(), nn.ModuleList()
        d, x = (torch.zeros(memory, memory + more, dtype=torch.complex64) for more in (2, 1))
        d[0, [0, -2, -1]] = torch.tensor([-0.5, 0.5, -0.5]) + 0j  # what a step of PDHG adds to d_1,
        x[:2, [0, 1, -1]] = torch.tensor([[0, 0, -1.0], [1, -1, -2]]) + 0j  # to x_1, and to x_2, its extrapolation
        for _ in range(iterations):
            nets = (start_as(cnn(width, depth, 2 * m.shape[1], outside=2 * memory), real_matrix(m)) for m in (d, x))
            dual, primal = map(OnComplexChannels, nets)
            self.dual.append(CoilByCoil(dual))
            self.primal.append(primal)

    def forward(self, y, A):
        #: solution
        FS = Fourier() @ Coils(cartesian(A).maps)
        x = torch.stack([A.H(y)] * self.memory, 1)
        d = torch.stack([0 * y] * self.memory, 2)
        for dual, primal in zip(self.dual, self.primal):
            d = d + dual(torch.cat([d, A(x[:, 1])[:, :, None], y[:, :, None]], 2))
            x = x + primal(torch.cat([x, FS.H(d[:, :, 0])[:, None]], 1))
        return x[:, 0]
        #: end

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


check.ch16_pd_net(MyPDNet)

# %%
MyPDNet = use(MyPDNet, check.ch16_pd_net)

# %% [markdown] tags=["solution"]
# **Analysis.** What PDHG adds to $d$ is $\tfrac12(-d + Az - y)$, with $\sigma = 1$: linear in what the dual CNN sees. A
# ReLU network can be linear, if it sends the positive and the negative part through channels of their own. That is what
# `start_as` writes into the first weights.

# %% [markdown]
# PDHG is one setting of these networks: let $d_1$ hold its $d$, $x_1$ its $x$ and $x_2$ its $z$. The library's PD-Net
# *starts* there (the authors' starts at random), and is free to leave:

# %%
untrained = MyPDNet(iterations=10, width=8, memory=2)
with torch.no_grad():
    difference = (untrained.forward(y, A) - primal_dual(y, A, nothing, 1.0, 1.0, 10)[0]).abs().max()
print(f"untrained PD-Net against PDHG: {difference:.1e}")
assert difference < 1e-4

# %% [markdown]
# ## Learn the optimiser: RIM
#
# A *recurrent inference machine* (Putzky & Welling 2017; Lønning et al. 2019) has no algorithm to start from. It is
# told the present image and the gradient of the misfit, and says what to add:
#
# $$x_{t+1} = x_t + h\big(A^H(Ax_t - y),\; x_t,\; s_t\big).$$
#
# $h$ is one network for all steps: two convolutions, each followed by a gated unit (chapter 06) whose state $s_t$ is
# handed on to the next step, and a last convolution. Momentum, step lengths and the prior are all in $h$, or they are
# nowhere.
#
# An optimiser should be good at every step, later ones more: the loss is $\sum_t w_t\lVert x_t - x^*\rVert^2$, with
# weights from a tenth to one. ($x^*$ is the true image.)
#
# > **Exercise 4** · core · 10 minutes · importance ★★★
# >
# > Write `steps(y, A)`: the list of the images $x_1, \dots, x_T$, with $x_0 = A^Hy$. `self.h(g, x, state)` returns the
# > change and the new state; the first state is `None`.
# >
# > <details><summary>Hint 1</summary>`A.N(x)` is $A^HA\,x$.</details>
# > <details><summary>Hint 2</summary>`change, state = self.h(g, x, state)`: the state comes back in.</details>


# %% tags=["same:course_lib.methods.unrolled.rim.RIM"]
class MyRIM(Reconstructor):
    def __init__(self, iterations=8, width=64):
        super().__init__()
        self.iterations, self.h = iterations, Update(width)

    def steps(self, y, A):
        #: solution
        x = AHy = A.H(y)
        step, state, found = safe_step(A, x), None, []
        for _ in range(self.iterations):
            g = step * (A.N(x) - AHy)
            change, state = self.h(g, x, state)
            x = x + change
            found.append(x)
        return found
        #: end

    def forward(self, y, A):
        return self.steps(y, A)[-1]

    def loss(self, sample):
        w = torch.logspace(-1, 0, self.iterations).tolist()
        errors = [(x - sample.image).abs().square().mean() for x in self.steps(sample.kspace, sample.A)]
        return torch.stack([a * b for a, b in zip(w, errors)]).mean()


check.ch16_rim(MyRIM)

# %%
MyRIM = use(MyRIM, check.ch16_rim)

# %% [markdown] tags=["solution"]
# **Analysis.** With $h = -\text{step}\cdot g$ it is gradient descent; with a memory of the last change, momentum. Both
# are in reach of a gated unit. Look at the loss once more: a public implementation once multiplied each step's loss by
# *all* weights, so that every step counted the same. It trains, and no test of shapes sees it. The library's claims do.

# %%
descent = MyRIM(iterations=10, width=2)
descent.h.forward = lambda g, x, state: (-g, state)
x = A.H(y)
with torch.no_grad():
    for _ in range(10):
        x = x - (A.N(x) - A.H(y))
    difference = (descent.forward(y, A) - x).abs().max()
print(f"RIM with h = -gradient against gradient descent: {difference:.1e}")
assert difference < 1e-4

# %% [markdown]
# Each of the three networks, PDHG-CSNet, PD-Net and RIM, holds an algorithm. None of them has to stay near it.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = train[0]
probe = MyPDHGCSNet(iterations=4, width=32)
optimiser = torch.optim.Adam(probe.parameters(), lr=1e-2)
losses = []
for _ in range(70):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(one.kspace, one.A), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# RIM takes longer: it starts from nothing, and its loss counts the first steps, too. You may try.

# %% [markdown]
# ## Train
#
# > **Predict 2.** Four networks train for the same time. DC-CNN is given the exact solution, PDHG-CSNet the exact dual
# > step, PD-Net starts at PDHG but may leave it, RIM is given nothing but the gradient. Put them in order: which image
# > is best? Which is closest to the data?
#
# PD-Net's dual networks mix the rows of k-space, so it cannot train on strips (chapter 14), and they run once for each
# coil. To see more than a handful of slices in its time it trains on smaller images of fewer virtual coils.
# Convolutions do not mind: the same weights then run on whole images of all coils.

# %%
less = {"ci": {}, "cpu": {"size": (64, 64), "coils": 4}, "gpu": {}}[where.name]
whole = c.data.slices("train", protocol(R), training=True, **less)
small = {name: c.card(name).small for name in ("dc_cnn", "pdhg_csnet", "pd_net", "rim")}
small["pd_net"] = small["pd_net"] | {"width": 8}
small["rim"] = small["rim"] | {"iterations": {"ci": 4, "cpu": 8, "gpu": 8}[where.name]}
plans = {  # network, what it trains on, learning rate
    "DC-CNN": (c.build("dc_cnn", **small["dc_cnn"]), train, 1e-2),
    "PDHG-CSNet": (MyPDHGCSNet(**small["pdhg_csnet"]), train, 1e-2),
    "PD-Net": (MyPDNet(**small["pd_net"]), whole, 1e-2),
    "RIM": (MyRIM(**small["rim"]), train, 5e-2),
}
runs = {}
for name, (model, slices, lr) in plans.items():
    torch.manual_seed(0)
    runs[name] = c.fit(model.to(device), slices, tuning, seconds, lr=lr, checks=checks)
    best = max(psnr for _, psnr in runs[name].validation)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name:11}{parameters:9,} parameters{runs[name].steps:6} steps, validation PSNR {best:.2f} dB")
    model.cpu()  # all below is small
figures.curves(runs["RIM"], {"tuned TV": baseline})

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices. The intervals
# hold slices, not seeds: each network was trained once.

# %%
networks = {name: model for name, (model, _, _) in plans.items()}
methods = {"zero-filled": zero_filled, "tuned TV": tv} | networks
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
for name in networks:  # two seconds are few for the one that starts from nothing
    assert unseen[name].over(unseen["zero-filled"]).mean > 0 or (where.name, name) == ("ci", "RIM")

# %% [markdown]
# **Predict 2**, first half: in so little training the order is that of what was given. The more is left to be learned,
# the more training it takes. DC-CNN need not learn what to do with the data, PDHG-CSNet only half of it; RIM must
# discover even gradient descent. (The RIM in the picture at the top of this chapter trained three times as long on two
# cores, and has discovered it.) That is no verdict on the methods: in a benchmark with days of training PD-Net came
# first among four networks, and it was the smallest (Ramzi et al. 2020). It is a verdict on short training.

# %%
order = unseen["RIM"].values["psnr"].argsort()
size = sample.image.shape[-1]
for word, index in {"worst": order[0], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", "PDHG-CSNet", "PD-Net", "RIM")}
    print(f"{word} slice for RIM")
    display(figures.images(panels, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## Who keeps the data?
#
# The review warns that learned data consistency may be looser. Measure it in units of the noise. From here on $\sigma$ is
# not a step length but the standard deviation of the noise of a sample. Then for the *true* image the mean of
# $|Ax - y|^2 / \sigma^2$ over all acquired samples is 1 (chapter 15 compared with the data instead). Far above 1, the image
# contradicts the data. Far below, it has fitted their noise.
#
# > **Exercise 5** · core · 10 minutes · importance ★★★
# >
# > Write `misfit(x, y, A, sigma)`, this mean: over the acquired samples of all coils, and no others.
# >
# > <details><summary>Hint 1</summary>$Ax$ and $y$ are 0 where nothing was acquired: they add nothing to the sum, but they must
# > not be counted either.</details>
# > <details><summary>Hint 2</summary>`A.mask.expand(y.shape).sum()` counts what was acquired: the mask has one coil and one
# > row, $y$ has many.</details>


# %%
def misfit(x, y, A, sigma):
    """The mean of |A x - y|^2 / sigma^2 over all acquired samples."""
    #: solution
    acquired = A.mask.expand(y.shape).sum()
    return (A(x) - y).abs().square().sum() / acquired / sigma**2
    #: end


check.ch16_misfit(misfit)

# %%
misfit = use(misfit, check.ch16_misfit)

# %% [markdown] tags=["solution"]
# **Analysis.** Statisticians call it the reduced $\chi^2$. It is a mean: an image may be at 1 and wrong in a small
# place. And it says nothing about samples that nobody measured.


# %%
def noise(s):
    """The standard deviation of what the true image does not explain."""
    return misfit(s.image, s.kspace, s.A, 1.0).sqrt()


def away(x, s):
    return misfit(x, s.kspace, s.A, noise(s)).item()


typical = test[int(order[len(order) // 2])]
with torch.no_grad():
    found = {name: m(typical.kspace, typical.A) for name, m in methods.items()}
print(f"{'':14}{'misfit':>10}{'PSNR':>8}")
for name, x in (found | {"the truth": typical.image}).items():
    psnr = "" if name == "the truth" else f"{c.metrics.psnr(x, typical.image).item():8.2f}"
    print(f"{name:14}{away(x, typical):10.2f}{psnr}")
distance = {name: away(x, typical) for name, x in found.items()}
assert distance["DC-CNN"] < distance["PD-Net"] and distance["PDHG-CSNet"] < distance["zero-filled"]

# %% [markdown]
# **Predict 2**, second half. Only DC-CNN has data consistency as its last word. PDHG-CSNet's exact dual step does *not*
# force its result to agree, near as it may come: a CNN speaks after it. Where everything is learned, agreement is learned
# as well, as far as it pays in the loss, and no further. `python -m course_lib experiments 44` asks whether it is looser at equal training.
#
# Who keeps it honest, then? You can: put one step of chapter 15 behind the network. It solves for the image that agrees
# with the data and is not far from what the network proposed.


# %%
def kept_honest(z, s, lam=20.0):
    """The image closest to z that agrees with the data, weighed by lam: one cascade of DC-CNN without its network."""
    solve = shifted_inverse(s.A, torch.tensor(1 / lam))
    return solve(s.A.H(s.kspace) + z / lam, z)


print(f"{'':14}{'misfit':>10}{'after':>8}{'PSNR':>10}{'after':>8}")
after = {name: kept_honest(found[name], typical) for name in networks}
for name, x in after.items():
    before = c.metrics.psnr(found[name], typical.image).item()
    now = c.metrics.psnr(x, typical.image).item()
    print(f"{name:14}{away(found[name], typical):10.2f}{away(x, typical):8.2f}{before:10.2f}{now:8.2f}")
assert all(away(after[name], typical) < distance[name] for name in ("PD-Net", "RIM"))

# %% [markdown]
# The misfit falls below 1. Where the network was far from the data the image gains, a lot in short training. Where it
# was close already, as DC-CNN, the step brings back some noise: agreement has a price, too.

# %% [markdown]
# ## More steps than it was trained for
#
# PD-Net has its networks for so many iterations, and then it ends. RIM shares one; it can be run on. Is it an optimiser
# that has learned where to go, or a network of eight layers that has learned when to stop?


# %%
def run_on(rim, s, steps):
    """All images of so many steps of the machine; it leaves as it came."""
    trained_for, seen = rim.iterations, (s.maps != 0).any(1)  # what no coil sees is 0 in every image of the library
    rim.iterations = steps
    with torch.no_grad():
        images = [seen * x for x in rim.steps(s.kspace, s.A)]
    rim.iterations = trained_for
    return images


rim, T = networks["RIM"], networks["RIM"].iterations
images = run_on(rim, typical, 3 * T)
levels = {"RIM": [c.metrics.psnr(x, typical.image).item() for x in images]}
x, levels["gradient descent"] = typical.A.H(typical.kspace), []
for _ in images:
    x = x - (typical.A.N(x) - typical.A.H(typical.kspace))
    levels["gradient descent"].append(c.metrics.psnr(x, typical.image).item())
with torch.no_grad():
    stopped = [c.build("cs_tv", lam=lam, iterations=n)(typical.kspace, typical.A) for n in range(1, 3 * T + 1)]
levels["FISTA, TV"] = [c.metrics.psnr(x, typical.image).item() for x in stopped]
for n in (1, T // 2, T, 2 * T, 3 * T):
    print(f"step {n:2}: " + ", ".join(f"{name} {values[n - 1]:.2f} dB" for name, values in levels.items()))
assert levels["gradient descent"][0] < levels["gradient descent"][-1] < levels["FISTA, TV"][-1]
figures.lines(levels, f"step (RIM was trained for {T})", "PSNR (dB)")


# %%
def after_step(n):
    """The machine's image after n steps."""
    x = images[n - 1]
    words = f"After step {n} of {T} trained: misfit {away(x, typical):.2f} (the truth has 1)."
    return figures.images({"zero-filled": found["zero-filled"], f"step {n}": x}, typical.image, error_limit=0.5).saying(
        words
    )


after_step(T)

# %%
after_step(3 * T)

# %% [markdown]
# The slider answers: after which step does the image stop getting better, and what grows then?

# %%
slider("step", after_step, (1, 2, 3, T, T + 2, 2 * T, 3 * T))

# %% [markdown]
# Gradient descent and FISTA know where they go: to the minimum of something that somebody wrote down. It need not be a good
# place (gradient descent ends in the noise), but no step is a surprise. RIM promised to be good up to step $T$. Beyond it
# nobody looked. `python -m course_lib experiments 47` measures both: is it the better optimiser at equal steps, and what
# happens after them?

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, the noise of our simulation, and right coil maps. Take each away. TV, with its $\lambda$ as it
# is, stands beside them; the second table holds the misfits.

# %%
full = test.prepared(int(order[len(order) // 2]))


def broken(kspace=full.kspace, maps=full.maps, acceleration=R):
    return c.data.undersample(kspace, maps, protocol(acceleration)(kspace.shape[-1], 1), full.image)


corner = full.kspace[..., :8, :8].std()  # hardly any signal there
more = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(acceleration=2),
    "R = 8": broken(acceleration=8),
    "3 times the noise": broken(full.kspace + 8**0.5 * corner * more),
    "maps shifted by 3 pixels": broken(maps=full.maps.roll(3, -1)),
}
psnr, far = {}, {}
for case, s in cases.items():
    with torch.no_grad():
        images_of = {name: m(s.kspace, s.A) for name, m in methods.items()}
    psnr[case] = {name: c.metrics.psnr(x, s.image).item() for name, x in images_of.items()}
    far[case] = {name: away(x, s) for name, x in images_of.items()}
for title, numbers in {"PSNR (dB)": psnr, "misfit (truth: 1)": far}.items():
    print(f"{title:26}" + "".join(f"{name:>12}" for name in methods))
    for case, values in numbers.items():
        print(f"{case:26}" + "".join(f"{value:12.2f}" for value in values.values()))
assert psnr["R = 8"]["tuned TV"] < psnr["as trained"]["tuned TV"] < psnr["R = 2"]["tuned TV"]
assert max(far["R = 8"][name] for name in ("tuned TV", "DC-CNN")) < min(
    far["R = 8"][name] for name in ("PD-Net", "RIM")
)

# %% [markdown]
# Read the second table at R = 2 and R = 8. TV and DC-CNN solve for the data, however many there are, and stay where
# they were. The misfit of the others grows with R: how to use the data was learned at R = 4, and for another R it is
# written nowhere. With wrong maps all misfits are small, but look at what they are measured in: even the true image
# contradicts the data then, and the unit has grown.

# %% [markdown]
# ## What the number hides
#
# - Short training favours what is given by formula. With days, the order has been seen reversed.
# - A misfit of 1 is agreement on average, for the samples that were acquired. The rest is the network's word.
# - "Reduces to PDHG" holds for one setting of the weights. Training moves away from it, and takes the proof of
#   convergence along.
# - Same seconds, not same steps, and PD-Net trained on smaller images than it was tested on.
# - One training run each; the intervals are over slices of one person.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. What is the conjugate of f(p) = 1/2 |p - y|^2?",
    right={"1/2 |d|^2 + Re <d, y>": "The maximum of Re <p, d> - f(p) is at p = y + d."},
    wrong={
        "1/2 |d - y|^2": "That is f again. Only 1/2 |p|^2 is its own conjugate.",
        "1/2 |d|^2 - Re <d, y>": "The sign: the best p is y + d, and <y + d, d> holds + <y, d>.",
    },
)

# %%
quiz.choice(
    "2. PDHG has come to rest. What is its dual variable?",
    right={"the residual A x - y": "The slope of f at A x."},
    wrong={
        "zero": "Then A^H d would be 0 as well, and with noise the residual is not 0.",
        "the data y": "y is what the dual step takes away.",
    },
)

# %%
quiz.choice(
    "3. Why can RIM be run for twice as many steps, and PD-Net not?",
    right={"its steps share one network": "PD-Net has a pair of networks for each iteration, and no more."},
    wrong={
        "it has converged": "Nobody asked it to. It was trained to be good up to its last step.",
        "it sees the gradient": "So that it knows the data; it does not say how often it may be used.",
    },
)

# %%
quiz.choice(
    "4. PDHG-CSNet has an exact dual step. Does its image agree with the data?",
    right={"not exactly: a CNN has the last word": "And after it nobody asks A again."},
    wrong={
        "yes, that is what exact means": "The step is exact. The loop has few iterations and ends with a CNN.",
        "no, it never sees the data": "y stands in every dual step.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
first = test[0]
quiz.number(
    "5. What is the misfit of the zero-filled image of test[0], in units of its noise? (`away(x, s)`)",
    away(zero_filled(first.kspace, first.A), first),
    "Zero-filling contradicts the data that it was made of: A A^H y is not y when there are many coils.",
    near={
        away(zero_filled(sample.kspace, sample.A), sample): "That is `sample`; take test[0].",
        1.0: "That is the misfit of the true image.",
        away(0 * first.image, first): "That is the misfit of a black image.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** a reconstruction as a saddle point, and the exact step of its dual variable.
# - You **wrote** PDHG, and saw its second variable become the residual.
# - You **wrote** PD-Net, and found PDHG in it.
# - You **wrote** RIM, found gradient descent in it, and ran it beyond its training.
# - You **measured** the misfit in units of the noise, and put a step behind the networks that keeps them honest.
# - You **compared** and **broke** them: what is not given must be learned, and what was learned holds where it was
#   trained.
#
# Next: chapter 17 unrolls algorithms in time.

# %% [markdown]
# ## From text to source

# %%
print(c.show("rim", source=False, verify=False))
print(c.diff("pdhg_csnet", "cp_net"))

# %% [markdown]
# `c.show("rim")` shows the source and tests every claim here and now. `diff` shows what CP-Net changes in PDHG-CSNet.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils, and trains on the GPU where PyTorch finds one. The papers'
# sizes are the defaults of `c.build`. What does a training step of each cost on this machine?

# %%
there, slab = test[0].to(device), train[0].to(device)
print(f"{'on ' + device:24}{'parameters':>12}{'seconds a step':>16}")
for name, s in {"pdhg_csnet": slab, "cp_net": there, "pd_net": there, "rim": slab}.items():
    model = c.build(name, **(small.get(name) or c.card(name).small)).to(device)
    paper = sum(p.numel() for p in c.build(name).parameters())
    start = time.perf_counter()
    model.loss(s).backward()
    if device == "cuda":
        torch.cuda.synchronize()
    print(f"{name:24}{sum(p.numel() for p in model.parameters()):12,}{time.perf_counter() - start:16.2f}", end="")
    print(f"   (as in the paper: {paper:,} parameters)")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Make RIM honest from within: after each change, take one step of data consistency, `kept_honest` with a learned
# > $\lambda$. Does it still need the gradient as its input? Is it steadier beyond the steps it was trained for?
# >
# > | points | for |
# > |---|---|
# > | 2 | a class that passes the gate "overfit one slice" |
# > | 2 | misfit and PSNR over the steps, to three times $T$, beside RIM's |
# > | 3 | paired differences with intervals, on the unseen person and the real scan; equal seconds, stated |
# > | 2 | one ablation (without the gradient, without memory, $\lambda$ fixed), tuned on validation subjects |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>Subclass `MyRIM` and change `steps`; make `shifted_inverse` once, before the
# > loop.</details>
# > <details><summary>Hint 2</summary>The library trains what is an `nn.Parameter`: `self.lam =
# > nn.Parameter(torch.tensor(20.0))`.</details>

# %% [markdown]
# ## References
#
# - Chambolle A, Pock T. A first-order primal-dual algorithm for convex problems with applications to imaging. *J Math
#   Imaging Vis* 2011. [doi:10.1007/s10851-010-0251-1](https://doi.org/10.1007/s10851-010-0251-1)
# - Adler J, Öktem O. Learned primal-dual reconstruction. *IEEE Trans Med Imaging* 2018.
#   [doi:10.1109/TMI.2018.2799231](https://doi.org/10.1109/TMI.2018.2799231)
# - Cheng J, Wang H, Ying L, Liang D. Model learning: primal dual networks for fast MR imaging. *MICCAI* 2019.
#   [arXiv:1908.02426](https://arxiv.org/abs/1908.02426)
# - Putzky P, Welling M. Recurrent inference machines for solving inverse problems. 2017.
#   [arXiv:1706.04008](https://arxiv.org/abs/1706.04008)
# - Lønning K, Putzky P, Sonke JJ, Reneman L, Caan MWA, Welling M. Recurrent inference machines for reconstructing
#   heterogeneous MRI data. *Med Image Anal* 2019.
#   [doi:10.1016/j.media.2019.01.005](https://doi.org/10.1016/j.media.2019.01.005)
# - Ramzi Z, Ciuciu P, Starck JL. Benchmarking MRI reconstruction neural networks on large public datasets. *Appl Sci*
#   2020. [doi:10.3390/app10051816](https://doi.org/10.3390/app10051816)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.5.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
