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
# # 15 Unrolled networks: an algorithm with a learned step
#
# ![A chain: the zero-filled image, then three times a network followed by a step that keeps the data, then the image](../docs/15_unrolled.png)
#
# A network that maps a bad image to a good one may invent what was never measured. An algorithm that keeps to the data may
# leave the image full of artefacts. **Can one network do both: look natural and agree with every measured sample?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **derive** data consistency, the step that DC-CNN and MoDL share, from a minimisation problem (exercise 1, quiz 1),
# 2. **write** DC-CNN, **turn** it into MoDL, and **write** a phase (one iteration) of ISTA-Net (exercises 2, 3 and 5, quiz 5),
# 3. **differentiate** the solution of a linear system without a history of its solver (exercise 4),
# 4. **measure** whether a network keeps the data, cascade by cascade (the slider, quiz 6),
# 5. **compare** it with tuned classical methods, with intervals (exercise 7),
# 6. **break** it, and **say** why it broke (exercise 6, quiz 4).
#
# **You need** chapters 03 (coil maps, conjugate gradients), 05 (the prox, TV) and 06 (training; complex images as two
# channels). **Time**: about 65 minutes of reading and thinking, and 75 for the exercises; the project takes 120.
# **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import OnComplex, cnn
from course_lib.check import claims, phantom
from course_lib.check import small as smallest
from course_lib.losses import l1
from course_lib.methods import Reconstructor
from course_lib.ops import Sense
from course_lib.sampling import effective_accelerations, protocol
from course_lib.scores import table
from course_lib.solve import shifted_inverse, soft
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (1.5, 1), "cpu": (26, 4), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
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
# > | $f$, $D$ | convolutional networks, image to image | `f`, `D` |
# > | $z$ | the image that a network proposes | `z` |
# > | $\lambda$ | what the data weigh in DC-CNN, what the network weighs in MoDL | `lam` |
# > | $\lVert Ax-y\rVert / \lVert y\rVert$ | the misfit to the data | `misfit` |

# %%
quiz.choice(
    "From chapter 05: of which problem is soft(v, t) the solution?",
    right={"min 1/2 |c - v|^2 + t |c|": "A prox: better for the penalty, but not far from v."},
    wrong={
        "min 1/2 |c - v|^2 + t |c|^2": "Its solution is v / (1 + 2 t): everything a little smaller, nothing zero.",
        "min |c|, with |c - v| at most t": "It moves by t as well; but no distance is fixed in advance, t weighs two terms.",
        "min |A c - y|^2 + t |c|": "That is the whole problem. The prox is one step of its solution and knows no data.",
    },
)

# %% [markdown]
# A prox stands for a penalty that somebody wrote down. This chapter puts a network in its place.

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject:
# the test person was never seen in training, and nothing is trained on the real scan.

# %%
R = 4
strip, batch = c.card("dc_cnn").cut(where.strip, where.batch)  # rows of a training strip, strips a step
train = c.data.slices("train", protocol(R), training=True, strip=strip)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
sample = test[len(test) // 2]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
for name, slices in {"validation": validation, "test": test, "real": real}.items():
    print(f"R = {R}, effective R of the {name} slices (range): {effective_accelerations(s.mask for s in slices)}")

# %% [markdown]
# > **Predict 1.** The last network of a trained DC-CNN proposes an image. Does $A$, applied to it, give back the data? And
# > $A$, applied to the *true* image?
#
# The answers are under "Does it keep the data?" and "Inside the trained network".

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
iterations = c.tune(lambda n: c.build("sense_cg", iterations=int(n)), tuning, [2, 4, 6, 9, 14, 20])
sense = c.build("sense_cg", iterations=int(iterations))
print(f"CG-SENSE, tuned on the same slices: {iterations} iterations")
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
).saying("The zero-filled head is smeared along the width; TV's is clean and a little flat.")

# %% [markdown]
# Zero-filling smears the head along the width, since the mask is random. TV (chapter 05), tuned, is the mark to beat.

