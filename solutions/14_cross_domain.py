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
# # 14 Cross-domain networks: repair k-space, then the image
#
# ![The truth, the zero-filled image, and what two rounds of a network in k-space (K), a network on the image (I) and the data
# make of it, each with its error](../docs/14_cross_domain.png)
#
# Lines are missing in k-space; the harm is seen in the image. The networks of chapter 07 repair the image; GRAPPA (chapter 04)
# fills in k-space. **Is it better to repair k-space, the image, or both in turn?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **say** what a convolution in k-space does to the image, and the other way round (exercise 1, quiz 1),
# 2. **write** hard data consistency for many coils (exercise 2, quiz 5),
# 3. **read** W-Net and **write** KIKI-Net, and **see** the mistake that public code made (exercise 3, quiz 2),
# 4. **measure** an error by its distance from the centre of k-space (exercise 4),
# 5. **compare** both with tuned total variation, with intervals (project),
# 6. **take a network apart** and **break** it (exercise 5, the slider, quiz 4).
#
# **You need** chapter 03 (coils) and chapter 06 (training; complex images as two channels). Chapter 04 helps.
# **Time**: about 90 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import OnCoils, OnComplex, UNet, cnn, keep
from course_lib.methods import Reconstructor
from course_lib.methods.base import cartesian, combine
from course_lib.ops import Coils, Fourier, fft2c, ifft2c
from course_lib.sampling import effective_acceleration, protocol
from course_lib.scores import table
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (3, 2), "cpu": (40, 5), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y$, $M$ | measured k-space of all coils, 0 elsewhere; the mask, 1 = acquired | `y`, `mask` |
# > | $k$ | a k-space of all coils without gaps: data, or a network's word | `k` |
# > | $FS$, $S^HF^H$ | image to k-space of all coils; k-space to image, coils combined | `FS`, `FS.H` |
# > | $K$, $I$ | networks on k-space, on the image (KIKI-Net) | `K`, `I` |
# > | $f$, $g$ | the same two in W-Net | `f`, `g` |
# > | $h$, $w$ | the kernel of a convolution in k-space; what it is to the image | `kernel`, `window` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject:
# the test person was never seen in training, and nothing is trained on the real scan.
#
# Chapter 06 trained on bands of rows, and DC-CNN of chapter 15 will, too, since rows of the image never mix. A convolution in
# k-space mixes them: it must see whole slices, and a step costs four times as much.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
sample = test[len(test) // 2]
coils, size = sample.maps.shape[1], sample.image.shape[-1]
assert not set(train.files) & set(test.files)
print(
    f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices; {coils} coils"
)
print(f"R = {R}, effective {effective_acceleration(sample.mask):.2f}")

# %% [markdown]
# > **Predict 1.** One coil. A chain of 3x3 convolutions *without* a ReLU runs on the zero-filled image. Which of the samples
# > that are missing in k-space can it fill in? And the same chain in k-space?

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# Zero-filling folds the head; TV (chapter 05), tuned, is the mark to beat.

# %% [markdown]
# ## Near in one domain is everywhere in the other
#
# A sample of k-space knows about the whole image, a pixel about all of k-space. So a small kernel sees different things in
# the two domains. The convolution theorem says it exactly: a convolution in one is a product in the other,
#
# $$k'(u) = \sum_a h(a)\, k(u-a) \quad\Longleftrightarrow\quad x'(r) = w(r)\, x(r).$$
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `window(kernel, height, width)`: the $w$ (height, width) that a circular convolution in centred k-space with
# > `kernel` (rows, columns, both odd; its middle belongs to $a = 0$) is to the image. A kernel that is 1 in its middle and 0
# > elsewhere changes nothing: its window is 1.
# >
# > <details><summary>Hint 1</summary>Each entry $h(a)$ shifts k-space by $a$. What does a shift in k-space do to the
# > image? Chapter 01 had it the other way round.</details>
# > <details><summary>Hint 2</summary>Put the kernel into the middle of an empty k-space of the image's size, and transform
# > it with `c.ops.ifft2c`.</details>
# > <details><summary>Hint 3</summary>The transform is orthonormal: it divides by $\sqrt{\text{height}\cdot\text{width}}$.
# > The window must not be divided.</details>


# %%
def window(kernel, height, width):
    """What a convolution in k-space with the kernel (rows, columns) multiplies the image by, (height, width)."""
    #: solution
    k = torch.zeros(height, width, dtype=torch.complex64)
    rows, columns = kernel.shape
    top, left = height // 2 - rows // 2, width // 2 - columns // 2
    k[top : top + rows, left : left + columns] = kernel
    return ifft2c(k) * (height * width) ** 0.5
    #: end


check.ch14_window(window)

# %%
window = use(window, check.ch14_window)

# %% [markdown] tags=["solution"]
# **Analysis.** A kernel of 3 entries is a sum of three waves: nothing faster than one period across the image. A linear
# convolution in k-space is a soft shading of the whole image; only a wide kernel can tell neighbours apart. Coil maps are
# such soft shadings: that is why GRAPPA's small kernels can turn one coil into another.

# %% [markdown]
# Let the middle of a gap be the mean of its two neighbours, and see what that is to the image:

# %%
kernel = torch.zeros(1, 3, dtype=torch.complex64)
kernel[0] = torch.tensor([0.5, 1.0, 0.5])
k = fft2c(sample.image)
filled = k + 0.5 * (k.roll(1, -1) + k.roll(-1, -1))
w = window(kernel, *sample.image.shape[-2:])
difference = (fft2c(w * sample.image) - filled).norm() / filled.norm()
print(f"a product in the image against the convolution in k-space: {difference:.1e}")
assert difference < 1e-4
figures.images({"image": sample.image, "image times window": w * sample.image / 2, "window / 2": w[None] / 2})

# %% [markdown]
# Bright in the middle, dark at the sides: one slow wave. Now the other way round. A convolution of the *image* is a product
# in k-space, and a product with 0 is 0.

# %%
mask = sample.mask[:, 0]
one_coil = ifft2c(mask * fft2c(sample.image))


def missing(x):
    """Energy where nothing was acquired, as a part of what is missing there."""
    k = (1 - mask) * fft2c(x)
    return (k.norm() / ((1 - mask) * fft2c(sample.image)).norm()).item()


blurred = sum(one_coil.roll(shift, (-2, -1)) / 5 for shift in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)))
sharpened = 2 * one_coil - blurred
print(f"missing samples after a convolution of the image: {missing(blurred):.1e}, {missing(sharpened):.1e}")
print(f"after a ReLU of its real part:                    {missing(one_coil.real.relu() + 0j):.2f}")
print(f"after the convolution of k-space above:           {missing(w * one_coil):.2f}")
assert missing(sharpened) < 1e-3 and missing(one_coil.real.relu() + 0j) > 0.02 < missing(w * one_coil)

# %% [markdown]
# **Predict 1**: on the image none; in k-space those near a measured line, as far as the chain reaches. An image network fills
# gaps by its non-linearity alone, and what the coils and the data put back; a k-space network can interpolate, as GRAPPA
# does. On the other hand an edge is a few pixels in the image and everywhere in k-space. Two tools for two jobs: use both.

# %% [markdown]
# ## W-Net: one of each
#
# W-Net (Souza & Frayne 2019) puts two U-Nets in a row, the first in k-space. We give it all coils as channels, real and
# imaginary part each, and combine them in between. Its loss is the relative error of the image and, with a small weight
# $\eta$, that of k-space. The class is the library's, line by line:


# %% tags=["same:course_lib.methods.cross.w_net.WNet"]
class MyWNet(Reconstructor):
    def __init__(self, width=48, depth=3, coils=1, eta=0.01 / 0.99):
        super().__init__()
        self.eta = eta
        f, g = UNet(width, depth, 2 * coils, 2 * coils), UNet(width, depth)
        for p in (*f.last.parameters(), *g.last.parameters()):
            nn.init.zeros_(p)
        self.f, self.g = OnCoils(f, coils), OnComplex(g)

    def image(self, k, A):
        x = combine(k, A)
        return x + self.g(x)

    def forward(self, y, A):
        k = y + self.f(y)
        return self.image(k, A)

    def loss(self, s):
        k, truth = s.kspace + self.f(s.kspace), (Fourier() @ Coils(s.maps))(s.image)
        return _far(self.image(k, s.A), s.image) + self.eta * _far(k, truth)