# %% [markdown]
# ## The idea
#
# Ask for an image that agrees with the data and that a network would not change:
#
# $$\min_x\; \lambda\lVert Ax-y\rVert^2 + \lVert x - z\rVert^2, \qquad z = x + f(x).$$
#
# Go back and forth. Hold $x$ and let the network propose $z$: it removes aliasing. No minimisation gives this step; the
# network is put where a prox would stand, and training decides what it does. Hold $z$ and solve for $x$: a linear
# problem, derived below. Do this a fixed number of times, call the whole thing a network, and train $f$ through all of it. That is
# *unrolling*; one round is a *cascade*. Whether the iteration converges is no longer asked: it is trained to be good when
# it stops.
#
# The second step is called *data consistency*. Set the gradient with respect to $x$ to zero:
#
# $$\left(A^HA + \tfrac1\lambda\right) x = A^Hy + \tfrac1\lambda z.$$
#
# With one coil of sensitivity 1, $A$ is the Fourier transform and a mask, and in k-space every sample stands for itself:
#
# $$X(k) = \begin{cases}\dfrac{Z(k)+\lambda\, y(k)}{1+\lambda} & k \text{ acquired,}\\[1ex] Z(k) & \text{else.}\end{cases}$$
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `keep(z, y, mask, lam)`: the image `z` (batch, height, width) after data consistency with one coil. `y` is its
# > k-space, 0 where nothing was acquired, `mask` (1, 1, width) says where.
# >
# > <details><summary>Hint 1</summary>Three steps: to k-space, blend, back. `c.ops.fft2c` and `c.ops.ifft2c`.</details>
# > <details><summary>Hint 2</summary>What is the result for a very large $\lambda$? For $\lambda = 0$? On samples that
# > were not acquired?</details>
# > <details><summary>Hint 3</summary>`torch.where(mask > 0, blended, k)`. The two weights of `blended` add up to
# > 1.</details>


# %%
def keep(z, y, mask, lam):
    """The image (batch, height, width) that weighs the network's image z and the k-space y of one coil."""
    #: solution
    k = c.ops.fft2c(z)
    return c.ops.ifft2c(torch.where(mask > 0, (k + lam * y) / (1 + lam), k))
    #: end


check.ch15_keep(keep)

# %%
keep = use(keep, check.ch15_keep)

# %% [markdown] tags=["solution"]
# **Analysis.** A large $\lambda$ restores what was measured, noise included; that is the paper's choice for data without
# noise. $\lambda = 0$ believes the network. The step is linear in $z$, so gradients pass through it.

# %% [markdown]
# Many coils mix the samples, and the closed form is lost. Rows save us. Our masks take whole columns, so the rows of the
# image never mix: each has its own small matrix, as wide as the image. It is inverted once and used in all cascades. For
# other masks conjugate gradients solve the problem in a few steps. `shifted_inverse(A, s)` does whichever fits: it returns
# the map from a right-hand side $b$ to the solution of $(A^HA + s)\,x = b$. For one coil it must agree with you:

# %%
one_coil = Sense(sample.mask, torch.ones_like(sample.maps[:, :1]))
y, z, lam_data = one_coil(sample.image), torch.roll(sample.image, 1, -1), 3.0
solve = shifted_inverse(one_coil, torch.tensor(1 / lam_data))
by_matrix = solve(one_coil.H(y) + z / lam_data, z)
difference = (keep(z, y[:, 0], sample.mask[:, 0], lam_data) - by_matrix).norm() / by_matrix.norm()
print(f"closed form against the inverse of each row: {difference:.1e}")
assert difference < 1e-4

# %% [markdown]
# ## DC-CNN, from nothing
#
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > The class has its parameters: one network for each cascade, and one $\lambda$, learned. Write `forward`. Start at
# > $x = A^Hy$; in each cascade propose $z = x + f(x)$, then solve.
# >
# > <details><summary>Hint 1</summary>`solve = shifted_inverse(A, shift, self.cg_iterations)` once, before the loop. Which
# > shift stands beside $A^HA$?</details>
# > <details><summary>Hint 2</summary>`solve(b, z)` takes the right-hand side of the equation above, and where conjugate
# > gradients may start.</details>
# > <details><summary>Hint 3</summary>`for f in self.f:` two lines, and the second is the last word: data
# > consistency.</details>


# %% tags=["same:course_lib.methods.unrolled.dc_cnn.DCCNN"]
class MyDCCNN(Reconstructor):
    def __init__(self, cascades=5, width=64, depth=5, lam=20.0, cg_iterations=10):
        super().__init__()
        self.cg_iterations = cg_iterations
        self.f = nn.ModuleList(OnComplex(cnn(width=width, depth=depth)) for _ in range(cascades))
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        #: solution
        x = AHy = A.H(y)
        solve = shifted_inverse(A, 1 / self.lam, self.cg_iterations)
        for f in self.f:
            z = x + f(x)
            x = solve(AHy + z / self.lam, z)
        return x
        #: end

    def loss(self, sample):
        return l1(self(sample.kspace, sample.A), sample.image)


check.ch15_dc_cnn(MyDCCNN)

# %%
MyDCCNN = use(MyDCCNN, check.ch15_dc_cnn)

# %% [markdown] tags=["solution"]
# **Analysis.** The order matters: with data consistency last, the result contradicts no sample by more than
# $\lambda$ allows. With the network last, nobody checks its last word. The check also compares gradients, so a `detach`
# between cascades is found, although the image is the same.

# %% [markdown]
# It is the library's method, line by line. With the same weights both give the same image. We take the card's settings for
# a small machine:

# %%
small = c.card("dc_cnn").small
mine, theirs = MyDCCNN(**small), c.build("dc_cnn", **small)
theirs.load_state_dict(mine.state_dict())
with torch.no_grad():
    same = (mine(sample.kspace, sample.A) - theirs(sample.kspace, sample.A)).abs().max()
print(f"{small}: largest difference {same:.1e}")
assert same < 1e-5

# %% [markdown]
# ## A few lines to MoDL
#
# MoDL shares **one** network among all iterations. It lets the network predict the *artefact*, $D(x) = x -
# \text{artefact}(x)$, and puts $\lambda$ on the other term:
#
# $$\min_x\; \lVert Ax-y\rVert^2 + \lambda\lVert x - z\rVert^2, \qquad z = D(x).$$
#
# > **Exercise 3** · core · 10 minutes · importance ★★☆
# >
# > Write `forward` of MoDL. First set the gradient to zero, on paper: which shift, which right-hand side?
# >
# > <details><summary>Hint 1</summary>$A^H(Ax - y) + \lambda(x - z) = 0$.</details>
# > <details><summary>Hint 2</summary>Four lines of DC-CNN change: shift, loop, proposal, right-hand side. The start
# > stays.</details>


# %% tags=["same:course_lib.methods.unrolled.modl.MoDL"]
class MyMoDL(Reconstructor):
    def __init__(self, iterations=10, width=64, depth=5, lam=0.05, cg_iterations=10):
        super().__init__()
        self.iterations, self.cg_iterations = iterations, cg_iterations
        self.artefact = OnComplex(cnn(width=width, depth=depth))
        self.lam = nn.Parameter(torch.tensor(lam))

    def D(self, x):
        return x - self.artefact(x)

    def forward(self, y, A):
        #: solution
        x = AHy = A.H(y)
        solve = shifted_inverse(A, self.lam, self.cg_iterations)
        for _ in range(self.iterations):
            z = self.D(x)
            x = solve(AHy + self.lam * z, z)
        return x
        #: end


check.ch15_modl(MyMoDL)

# %%
MyMoDL = use(MyMoDL, check.ch15_modl)
print(c.diff("dc_cnn", "modl"))

# %% [markdown] tags=["solution"]
# **Analysis.** The paper's DC-CNN writes $\lambda$ before the data, MoDL before the network: one's large $\lambda$ is the
# other's small. Compare equations, never values of $\lambda$, between papers.

# %% [markdown]
# `diff` shows the lines in which the library's two classes differ: `-` is DC-CNN, `+` is MoDL. The losses differ too.

# %% [markdown]
# ## Does it keep the data?
#
# Before training, the last layer of each CNN is zero, so $f(x) = 0$ and only data consistency works: each cascade is one
# step of regularised SENSE that starts from the last one. The misfit to the data must fall from cascade to cascade.


# %%
def misfit(x, s=sample):
    return ((s.A(x) - s.kspace).norm() / s.kspace.norm()).item()


with torch.no_grad():
    falling = [misfit(MyDCCNN(cascades=n, width=4)(sample.kspace, sample.A)) for n in (1, 3, 10)]
print("misfit after 1, 3, 10 cascades:", ", ".join(f"{m:.4f}" for m in falling))
print(f"misfit of the true image: {misfit(sample.image):.4f}; of the zero-filled one: "
      f"{misfit(zero_filled(sample.kspace, sample.A)):.4f}")  # fmt: skip
assert falling[0] > falling[1] > falling[2] and misfit(sample.image) > falling[0]

# %% [markdown]
# Predict 1, second half: $A$ applied to the true image does *not* give back the data, since the data have noise. **A misfit
# below that of the truth fits noise.** And a small misfit says nothing about what was not measured.

# %% [markdown]
# ## The gradient of a solution
#
# Training needs the gradient *through* each solution. One could record every step of conjugate gradients. MoDL needs no
# record. Let $x$ solve $(A^HA + s)\,x = b$. A small change of $b$ and $s$ changes $x$ by
#
# $$\mathrm{d}x = (A^HA + s)^{-1}\,(\mathrm{d}b - x\,\mathrm{d}s).$$
#
# The loss then changes by $\operatorname{Re}\langle g, \mathrm{d}x\rangle$, where $g$ is its gradient with respect to $x$.
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★☆
# >
# > Write `gradients(solve, x, g)` that returns the gradient with respect to $b$ (an image) and to $s$ (one real number).
# > `solve(b)` is the map $(A^HA+s)^{-1}$; you may call it **once**.
# >
# > <details><summary>Hint 1</summary>$A^HA + s$ is Hermitian, and so is its inverse: move it to the other side of the
# > inner product.</details>
# > <details><summary>Hint 2</summary>$\operatorname{Re}\langle g, \mathrm{d}x\rangle = \operatorname{Re}\langle
# > \text{solve}(g), \mathrm{d}b\rangle - \operatorname{Re}\langle \text{solve}(g), x\rangle\,\mathrm{d}s$.</details>
# > <details><summary>Hint 3</summary>$\langle a, x\rangle$ is `(a.conj() * x).sum()`.</details>