def _far(x, truth):
    return ((x - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)).mean()


# %% [markdown]
# Nothing puts the data back: what was measured may change, in $f$ and in $g$. (The paper's image network sees the magnitude
# of one coil; `c.card("w_net").differs` lists what we do otherwise.)

# %% [markdown]
# ## KIKI-Net: in turn, and the data in between
#
# KIKI-Net (Eo et al. 2018) goes to and fro, with plain CNNs and new weights each time: $K$, $I$, data, $K$, $I$, data.
# First the data. With noise-free data in mind they are put back as they are: *hard* data consistency.
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `put_back(x, y, mask, maps)`: k-space of all coils (batch, coil, height, width) that agrees with the image `x`
# > (batch, height, width) where nothing was acquired, and with `y` where it was. `mask` (1, 1, 1, width), `maps` (batch,
# > coil, height, width).
# >
# > <details><summary>Hint 1</summary>What would each coil have measured of the image `x`? Two steps.</details>
# > <details><summary>Hint 2</summary>`fft2c(maps * x[:, None])`.</details>
# > <details><summary>Hint 3</summary>`torch.where(mask > 0, what, else_what)`.</details>


# %%
def put_back(x, y, mask, maps):
    """K-space of all coils: y where it was acquired, that of the image x elsewhere."""
    #: solution
    k = fft2c(maps * x[:, None])
    return torch.where(mask > 0, y, k)
    #: end


check.ch14_put_back(put_back)

# %%
put_back = use(put_back, check.ch14_put_back)

# %% [markdown] tags=["solution"]
# **Analysis.** Each coil keeps its own measurements exactly. After the coils are combined this need not hold any more: no
# single image agrees with the noise of all coils. That is the price of a formula without a solver; DC-CNN in chapter 15
# solves for the best compromise.

# %% [markdown]
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `kspace`. In each round: $K$ *adds* to k-space, the coils are combined, $I$ *adds* to the image, the data are put
# > back. `keep(k, y, mask)` is the library's `torch.where(mask > 0, y, k)`.
# >
# > <details><summary>Hint 1</summary>`FS.H(k)` is the image with its coils combined, `FS(x)` its k-space.</details>
# > <details><summary>Hint 2</summary>`for K, I in zip(self.K, self.I):` four lines.</details>
# > <details><summary>Hint 3</summary>What $K$ fills in must reach $I$: no mask before the image.</details>


# %% tags=["same:course_lib.methods.cross.kiki_net.KIKINet"]
class MyKIKINet(Reconstructor):
    def __init__(self, rounds=2, width=64, depth=25, coils=1):
        super().__init__()
        self.K = nn.ModuleList(OnCoils(cnn(width, depth, 2 * coils), coils) for _ in range(rounds))
        self.I = nn.ModuleList(OnComplex(cnn(width, depth)) for _ in range(rounds))

    def kspace(self, y, A):
        #: solution
        k, FS = y, Fourier() @ Coils(cartesian(A).maps)
        for K, I in zip(self.K, self.I):
            k = k + K(k)
            x = FS.H(k)
            x = x + I(x)
            k = keep(FS(x), y, cartesian(A).mask)
        return k
        #: end

    def forward(self, y, A):
        return combine(self.kspace(y, A), A)


check.ch14_kiki(MyKIKINet)

# %%
MyKIKINet = use(MyKIKINet, check.ch14_kiki)

# %% [markdown] tags=["solution"]
# **Analysis.** A public implementation of KIKI-Net once set to zero, after $K$, all samples that were *not* acquired: just
# those that $K$ is there for. Shapes, losses and images looked right; the network was merely no better than a U-Net. A
# test that asks "does the image change when a filled-in sample does?" finds it in a second; the library's claims ask it.

# %% [markdown]
# With the same weights yours and the library's give the same image, and the samples that were acquired are all there:

# %%
small = {name: c.card(name).small | {"coils": coils} for name in ("w_net", "kiki_net")}
mine, theirs = MyKIKINet(**small["kiki_net"]), c.build("kiki_net", **small["kiki_net"])
theirs.load_state_dict(mine.state_dict())
with torch.no_grad():
    same = (mine(sample.kspace, sample.A) - theirs(sample.kspace, sample.A)).abs().max()
    completed = mine.kspace(sample.kspace, sample.A)
print(f"{small['kiki_net']}: largest difference {same:.1e}")
assert same < 1e-5 and torch.equal(completed * sample.mask, sample.kspace)

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = c.data.slices("train", protocol(R), training=True, size=(48, 48))[0]
probe = MyKIKINet(width=24, depth=3, coils=coils)
optimiser = torch.optim.Adam(probe.parameters(), lr=1e-2)
losses = []
for _ in range(80):
    optimiser.zero_grad()
    loss = probe.loss(one)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** Both networks train for the same time. W-Net has far more parameters; KIKI-Net sees the data twice more.
# > Which wins on the test subject? Does either beat tuned TV? And on the real scan? Write it down.

# %%
torch.manual_seed(0)
w_net = MyWNet(**small["w_net"])
run = c.fit(w_net, train, validation, seconds, checks=checks)
figures.curves(run, {"tuned TV": baseline})

# %%
torch.manual_seed(0)
kiki = MyKIKINet(**small["kiki_net"])
run = c.fit(kiki, train, validation, seconds, checks=checks)
figures.curves(run, {"tuned TV": baseline})

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices.

# %%
methods = {"zero-filled": zero_filled, "tuned TV": tv, "W-Net": w_net, "KIKI-Net": kiki}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
for name in ("W-Net", "KIKI-Net"):
    print(f"{name}: {sum(p.numel() for p in methods[name].parameters()):,} parameters")
unseen = tables["unseen simulated subject"]
assert unseen["KIKI-Net"].over(unseen["zero-filled"]).low > 0
assert where.name == "gpu" or unseen["tuned TV"].over(unseen["KIKI-Net"]).low > 0  # see below

# %% [markdown]
# Predict 2: with profile `cpu` KIKI-Net, which sees the data again, is ahead of W-Net. In so little training neither network
# comes near tuned TV; with more it is an open question. Why so far behind?
# Take the networks out of KIKI-Net: what is left of a round is a step along the gradient of the misfit, with a step length
# of 1. How far do the data alone get in so many rounds? Untrained, the last layers are zero, so we can ask KIKI-Net itself:

# %%
some, reached = [test[i] for i in range(0, len(test), 4)], {}
for rounds in (2, 8, 32):
    untrained = MyKIKINet(rounds=rounds, width=2, depth=2, coils=coils)
    reached[rounds] = c.evaluate(untrained, some).mean("psnr")
    print(f"{rounds:3} rounds without networks: PSNR {reached[rounds]:.2f} dB")
print(f"KIKI-Net, {len(kiki.K)} rounds, trained: {c.evaluate(kiki, some).mean('psnr'):.2f} dB")
assert reached[2] + 0.5 < reached[8]

# %% [markdown]
# Many coils hold more than two rounds can get out of them. TV takes dozens of steps, and the solver of chapter 15 goes all the
# way in a single round; KIKI-Net's networks must learn what a few more steps would have given. With *one* coil, the paper's case,
# two rounds lose nothing: there a single step already is the whole of data consistency.