# %%
def gradients(solve, x, g):
    """The gradients with respect to the right-hand side (an image) and the shift (a number)."""
    #: solution
    by_b = solve(g)
    return by_b, -(by_b.conj() * x).sum().real
    #: end


check.ch15_gradients(gradients)

# %%
gradients = use(gradients, check.ch15_gradients)

# %% [markdown] tags=["solution"]
# **Analysis.** The backward pass costs one more solution, and keeps one image ($x$), however many steps the solver took.
# It is right only as far as the solver has converged. Deep equilibrium models, networks whose image is the point where
# one step changes nothing any more, rest on the same identity.

# %% [markdown]
# `shifted_inverse` does the same in its backward pass:

# %%
s, b = torch.tensor(0.1, requires_grad=True), sample.A.H(sample.kspace).requires_grad_()
solve = shifted_inverse(sample.A, s)
x = solve(b, None)
loss = (x - sample.image).abs().square().sum() / 2
theirs = torch.autograd.grad(loss, (b, s))
with torch.no_grad():
    by_hand = gradients(lambda v: solve(v, None), x, x - sample.image)
    for name, a, e in zip(("right-hand side", "shift"), by_hand, theirs):
        print(f"gradient with respect to the {name}: relative difference {((a - e).norm() / e.norm()).item():.1e}")
        assert (a - e).norm() < 1e-3 * e.norm()

# %% [markdown]
# ## The family
#
# DC-CNN and MoDL put a network where a prox would stand. Other members of the family learn other parts of an algorithm:
#
# | network | unrolls | learned, besides a few numbers | weights |
# |---|---|---|---|
# | ADMM-Net | ADMM | linear filters $D_i$, and the prox of each: a piecewise linear function | own for each stage |
# | VarNet | gradient descent | linear filters $D_i$, and the slope $\varphi_i$ of each penalty: a sum of bells | own for each step |
# | E2E-VarNet | gradient descent in k-space | the slope of the whole penalty: a U-Net | own for each cascade |
# | ISTA-Net | ISTA | the transform $D$ and its way back $B$: convolution, ReLU, convolution | own for each phase |
# | DC-CNN | alternating minimisation | the whole prox: a CNN | own for each cascade |
# | MoDL | alternating minimisation | the whole prox: a CNN | shared |
#
# The upper ones keep more of the algorithm. ISTA of chapter 05 took a gradient step, went to wavelets, shrank, and came back.
# ISTA-Net does the same, and learns the wavelets; its soft threshold stays:
#
# $$r = x - \rho\, A^H(Ax - y), \qquad x \leftarrow B\big(\operatorname{soft}(D(r), \theta)\big).$$
#
# A wavelet transform has an inverse. A network has none, so training also asks for symmetry: $B(D(r))$ shall be $r$.
#
# > **Exercise 5** · core · 10 minutes · importance ★★☆
# >
# > Write `phase(x, y, A, D, B, rho, theta)`: the image after one phase of ISTA-Net. `D` and `B` are functions, `rho` and
# > `theta` are numbers.
# >
# > <details><summary>Hint 1</summary>Two lines: the gradient step gives `r`, and everything after it uses `r`
# > alone.</details>
# > <details><summary>Hint 2</summary>`soft(v, theta)` is imported. What is shrunk, the image or its transform?</details>


# %%
def phase(x, y, A, D, B, rho, theta):
    """The next image: a gradient step, then the soft threshold between D and B."""
    #: solution
    r = x - rho * A.H(A(x) - y)
    return B(soft(D(r), theta))
    #: end


check.ch15_phase(phase)

# %%
phase = use(phase, check.ch15_phase)

# %% [markdown] tags=["solution"]
# **Analysis.** With $D$ a wavelet transform and $B$ its inverse this is one iteration of ISTA, to the last digit. What is
# learned has a place that theory gave it, so each part can be looked at and replaced. ISTA-Net+ adds $r$ to what comes
# out of $B$, and learns only the change.

# %% [markdown]
# With wavelets in the place of its networks your phase must be an iteration of the library's ISTA:

# %%
W, AHy = c.ops.Wavelet(), sample.A.H(sample.kspace)
x = AHy
for _ in range(3):
    x = phase(x, sample.kspace, sample.A, W, W.H, 1.0, 0.01)
by_library = c.solve.ista(lambda v: sample.A.N(v) - AHy, lambda v, step: W.H(soft(W(v), 0.01)), AHy, 1.0, 3)
print(f"three phases with wavelets against three iterations of ISTA: {(x - by_library).abs().max():.1e}")
assert (x - by_library).abs().max() < 1e-4

# %% [markdown]
# That is a test which every member of the family must pass: **switch off what is learned, and the algorithm must come
# out.** An implementation that fails it has another algorithm inside, whatever its name. The library's methods say what
# their parent is in a claim. We call each claim; it stops where the two images differ by more than $10^{-5}$. The last
# column is what one more iteration costs. Five more networks of chapters 16 and 17 stand the same test.

# %%
unrolled = {  # and what each calls the number of its iterations
    "admm_net": "stages", "varnet": "iterations", "e2e_varnet": "cascades", "ista_net": "phases", "dc_cnn": "cascades",
    "modl": "iterations",
}  # fmt: skip
later = ("pdhg_csnet", "cp_net", "pd_net", "rim", "crnn")  # of chapters 16 and 17; all say "iterations"
without = "without its learned part it is "


def parameters(name, iterations):
    return sum(p.numel() for p in c.build(name, **{unrolled.get(name, "iterations"): iterations}).parameters())


print(f"{'method':12}{without:38}{'parameters':>12}{'one more':>12}")
slope = {}
for name in (*unrolled, *later):
    parent = next(text for text in claims(name) if text.startswith(without))
    claims(name)[parent](smallest(name), phantom(name))
    slope[name] = parameters(name, 2) - parameters(name, 1)
    total = sum(p.numel() for p in c.build(name).parameters())
    print(f"{name:12}{parent.removeprefix(without):38}{total:12,}{slope[name]:12,}")
assert slope["modl"] == 0 < slope["admm_net"] < slope["ista_net"] < slope["e2e_varnet"]

# %%
numbers = [1, 2, 4, 8]
shown = {name: [parameters(name, n) / 1000 for n in numbers] for name in unrolled if name != "e2e_varnet"}
figures.lines(shown, "iterations", "parameters (thousands)", x=[float(n) for n in numbers])

# %% [markdown]
# Own weights cost a straight line, shared weights nothing; how steep the line is, is the width of what is learned.
# E2E-VarNet is left out of the figure: one U-Net has more weights than all others together. It also has the weakest
# parent. Gradient descent on the data term alone, started at the data, has nothing to do in k-space, and stays at the
# zero-filled image: what it fills in comes from its U-Nets.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = train[0]
probe = MyDCCNN(cascades=2, width=32, depth=3)
optimiser = torch.optim.Adam(probe.parameters(), lr=1e-2)
losses = []
for _ in range(90):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(one.kspace, one.A), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** Three networks train for the same time. DC-CNN has ten small networks, MoDL one that is used five times,
# > ADMM-Net four stages of small filters, and fewer parameters than either. Which wins on the test subject? Does any beat
# > tuned TV? On the real scan too? Write it down.

# %%
torch.manual_seed(0)
dc_cnn = MyDCCNN(**small).to(device)
run = c.fit(dc_cnn, train, validation, seconds, batch=batch, checks=checks)
figures.curves(run, {"tuned TV": baseline})

# %%
torch.manual_seed(0)
modl = MyMoDL(**c.card("modl").small).to(device)
run = c.fit(modl, train, validation, seconds, batch=batch, checks=checks)
figures.curves(run, {"tuned TV": baseline})

# %%
torch.manual_seed(0)
admm_net = c.build("admm_net", **c.card("admm_net").small).to(device)
run = c.fit(admm_net, train, validation, seconds, batch=batch, checks=checks)
figures.curves(run, {"tuned TV": baseline})

# %% [markdown]
# What ADMM-Net learned can be looked at. Its prox began as a soft threshold, the same for all filters. Here is what
# became of three of them in the first stage, for small inputs:

# %%
prox = admm_net.stages[0].S.values.detach().cpu()
inputs = torch.linspace(-1, 1, prox.shape[1])
near = inputs.abs() < 0.2
shown = {"as it began": soft(inputs, 0.02)[near].tolist()}
shown |= {f"filter {i + 1}": prox[i][near].tolist() for i in (0, 1, 4)}
figures.lines(shown, "what the filter answers", "what the prox makes of it", x=inputs[near].tolist())

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices. The intervals
# hold slices, not seeds: each network was trained once, and another seed gives another network.

# %%
networks = {"DC-CNN": dc_cnn, "MoDL": modl, "ADMM-Net": admm_net}
methods = {"zero-filled": zero_filled, "tuned CG-SENSE": sense, "tuned TV": tv, **networks}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
for name, network in networks.items():
    print(f"{name}: {sum(p.numel() for p in network.parameters()):,} parameters")
    assert unseen[name].over(unseen["zero-filled"]).low > 0  # more would depend on how many steps fit into the time
    network.cpu()  # all below is small