# %%
order = unseen["KIKI-Net"].values["psnr"].argsort()
for word, index in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", "W-Net", "KIKI-Net")}
    print(f"{word} slice for KIKI-Net")
    display(figures.images(panels, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## Where in k-space is the error?
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★☆
# >
# > Write `by_radius(x, truth, rings)`: in each ring of k-space, the norm of the error over the norm of the truth. `x` and
# > `truth` are (1, height, width). The frequency of the sample $(i, j)$ is $u = (i - \lfloor\text{height}/2\rfloor) /
# > \text{height}$, $v$ alike; ring number $\lfloor 2\,\text{rings}\,\sqrt{u^2+v^2}\rfloor$. What lies beyond the last ring
# > (the corners) does not count. Return (rings,).
# >
# > <details><summary>Hint 1</summary>Two images of energy, `fft2c(x - truth).abs() ** 2` and the same of the truth, and one
# > of ring numbers.</details>
# > <details><summary>Hint 2</summary>`energy[ring == i].sum()` for each ring; the root at the end.</details>


# %%
def by_radius(x, truth, rings):
    """The relative error in each ring around the centre of k-space, (rings,)."""
    #: solution
    u, v = ((torch.arange(n) - n // 2) / n for n in x.shape[-2:])
    ring = (2 * rings * (u[:, None] ** 2 + v**2).sqrt()).floor()
    error, energy = (fft2c(part)[0].abs() ** 2 for part in (x - truth, truth))
    return torch.stack([(error[ring == i].sum() / energy[ring == i].sum()).sqrt() for i in range(rings)])
    #: end


check.ch14_by_radius(by_radius)

# %%
by_radius = use(by_radius, check.ch14_by_radius)

# %% [markdown] tags=["solution"]
# **Analysis.** Relative to the truth of the same ring: otherwise the centre, which holds nearly all energy, hides the
# rest. A value of 1 means that the image might as well hold nothing there.

# %%
typical = test[int(order[len(order) // 2])]
with torch.no_grad():
    found = {name: m(typical.kspace, typical.A) for name, m in methods.items()}
spectra = {name: by_radius(x, typical.image, 8).tolist() for name, x in found.items()}
for name, values in spectra.items():
    print(f"{name:12}" + "".join(f"{value:7.3f}" for value in values))
assert all(values[0] < values[-1] for values in spectra.values())
figures.lines(spectra, "ring (1: centre of k-space)", "relative error")

# %% [markdown]
# The first ring, much of it measured, has the smallest error in every image. Going out, the error grows towards the size of
# the signal itself: small details are what is lost, and the PSNR, which the centre rules, hardly sees them.

# %% [markdown]
# ## Inside the trained network
#
# What does each part do? We stop after every step, on the slice of median PSNR.


# %%
def steps(model, s, fill=lambda k, K, mask: k + K(k), clean=lambda x, I: x + I(x), back=put_back):
    """The image after each step of KIKI-Net, {name: image}; each of the three steps can be exchanged."""
    k, states = s.kspace, {}
    for number, (K, I) in enumerate(zip(model.K, model.I), 1):
        k = fill(k, K, s.mask)
        x = combine(k, s.A)
        states[f"K {number}"] = x
        x = clean(x, I)
        states[f"I {number}"] = x
        k = back(x, s.kspace, s.mask, s.maps)
        states[f"data {number}"] = combine(k, s.A)
    return states


def misfit(x, s):
    return ((s.A(x) - s.kspace).norm() / s.kspace.norm()).item()


with torch.no_grad():
    states = {"zero-filled": found["zero-filled"]} | steps(kiki, typical)
    assert torch.allclose(list(states.values())[-1], kiki(typical.kspace, typical.A), atol=1e-4)
seen = (typical.maps != 0).any(1)  # what no coil sees is 0 in every image of the library
states = {name: seen * x for name, x in states.items()}
print(f"{'':14}{'misfit':>8}{'NRMSE':>8}")
for name, x in states.items():
    print(f"{name:14}{misfit(x, typical):8.3f}{c.metrics.nrmse(x, typical.image).item():8.3f}")
print(f"{'the truth':14}{misfit(typical.image, typical):8.3f}")


# %%
def after(name):
    """The image before the networks and after the step called `name`."""
    words = f"After {name}: misfit {misfit(states[name], typical):.3f} (the truth has {misfit(typical.image, typical):.3f})."
    shown = {"zero-filled": states["zero-filled"], f"after {name}": states[name]}
    return figures.images(shown, typical.image, error_limit=0.5).saying(words)


after("I 1")

# %%
after("data 2")

# %% [markdown]
# The slider answers: which step takes the folding away, and which brings the data back?

# %%
slider("after", after, tuple(states)[1:])

# %% [markdown]
# > **Exercise 5** · core · 15 minutes · importance ★★★
# >
# > Take the trained KIKI-Net apart, without training it again: (a) throw away what $K$ filled in, as the public code did;
# > (b) leave out $K$, (c) leave out $I$, (d) never put the data back. **Predict** which costs most PSNR on the test subject,
# > then measure with `steps(kiki, s, fill=..., clean=..., back=...)`. (Nobody checks this one; the solution is in
# > `solutions/`.)
# >
# > <details><summary>Hint 1</summary>(a) is `fill=lambda k, K, mask: mask * (k + K(k))`, (b) `fill=lambda k, K, mask:
# > k`.</details>
# > <details><summary>Hint 2</summary>(d) is `back=lambda x, y, mask, maps: fft2c(maps * x[:, None])`. The last of the states
# > is the image.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
changes = {
    "as trained": {},
    "(a) filled-in samples thrown away": {"fill": lambda k, K, mask: mask * (k + K(k))},
    "(b) without K": {"fill": lambda k, K, mask: k},
    "(c) without I": {"clean": lambda x, I: x},
    "(d) the data never put back": {"back": lambda x, y, mask, maps: fft2c(maps * x[:, None])},
}
few, psnr = [test[i] for i in range(0, len(test), 3)], {}
for name, change in changes.items():
    with torch.no_grad():
        images = [list(steps(kiki, s, **change).values())[-1] * (s.maps != 0).any(1) for s in few]
    psnr[name] = sum(c.metrics.psnr(x, s.image).item() for x, s in zip(images, few)) / len(few)
    print(f"{name:36}{psnr[name]:7.2f} dB{psnr[name] - psnr['as trained']:+7.2f}")
worst = min(psnr, key=psnr.get)
print(f"costs most: {worst}")

# %% [markdown] tags=["solution"]
# Look at (a) and (b) together. Leaving $K$ out is one thing; *throwing its work away* is worse than it looks, since from the
# second round on it also throws away what $I$ had found: $K$'s input is no longer full of holes. And note how much of the
# image comes from putting the data back, which has no weights at all. A part whose loss costs little is not proved useless:
# trained without it, the others would have learned to do its work. That is an experiment of its own:
# `python -m course_lib experiments 37 38`.

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, random lines, the noise of our simulation, right coil maps, and the coils as they came. Take each
# away. TV, with its $\lambda$ as it is, stands beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))


def broken(kspace=full.kspace, maps=full.maps, draw=None):
    mask = (draw or protocol(R))(kspace.shape[-1], 1)
    return c.data.undersample(kspace, maps, mask, full.image)


corner = full.kspace[..., :8, :8].std()  # hardly any signal there
noise = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(draw=protocol(2)),
    "R = 8": broken(draw=protocol(8)),
    "every fourth line": broken(draw=protocol(R, rule=c.sampling.equispaced)),
    "3 times the noise": broken(full.kspace + 8**0.5 * corner * noise),
    "maps shifted by 3 pixels": broken(maps=full.maps.roll(3, -1)),
    "coils in another order": broken(full.kspace.flip(1), full.maps.flip(1)),
}
psnr = {}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>12}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in methods.items()}
    print(f"{case:26}" + "".join(f"{value:12.2f}" for value in psnr[case].values()))
moved = {name: abs(psnr["coils in another order"][name] - psnr["as trained"][name]) for name in methods}
assert max(moved["tuned TV"], moved["zero-filled"]) < 0.01
assert all(psnr["R = 8"][name] < psnr["as trained"][name] for name in methods)
assert psnr["as trained"]["tuned TV"] < psnr["R = 2"]["tuned TV"]  # a network may do worse with lines that it never had

# %% [markdown]
# Ask $K$ and $f$ themselves. Give them the same coils in another order, and put what they add back into the old order. Does that
# differ from what they add to the coils as they were?

# %%
with torch.no_grad():
    for name, net in {"KIKI-Net, first K": kiki.K[0], "W-Net, f": w_net.f}.items():
        change = (net(typical.kspace.flip(1)).flip(1) - net(typical.kspace)).norm() / net(typical.kspace).norm()
        print(f"{name}: changed by {change:.0%} of its size")
        assert change > 0.01

# %% [markdown]
# This is these networks' own weakness, though it shows in the PSNR only as far as they have learned to use the coils. To TV the
# coils are a sum, and a sum has no order. To a network that takes them as channels, coil 1 is not coil 2: another array, or the
# same one plugged in another way, is another problem. Chapter 11 asked whether ordering virtual coils by their energy helps.

# %% [markdown]
# ## What the number hides
#
# - Hard data consistency keeps the *noise* of what was measured, too.
# - It holds for each coil; after the coils are combined it holds no more. Look at the misfit.
# - Nearly all energy lies in the centre of k-space, which was measured. A PSNR is an average over what was easy.
# - Same seconds, not same steps: a step on whole slices is dear. With hours the order of the methods may change.
# - The mean PSNR of the test subject is one person. Look at the worst slice.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. One coil. A linear convolution of the zero-filled image can change which samples of k-space?",
    right={"those that were acquired": "It multiplies k-space by a window, and 0 stays 0."},
    wrong={
        "all": "That takes a non-linearity, the coils, or a kernel in k-space.",
        "those beside an acquired line": "That is what a small kernel in k-space does.",
    },
)

# %%
quiz.choice(
    "2. After K, an implementation sets k to 0 where the mask is 0. Its tests look at shapes. What happens?",
    right={
        "it trains, gives images, and K is good for nothing that is missing": "The image network does all the work."
    },
    wrong={
        "the loss stays where it was": "The image network and data consistency still lower it.",
        "data consistency fails": "It acts on acquired samples, which are untouched.",
    },
)

# %%
quiz.choice(
    "3. Why can KIKI-Net not be trained on strips of a few rows, as DC-CNN can?",
    right={"its K mixes k-space along the readout, and a strip has another k-space": "Its samples lie further apart."},
    wrong={
        "its receptive field is too small": "A small field would do very well with a strip.",
        "data consistency needs whole images": "With whole columns acquired, rows do not mix there.",
    },
)

# %%
quiz.choice(
    "4. The coils arrive in another order, and so do their maps. Who notices?",
    right={"networks that take coils as channels": "Each channel has weights of its own."},
    wrong={
        "everybody": "A^H y is a sum over coils, and so is all that TV does.",
        "nobody, the maps say which coil is which": "K never sees the maps.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
whole = fft2c(sample.maps * sample.image[:, None])
quiz.number(
    "5. Which part of the energy of the true k-space of `sample`, all coils, lies in the acquired columns? (0 to 1)",
    (sample.mask * whole).norm() ** 2 / whole.norm() ** 2,
    "A quarter of the columns, nearly all of the energy: the centre is among them.",
    near={
        sample.mask.mean().item(): "That is the part of the columns.",
        ((sample.mask * whole).norm() / whole.norm()).item(): "That is the part of the norm; square it.",
    },
    tolerance=0.003,
)

# %% [markdown]
# ## Wrap-up
#
# - You **said** what a convolution in one domain is to the other: a window, and 0 stays 0.
# - You **wrote** hard data consistency for many coils, and saw what is left of it after the coils are combined.
# - You **read** W-Net and **wrote** KIKI-Net; and you know the line that made a public one useless.
# - You **measured** errors ring by ring, and part by part.
# - You **compared** both with tuned TV on an unseen person and a real scan, with intervals.
# - You **broke** them: with other masks, noise, maps, and coils in another order.
#
# Next: chapter 15 puts an exact solver where KIKI-Net puts the data back.

# %% [markdown]
# ## From text to source

# %%
print(c.show("kiki_net", source=False, verify=False))

# %% [markdown]
# `c.show("kiki_net")` shows the source and tests every claim here and now. `c.diff("w_net", "kiki_net")` compares the two.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils. The paper's KIKI-Net has 25 layers in each of its four networks,
# W-Net's U-Nets start with 48 channels: the defaults of `c.build`. What does a step cost here, and how much of it is spent
# outside the networks: Fourier transforms, coils, data, loss?

# %%
measured = train[0]


def timed(work, model, times=3):
    """The shortest of so many times: others may use this machine."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work(model)
        found.append(time.perf_counter() - start)
    return min(found)


def networks_alone(model, s):
    """Forward and backward of each network of KIKI-Net on an input of its size, nothing in between."""
    for net, x in [*((K, s.kspace) for K in model.K), *((I, s.image) for I in model.I)]:
        net(x.clone().requires_grad_()).abs().square().sum().backward()


print(f"{'KIKI-Net':22}{'parameters':>12}{'s a step':>10}{'outside':>9}")
for width in (small["kiki_net"]["width"], 8):
    model = c.build("kiki_net", **small["kiki_net"] | {"width": width})
    step = timed(lambda m: m.loss(measured).backward(), model)
    outside = max(0, 1 - timed(lambda m: networks_alone(m, measured), model) / step)
    print(f"width {width:<16}{sum(p.numel() for p in model.parameters()):12,}{step:10.3f}{outside:9.0%}")
for name in ("w_net", "kiki_net"):
    paper = sum(p.numel() for p in c.build(name, coils=coils).parameters())
    print(f"{name + ', as in the paper':32}{paper:12,} parameters")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > The paper trains KIKI-Net *stage by stage*: first $K_1$ alone on the error of k-space, then, with $K_1$ fixed, $I_1$, and
# > so on. Do it, with a quarter of the seconds for each stage, and compare with training all at once.
# >
# > | points | for |
# > |---|---|
# > | 2 | a loss for each stage, and networks that are really fixed (their weights before and after) |
# > | 2 | validation PSNR after each stage, in one figure with training at once; equal seconds, stated |
# > | 3 | paired differences with intervals, on the unseen person and the real scan |
# > | 2 | one ablation (l1 or l2; order I-K-I-K; one round), tuned on validation subjects |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>Subclass `MyKIKINet`: a `stage` that `kspace` stops after, and a `loss` that looks at
# > it.</details>
# > <details><summary>Hint 2</summary>`for p in model.K[0].parameters(): p.requires_grad_(False)`; `c.fit` steps over
# > weights without a gradient.</details>

# %% [markdown]
# ## References
#
# - Eo T, Jun Y, Kim T, Jang J, Lee HJ, Hwang D. KIKI-net: cross-domain convolutional neural networks for reconstructing
#   undersampled magnetic resonance images. *Magn Reson Med* 2018.
#   [doi:10.1002/mrm.27201](https://doi.org/10.1002/mrm.27201)
# - Souza R, Frayne R. A hybrid frequency-domain/image-domain deep network for magnetic resonance image reconstruction.
#   *SIBGRAPI* 2019, [arXiv:1810.12473](https://arxiv.org/abs/1810.12473)
# - Ramzi Z, Ciuciu P, Starck JL. Benchmarking MRI reconstruction neural networks on large public datasets. *Appl Sci* 2020.
#   [doi:10.3390/app10051816](https://doi.org/10.3390/app10051816)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.4.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