# %% [markdown]
# Predict 2: seconds of training are few, the papers train for hours, and how many steps fit into them depends on your
# machine; so the table is no verdict on the methods. In profile `ci` tuned TV wins; in `cpu` the networks come near it on
# the simulated subject, or pass it, and with more seconds DC-CNN is ahead by decibels (chapter 24). Look at three things. Where the interval of
# the last column holds 0, these slices cannot tell a method from TV. Against TV networks tend to do worse on the real scan
# than on the simulated subject: they learned from simulations, TV from nobody. And ADMM-Net has by far the fewest weights: what
# does each buy? It starts where ADMM with a soft threshold stands.

# %%
order = tables["unseen simulated subject"]["DC-CNN"].values["psnr"].argsort()
size = sample.image.shape[-1]
for word, index in {"worst": order[0], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", "DC-CNN", "MoDL")}
    print(f"{word} slice for DC-CNN")
    display(figures.images(panels, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## Inside the trained network
#
# What does each cascade do? We stop after each network and after each data consistency, on the slice of median PSNR.

# %%
typical, states = test[int(order[len(order) // 2])], []
seen = (typical.maps != 0).any(1)  # elsewhere the data say nothing, and the library's methods return 0
with torch.no_grad():
    x = AHy = typical.A.H(typical.kspace)
    solve = shifted_inverse(typical.A, 1 / dc_cnn.lam)
    for f in dc_cnn.f:
        z = x + f(x)
        x = solve(AHy + z / dc_cnn.lam, z)
        states.append((seen * z, seen * x))
    assert torch.allclose(seen * x, dc_cnn(typical.kspace, typical.A), atol=1e-4)
print(f"lambda = {dc_cnn.lam.item():.1f} after training; it began at {MyDCCNN(**small).lam.item():.1f}")
print("cascade " + "".join(f"{i:8d}" for i in range(1, len(states) + 1)))
for step, number in {"network": 0, "data": 1}.items():
    for quantity in ("misfit", "NRMSE"):
        measure = misfit if quantity == "misfit" else lambda v, s: c.metrics.nrmse(v, s.image).item()
        print(f"{step:8}" + "".join(f"{measure(pair[number], typical):8.3f}" for pair in states) + f"  {quantity}")
assert all(misfit(x, typical) < misfit(z, typical) for z, x in states)


# %%
def after(cascades):
    """What the last network of so many cascades proposes, and what data consistency makes of it."""
    z, x = states[cascades - 1]
    shown = {"network proposes": z, "after data consistency": x}
    said = f"Misfit {misfit(z, typical):.3f} before and {misfit(x, typical):.3f} after data consistency {cascades}."
    return figures.images(shown, typical.image, error_limit=0.5).saying(said)


after(1)

# %%
after(len(states))

# %% [markdown]
# The slider answers: which cascade removes the smear, and is every step an improvement? Compare the number under the
# left image with that under the right one.

# %%
slider("cascades", after, tuple(range(1, len(states) + 1)))

# %% [markdown]
# Predict 1, first half: a network alone does not keep the data. After each one the misfit is larger, and data consistency
# takes it back. The error of the *image* need not fall in every step, since the loss looks only at the last one.
#
# And $\lambda$ is a learned parameter that has learned little: in so few steps it hardly leaves where it began. What the
# data weigh was chosen by whoever wrote `lam=20.0`.
#
# > **Exercise 6** · core · 15 minutes · importance ★★☆
# >
# > MoDL was trained with five iterations. Its network is shared, so nothing stops you from running fewer, or more:
# > `modl.iterations = 20`. **Predict**: does the PSNR on the test subject rise further, stay, or fall? And the misfit? Then
# > write `ladder(modl, samples, tried)`: the mean PSNR over the samples for each number of iterations in `tried`, a list of
# > numbers. The network leaves as it came: with the number that it was trained with.
# >
# > <details><summary>Hint 1</summary>`c.evaluate(modl, samples).mean("psnr")` for each number of iterations.</details>
# > <details><summary>Hint 2</summary>Keep `modl.iterations` before the loop, and put it back after it.</details>


# %%
def ladder(modl, samples, tried):
    """Mean PSNR (dB) of MoDL on the samples with each number of iterations; the model leaves as it came."""
    #: solution
    trained_with, found = modl.iterations, []
    for number in tried:
        modl.iterations = number
        found.append(c.evaluate(modl, samples).mean("psnr"))
    modl.iterations = trained_with
    return found
    #: end


check.ch15_ladder(ladder)

# %%
ladder = use(ladder, check.ch15_ladder)
tried, few = [1, 2, 3, 5, 8, 20], [test[i] for i in range(0, len(test), 4)]
psnr, misfits = ladder(modl, few, tried), []
for number in tried:
    other = MyMoDL(**c.card("modl").small | {"iterations": number})
    other.load_state_dict(modl.state_dict())
    with torch.no_grad():
        misfits.append(misfit(other(sample.kspace, sample.A)))
for row in zip(tried, psnr, misfits):
    print("{:3d} iterations: PSNR {:.2f} dB, misfit {:.4f}".format(*row))
assert psnr[3] > c.evaluate(zero_filled, few).mean("psnr")  # as it was trained
figures.lines({"MoDL": psnr}, "iterations", "PSNR (dB)", x=[float(number) for number in tried])

# %% [markdown] tags=["solution"]
# **Analysis.** After enough training it is best at, or near, the number it was trained with; many more make the image
# *worse*, while the misfit hardly moves. A convergent algorithm would not mind more iterations. This one was trained to be
# good when it stops, and what keeps adding up afterwards is the network's word on samples that nobody measured. A deep
# equilibrium model is trained at its fixed point, and may be run on.

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, the noise of our simulation, and right coil maps. Take each away. TV, with its $\lambda$ as it is,
# stands beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))
seed = 1


def broken(kspace=full.kspace, maps=full.maps, acceleration=R):
    return c.data.undersample(kspace, maps, protocol(acceleration)(kspace.shape[-1], seed), full.image)


sigma = full.kspace[..., :8, :8].std()  # a corner of k-space: hardly any signal
noise = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(acceleration=2),
    "R = 8": broken(acceleration=8),
    "3 times the noise": broken(full.kspace + 8**0.5 * sigma * noise),
    "maps shifted by 3 pixels": broken(maps=full.maps.roll(3, -1)),
}
psnr = {}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>16}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = [c.metrics.psnr(m(s.kspace, s.A), s.image).item() for m in methods.values()]
    print(f"{case:26}" + "".join(f"{value:16.2f}" for value in psnr[case]))
lost = {case: [a - b for a, b in zip(psnr["as trained"], values)] for case, values in psnr.items()}
for case in ("3 times the noise", "maps shifted by 3 pixels"):
    assert min(lost[case][1:3]) > max(lost[case][0], 0)  # CG-SENSE and TV lose more than zero-filling
assert max(lost["R = 2"][:3]) < 0 < min(lost["R = 8"][:3])  # the networks depend on how far training came

# %% [markdown]
# More noise and wrong maps hurt all that solve for the data, and the zero-filled image the least. Data consistency makes
# the image agree with what is given: noise, and a wrong model, included. With R = 2 every method gains from more samples;
# with R = 8 every one loses. The mask is told to all of them; that the noise has grown or that the maps are wrong is told
# to none, be it a network or a fixed $\lambda$.

# %% [markdown]
# ## What the number hides
#
# - Data consistency is not truth. It holds for the acquired samples, the smaller part of k-space; the rest is the
#   network's word.
# - A misfit below that of the true image fits noise.
# - The mean PSNR of the test subject is one person. Look at the worst slice.
# - Training for the same *time* favours the method whose steps are cheap. With an hour the order may change.
# - One training run each. The intervals are over slices; they do not hold what another seed would change.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. One coil, no noise. Which value of DC-CNN's lambda keeps the acquired samples as they are?",
    right={"infinity": "(k + lam y) / (1 + lam) tends to y."},
    wrong={
        "zero": "Then the network's samples stay, and the data are forgotten.",
        "one": "That is the mean of data and network.",
    },
)

# %%
quiz.choice(
    "2. Why does MoDL need fewer parameters than DC-CNN with as many cascades of the same networks?",
    right={"its iterations share one network": "The number of parameters does not depend on the number of iterations."},
    wrong={
        "data consistency has no parameters": "True for both, but for lambda.",
        "it predicts the artefact": "A residual needs as many weights as an image.",
    },
)

# %%
quiz.choice(
    "3. The backward pass of one data consistency step, by exercise 4, costs",
    right={"one more solution of the same system": "The incoming gradient stands on the right-hand side."},
    wrong={
        "nothing": "The gradient passes through the inverse, which must be applied.",
        "the record of all CG steps": "That is what differentiating the loop would need.",
    },
)

# %%
quiz.choice(
    "4. The coil maps are wrong by a few pixels. What does data consistency do?",
    right={"it forces the image to agree with a wrong model": "It cannot know; all that solve for the data lose."},
    wrong={
        "it repairs the error, since the data are right": "The data are, A is not, and it is A x that must agree.",
        "nothing, since the network was trained with right maps": "A stands in every cascade, at test time too.",
    },
)

# %%
quiz.choice(
    "5. All U-Nets of an E2E-VarNet return zero. What does it reconstruct?",
    right={"the zero-filled image": "It starts at the data, where the gradient of the data term is 0 in k-space."},
    wrong={
        "the SENSE image": "That needs coils to fill in samples: a step in the image, as VarNet takes.",
        "nothing: zeros": "The data stay; only what the U-Nets fill in is gone.",
        "the TV image": "No penalty is left in it: the U-Nets were its penalty.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "6. How large is the misfit |A x - y| / |y| of the *true* image of test[0]?",
    misfit(test[0].image, test[0]),
    "That is the part of these data which is noise. A reconstruction with a smaller misfit fits some of it.",
    near={
        misfit(sample.image): "That is the true image of `sample`; take that of test[0], with its own data.",
        misfit(test[0].image): "That is the image of test[0] against the data of `sample`: `misfit(x, s)`.",
        misfit(zero_filled(test[0].kspace, test[0].A), test[0]): "That is the zero-filled image of test[0].",
        1.0: "That is the misfit of a black image.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **derived** two steps from one problem, and **wrote** the second in closed form for one coil.
# - You **wrote** DC-CNN and **turned** it into MoDL: shift, loop, proposal, right-hand side.
# - You **wrote** a phase of ISTA-Net, and saw each network of the family become its parent.
# - You **differentiated** a solution with one more solution.
# - You **measured** the misfit, cascade by cascade, and saw that the truth has one, too.
# - You **compared** with tuned TV on an unseen person and a real scan, with intervals.
# - You **broke** the networks with noise, wrong maps, other accelerations, and more iterations.
#
# Next: chapter 16 unrolls primal-dual algorithms.

# %% [markdown]
# ## From text to source

# %%
print(c.show("modl", source=False, verify=False))

# %% [markdown]
# `c.show("modl")` shows the source and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils, and trains the networks on the GPU where PyTorch finds one; the
# classical methods stay on the CPU, so compare seconds a slice within one kind. The papers' sizes are the defaults:
# `c.build("dc_cnn")` has 5 cascades of 5 layers and 64 channels, `c.build("modl")` has 10 iterations. Nothing else in this
# chapter changes. What does a training step of each cost on this machine?


# %%
def wait():
    """Until a GPU has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


there = one.to(device)
print(f"{'on ' + device:22}{'parameters':>12}{'seconds a step':>16}")
for name in ("dc_cnn", "modl"):
    for word, settings in {"small": c.card(name).small, "paper": {}}.items():
        model = c.build(name, **settings).to(device)
        model.loss(there).backward()  # the first step also sets up
        wait()
        start = time.perf_counter()
        model.loss(there).backward()
        wait()
        print(f"{name + ', ' + word:22}{sum(p.numel() for p in model.parameters()):12,}", end="")
        print(f"{time.perf_counter() - start:16.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 7** · project · 120 minutes · importance ★★☆
# >
# > Replace the exact solution by one *gradient step*, $x \leftarrow z - \eta A^H(Az - y)$ with a learned $\eta$: that is
# > the data step of VarNet. With the same seconds of training, is it better than DC-CNN at R = 4? At R = 8?
# >
# > | points | for |
# > |---|---|
# > | 2 | a class that passes the gate "overfit one slice" |
# > | 2 | the misfit, cascade by cascade, beside DC-CNN's, with one sentence on the difference |
# > | 3 | both R: paired differences with intervals, on the unseen person and the real scan; equal seconds, stated |
# > | 2 | one ablation (number of cascades, shared or own networks, $\eta$ fixed at 1), tuned on validation subjects |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>Only `forward` changes, and `self.lam` becomes `self.eta`. With maps of unit length
# > $\eta = 1$ is a safe start.</details>
# > <details><summary>Hint 2</summary>A step costs one $A$ and one $A^H$; count cascades so that a training step costs the
# > same.</details>

# %% [markdown]
# ## References
#
# - Schlemper J, Caballero J, Hajnal JV, Price AN, Rueckert D. A deep cascade of convolutional neural networks for dynamic
#   MR image reconstruction. *IEEE Trans Med Imaging* 2018.
#   [doi:10.1109/TMI.2017.2760978](https://doi.org/10.1109/TMI.2017.2760978)
# - Aggarwal HK, Mani MP, Jacob M. MoDL: model-based deep learning architecture for inverse problems. *IEEE Trans Med
#   Imaging* 2019. [doi:10.1109/TMI.2018.2865356](https://doi.org/10.1109/TMI.2018.2865356)
# - Yang Y, Sun J, Li H, Xu Z. ADMM-CSNet: a deep learning approach for image compressive sensing. *IEEE Trans Pattern Anal
#   Mach Intell* 2020. [doi:10.1109/TPAMI.2018.2883941](https://doi.org/10.1109/TPAMI.2018.2883941)
# - Zhang J, Ghanem B. ISTA-Net: interpretable optimization-inspired deep network for image compressive sensing. *CVPR* 2018.
#   [doi:10.1109/CVPR.2018.00196](https://doi.org/10.1109/CVPR.2018.00196)
# - Sriram A et al. End-to-end variational networks for accelerated MRI reconstruction. *MICCAI* 2020.
#   [doi:10.1007/978-3-030-59713-9_7](https://doi.org/10.1007/978-3-030-59713-9_7)
# - Hammernik K et al. Learning a variational network for reconstruction of accelerated MRI data. *Magn Reson Med* 2018.
#   [doi:10.1002/mrm.26977](https://doi.org/10.1002/mrm.26977)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.5.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
