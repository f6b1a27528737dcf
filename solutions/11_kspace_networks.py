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
# # 11 K-space networks: interpolation learned from a database
#
# ![An unseen head from every fourth line: zero-filled, by a network trained on scans that each had coils of their own, by the
# same network trained on scans that all had the same coils, and by SPIRiT. Below, their errors](../docs/11_kspace_networks.png)
#
# GRAPPA fills in k-space with weights that it learns from a few lines of one scan. A database holds millions of lines.
# **Can a network learn to interpolate k-space from a database, when GRAPPA learns it from one scan?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **learn** GRAPPA's weights from many scans, and **say** when they are worth nothing (exercise 1, quiz 1),
# 2. **write** a network on *weighted* k-space, and **choose** the weight by eye (exercise 2, the slider, quiz 5),
# 3. **say** what the pooling of a U-Net does to an image when it pools k-space (quiz 3),
# 4. **write** a loss in which weak k-space counts, and **say** when a loss in k-space is one in the image (exercise 3, quiz 2),
# 5. **order** virtual coils, and **measure** what the order buys and costs (exercises 4 and 5, quiz 4),
# 6. **compare** such networks with SPIRiT and tuned total variation, and **break** them (project).
#
# **You need** chapter 03 (virtual coils), chapter 04 (GRAPPA, SPIRiT) and chapter 06 (training). Chapter 07 (U-Net) helps.
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from dataclasses import replace

import torch
from IPython.display import display
from torch import nn
from torch.nn.functional import avg_pool2d

import course_lib as c
from course_lib.blocks import OnCoils, UNet
from course_lib.errors import CourseError
from course_lib.experiments.domains import Drawn
from course_lib.experiments.interpolation import AsTheyCome, array
from course_lib.experiments.scans import noisier
from course_lib.losses import mse
from course_lib.methods import Reconstructor
from course_lib.methods.base import combine
from course_lib.methods.kspace.kspace_unet import distance
from course_lib.ops import Coils, Fourier, fft2c, ifft2c
from course_lib.ops.regions import regions
from course_lib.sampling import effective_accelerations, equispaced, protocol, uniform
from course_lib.scores import table
from course_lib.solve import grappa
from course_lib.solve.calibrate import compress, mix, upright
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, short, checks = {"ci": (2.5, 1.5, 2), "cpu": (15, 9, 3), "gpu": (60, 60, 6)}[where.name]
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"three networks train for {seconds} s each, two for {short} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y$, $k$ | measured k-space of all coils, 0 elsewhere; k-space without gaps | `y`, `k` |
# > | $S$, $T$ | neighbours under a kernel, one window a row; the samples to be guessed | `S`, `T` |
# > | $w$ | the distance of a sample from the centre of k-space, 1 at the middle of a side | `distance(k)` |
# > | $f$ | a network on k-space, two real channels a coil | `f` |
# > | $v$, $P$ | virtual coils, $v = Pk$ | `v`, `P` |

# %% [markdown]
# ## The data: the same people twice
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject.
# As everywhere in this course, each scan has **coils of its own**: turned, shifted and mixed anew. That is what a database
# from many hospitals looks like.
#
# In this chapter every simulated person is scanned a second time, in **one array**: the same coils at the same places, for
# training and for testing. That is what a database from one scanner looks like, when everyone lies in it in the same way.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True)
validation, test, real = (c.data.slices(split, protocol(R)) for split in ("val", "test", "real"))
whole = {split: [s.prepared(i) for i in range(len(s))] for split, s in {"val": validation, "test": test}.items()}
whole["train"] = [train.prepared(i) for i in range(len(train))]
coils, size = test[0].maps.shape[1], test[0].image.shape[-1]
one_array = {split: [array(s, coils, 1) for s in slices] for split, slices in whole.items()}
alike, alike_validation, alike_test = (
    Drawn(one_array[split], training=split == "train") for split in ("train", "val", "test")
)
sample = alike_test[len(test) // 2]
assert not set(train.files) & set(test.files)
print(
    f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices; {coils} coils"
)
print(f"R = {R}, effective {effective_accelerations(s.mask for s in test)}")
figures.images({f"coil 1, scan {i + 1}": whole["train"][n].maps[:, 0] for i, n in enumerate((0, -1))}
               | {f"coil 1 of the array, scan {i + 1}": one_array["train"][n].maps[:, 0] for i, n in enumerate((0, -1))})  # fmt: skip

# %% [markdown]
# > **Predict 1.** GRAPPA fits its weights to some twenty lines of the scan that it completes. You fit them to *all* lines of
# > the training scans instead, a hundred times as many equations. Better or worse: (a) when all were scanned in one array,
# > (b) when each scan had coils of its own?

# %% [markdown]
# ## The naive thing, and two that need no database
#
# Zeros in the gaps; SPIRiT (chapter 04), which is GRAPPA for lines at random; total variation (chapter 05). The last two are
# tuned on validation subjects.

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 4)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
kernel = (3, 3) if size < 128 else (5, 5)  # what the few lines in the centre allow
build = lambda n: c.build("spirit", kernel=kernel, iterations=int(n))
steps = c.tune(build, tuning, [10, 20, 30, 45])
tv, spirit = c.build("cs_tv", lam=lam), build(steps)
baselines = {name: c.evaluate(m, tuning).mean("psnr") for name, m in {"tuned TV": tv, "tuned SPIRiT": spirit}.items()}
print(f"TV: lambda = {lam}; SPIRiT: kernel {kernel}, {steps} iterations; validation PSNR {baselines}")
classical = {"zero-filled": zero_filled, "tuned SPIRiT": spirit, "tuned TV": tv}
figures.images({name: m(sample.kspace, sample.A) for name, m in classical.items()}, truth=sample.image)

# %% [markdown]
# ## One kernel for everybody
#
# Forget networks for a moment. GRAPPA guesses a missing sample as a weighted sum of its neighbours in all coils, with the same
# weights all over k-space: it is a *shift-invariant* interpolation, a convolution. Chapter 04 found the weights on the
# calibration lines of one scan, $\min_w \lVert Sw - T\rVert^2$. With a database we can ask for weights that serve *all* scans:
#
# $$\min_w \sum_{\text{scans}} \lVert S_i w - T_i \rVert^2 + \lambda\, e\, \lVert w \rVert^2,$$
#
# $e$: the mean energy of a column of all $S_i$ below each other.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `learn(pairs, lam)`: `pairs` is a list of $(S_i, T_i)$, complex matrices (windows, columns) and (windows, targets).
# > Return $w$ (columns, targets).
# >
# > <details><summary>Hint 1</summary>The normal equations of the sum are the sum of the normal equations.</details>
# > <details><summary>Hint 2</summary>`G = sum(S.mH @ S for S, T in pairs)`; the mean of its diagonal is $e$.</details>
# > <details><summary>Hint 3</summary>`torch.linalg.solve(G + ..., sum(S.mH @ T for S, T in pairs))`.</details>


# %%
def learn(pairs, lam):
    """The weights (columns, targets) that serve all scans, with a ridge."""
    #: solution
    G = sum(S.mH @ S for S, T in pairs)
    ridge = lam * G.diagonal().mean() * torch.eye(len(G))
    return torch.linalg.solve(G + ridge, sum(S.mH @ T for S, T in pairs))
    #: end


check.ch11_learn(learn)

# %%
learn = use(learn, check.ch11_learn)

# %% [markdown] tags=["solution"]
# **Analysis.** With a list of one scan this is GRAPPA. Averaging the weights of all scans is something else: a scan whose
# windows say much about a weight would count no more than one whose windows say nothing.

# %% [markdown]
# GRAPPA needs regular lines, so for this test alone every third line is measured. `windows` cuts $S$ and $T$ from a full
# k-space. We learn from training scans, complete test scans, and count only what was missing, against a truth without noise.

# %%
across, spacing = (5, 4), 3
few_lines = uniform(size, spacing, 24 if size >= 128 else 16)


def windows(k):
    """S and T of one scan (1, coil, height, width): every place where the kernel fits."""
    S = k.unfold(-1, (across[1] - 1) * spacing + 1, 1)[..., ::spacing].unfold(2, across[0], 1)
    return S.permute(0, 2, 3, 1, 5, 4).flatten(3).flatten(0, 2), grappa.gaps(k, spacing, across).flatten(3).flatten(
        0, 2
    ).mT


def wrong(w, s):
    """What the weights (..., coil, rows, lines) leave of the missing samples of a slice, relative."""
    truth = fft2c(s.maps * s.image[:, None])
    k = grappa.fill(s.kspace * few_lines, few_lines, w)
    return (((1 - few_lines) * (k - truth)).norm() / ((1 - few_lines) * truth).norm()).item()


left = {}
some = range(0, len(train), max(1, len(train) // 24))
for name, database in {"one array": one_array, "coils of their own": whole}.items():
    pairs = [windows(k / k.norm()) for k in (database["train"][i].kspace for i in some)]
    w = learn(pairs, 1e-3).mT.unflatten(-1, (coils, *across))[None]
    tried = database["test"][:: max(1, len(test) // 6)]
    own = [wrong(grappa.calibrate(s.kspace * few_lines, few_lines, across, 1e-3), s) for s in tried]
    left[name] = sum(wrong(w, s) for s in tried) / len(tried), sum(own) / len(own)
    print(f"{name:20} database {left[name][0]:.3f}, own scan {left[name][1]:.3f} of the missing samples is left")
assert left["coils of their own"][0] > 1.3 * left["one array"][0]
assert left["coils of their own"][0] > left["coils of their own"][1]

# %% [markdown]
# **Predict 1**: in one array the database is about as good as the scan's own lines, although it never saw the scan. With coils
# of their own the database is worth *nothing*: what is left is 1 or more, no better than gaps left at zero. The weights say how
# neighbouring coils see the same thing (chapter 04 explained why they can); another scan has other coils, and the best
# compromise between all of them is to guess nothing.
#
# A database can teach what scans have in common. Heads they have in common; coils they need not.

# %% [markdown]
# ## The idea
#
# A **network** on k-space is still shift-invariant: the same few weights everywhere. But it is not linear. It may look at the
# samples first, find out which coils it has before it, and interpolate as these coils demand. GRAPPA cannot do that; it must
# be told. So three things decide:
#
# - can it see weak samples at all, next to a centre that is hundreds of times stronger? (the **weight**)
# - what is it asked to get right? (the **loss**)
# - does it find the coils in a form that it knows? (the **order** of the coils)
#
# No coil maps and no calibration lines are needed to complete k-space. We use maps only to combine the coils at the end, so
# that the image can be compared; without them one takes the root of the sum of squares.

# %% [markdown]
# ## K-space is loud in the middle
#
# How loud?

# %%
k = one_array["test"][len(test) // 2].kspace
w = distance(k)
ring = (8 * w).floor().clamp_max(8)
loud = [k.abs()[..., ring == i].square().mean().sqrt().item() for i in range(8)]
print("mean size in rings from the centre outwards: " + ", ".join(f"{x / loud[-1]:.1f}" for x in loud))
assert loud[0] > 10 * loud[-1]
figures.kspace({"k-space, all coils": k, "after the weight": w * k})

# %% [markdown]
# A network that sees this learns the centre first, and may never learn the rest. Ye and colleagues weigh k-space before it
# enters. Their ALOHA, the compressed sensing in k-space that chapter 05 names at its end, multiplies by the transform of a
# difference of neighbouring pixels, which grows with the distance $w$ from the centre; their network on k-space (Han et al.
# 2020) does the same,
#
# $$k = y + f(w\,y)\,/\,w .$$
#
# In the image that is a network that sees *edges*. What it adds is divided by $w$ at the end; where $w = 0$, in the very
# centre, $y$ stays as it is.


# %%
def weighed(power):
    """k-space as it is and times w to a power, each with its own white."""
    shown = {"as it is": k[:, 0], f"times distance^{power}": (w**power * k)[:, 0]}
    x = (w**power * k).abs().square().mean((0, 1)).sqrt()
    quietest = x[(w > 0.8) & (w < 1)].median()
    words = f"Power {power}: the loudest sample is {x.max() / quietest:.0f} times as loud as those at the rim."
    return figures.images({name: z / figures.white(z.abs()) for name, z in shown.items()}, window=(0, 1)).saying(words)


weighed(1)

# %% [markdown]
# The slider answers: at which power is k-space about equally loud everywhere? And at which one does the noise at the rim
# take over?

# %%
slider("power", weighed, (0, 0.5, 1, 1.5, 2))

# %% [markdown]
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > Write `kspace` of the network: weigh, `self.f`, take the weight off, add to `y`. `distance(y)` is $w$ (height, width), to
# > the power of `self.power`.
# >
# > <details><summary>Hint 1</summary>One value of $w$ is 0. What is 0 times infinity?</details>
# > <details><summary>Hint 2</summary>`torch.where(w > 0, 1 / w, 0)` is the inverse where there is one.</details>
# > <details><summary>Hint 3</summary>Only what `f` adds is divided. `y` never meets the weight.</details>


# %% tags=["same:course_lib.methods.kspace.kspace_unet.KSpaceUNet"]
class MyKSpaceUNet(Reconstructor):
    def __init__(self, width=64, depth=4, coils=8, power=1.0):
        super().__init__()
        self.power = power
        f = UNet(width, depth, 2 * coils, 2 * coils)
        for p in f.last.parameters():
            nn.init.zeros_(p)
        self.f = OnCoils(f, coils)

    def kspace(self, y):
        #: solution
        w = distance(y) ** self.power
        return y + self.f(w * y) * torch.where(w > 0, 1 / w, 0)
        #: end

    def forward(self, y, A):
        return combine(self.kspace(y), A)

    def loss(self, sample):
        return mse(Fourier().H(self.kspace(sample.kspace)), Coils(sample.maps)(sample.image))


check.ch11_kspace_unet(MyKSpaceUNet)

# %%
MyKSpaceUNet = use(MyKSpaceUNet, check.ch11_kspace_unet)

# %% [markdown] tags=["solution"]
# **Analysis.** The network *adds*, so nothing has to be learned to keep what was measured: with a last layer of zeros,
# training starts at the zero-filled image. Learning what is *missing* matters more in k-space than in the image: nine
# tenths of the energy are there already, and a network that had to repeat them would do little else.

# %% [markdown]
# ## What pooling does to k-space
#
# The U-Net averages samples in pairs to see more of its input at once. In an image that makes a coarser image of the same
# head. In k-space? Averaging neighbours is a convolution: it shades the image, towards 0 at its edges. Keeping every second
# sample halves the field of view: the image *folds*.

# %%
x = sample.image
half = size // 2
pool = lambda z: torch.complex(avg_pool2d(z.real, 2), avg_pool2d(z.imag, 2))
shade = (1 + torch.exp(-2j * torch.pi * (torch.arange(size) - half) / size)) / 2
by_hand = x * shade[:, None] * shade
for dim in (-2, -1):
    by_hand = sum(by_hand.roll(-half // 2, dim).split(half, dim)) / 2**0.5
pooled = ifft2c(pool(fft2c(x)))
assert (pooled - by_hand).abs().max() < 1e-3 * pooled.abs().max()
figures.images({"pooled image": pool(x), "pooled k-space": 2 * pooled, "shaded and folded": 2 * by_hand})

# %% [markdown]
# The coarse scales of a U-Net on k-space look at a folded, shaded head. What they know well is the *middle* of the image,
# where the folds are weak; the skip connections must carry everything else. A network without pooling (DeepSPIRiT,
# below) does not have this problem, and sees less far.

# %% [markdown]
# ## What is it asked to get right?
#
# The k-space U-Net lowers the error of its coil images. Is that another loss than the error of k-space? The transform is
# orthonormal and keeps energy (Parseval):

# %%
truth = fft2c(sample.maps * sample.image[:, None])
in_image = mse(ifft2c(sample.kspace), sample.maps * sample.image[:, None])
in_kspace = mse(sample.kspace, truth)
print(f"error of the coil images {in_image:.6f}, of k-space {in_kspace:.6f}")
assert abs(in_image / in_kspace - 1) < 1e-3
parts = regions(truth, 3)
for (box, inside), name in zip(parts, ("centre", "ring", "rest")):
    energy = (inside * truth[box]).norm() ** 2 / truth.norm() ** 2
    print(
        f"{name:7} {inside.mean() * inside.numel() / truth[0, 0].numel():4.0%} of the samples, {energy:6.1%} of the energy"
    )

# %% [markdown]
# The same number. "A loss in the image" changes nothing as long as it is a plain square of coil images; it does once
# coils are combined, or magnitudes taken. Either way the centre rules. DeepSPIRiT (Cheng et al. 2018) takes another
# way than weights: a CNN for each *region* of k-space, from the centre outwards, and a loss relative to each region.
#
# > **Exercise 3** · core · 10 minutes · importance ★★☆
# >
# > Write `regional(k, truth, parts)`: for each region the energy of the error over the energy of the truth, added up.
# > `parts` is a list of `(box, inside)`: `k[box]` cuts out a box of k-space, `inside` is 1 in the region and 0 elsewhere in
# > the box.
# >
# > <details><summary>Hint 1</summary>`(inside * (k - truth)[box])` is the error of one region.</details>
# > <details><summary>Hint 2</summary>`.norm() ** 2` is an energy.</details>


# %%
def regional(k, truth, parts):
    """The relative energy of the error in each region, added up."""
    #: solution
    return sum((inside * (k - truth)[box]).norm() ** 2 / (inside * truth[box]).norm() ** 2 for box, inside in parts)
    #: end


check.ch11_regions(regional)

# %%
regional = use(regional, check.ch11_regions)
print(f"zero-filled: {regional(sample.kspace, truth, parts):.2f} of {len(parts)}")

# %% [markdown] tags=["solution"]
# **Analysis.** Zeros everywhere would give the number of regions. The centre, which was measured, adds hardly anything; most
# of the loss is now where most of the samples are missing. That is a choice, not a law: no eye asked for it.

# %% [markdown]
# ## Coils in an order
#
# A network that takes coils as channels knows coil 1 from coil 2. Plug the same coils in another way, and it sees something
# new. DeepSPIRiT therefore mixes them first: **virtual coils** by principal components (PCA), the strongest first. Chapter 03
# used them to save time; here they are to give every array the same form.
#
# PCA leaves one thing open: each virtual coil may be multiplied by any phase. A network would see each phase as a new coil.
#
# > **Exercise 4** · core · 15 minutes · importance ★★★
# >
# > Write `ordered(y)`: $v = U^H y$ (batch, coil, height, width) with the eigenvectors $U$ of the coils' covariance, the
# > strongest first, each virtual coil turned so that its largest sample is real and positive.
# >
# > <details><summary>Hint 1</summary>`samples = y.flatten(2)`, `U = torch.linalg.eigh(samples @ samples.mH)[1]`: columns, the
# > weakest first.</details>
# > <details><summary>Hint 2</summary>`v.abs().argmax(2, keepdim=True)` says where the largest samples are, `v.gather(2, ...)`
# > gets them.</details>
# > <details><summary>Hint 3</summary>Multiply by the conjugate of `torch.sgn(largest)`.</details>


# %%
def ordered(y):
    """All virtual coils, the strongest first, the largest sample of each real and positive."""
    #: solution
    samples = y.flatten(2)
    U = torch.linalg.eigh(samples @ samples.mH)[1].flip(2)
    v = U.mH @ samples
    largest = v.gather(2, v.abs().argmax(2, keepdim=True))
    return (v * torch.sgn(largest).conj()).reshape(y.shape)
    #: end


check.ch11_order(ordered)

# %%
ordered = use(ordered, check.ch11_order)

# %% [markdown] tags=["solution"]
# **Analysis.** `eigh` sorts upwards, and gives columns with any phase: the same data may come back with another phase on
# another machine. The largest sample is a convention that needs no other scan. It is a weak one: a little noise, and another
# sample is the largest.

# %% [markdown]
# What is alike after this? The same scan with its coils in another order, or turned into each other, must give the same
# virtual coils. And two different people in one array?

# %%
y = sample.kspace
turn = torch.linalg.qr(torch.randn(1, coils, coils, dtype=y.dtype, generator=torch.Generator().manual_seed(3)))[0]
change = lambda z: ((ordered(z) - ordered(y)).norm() / y.norm()).item()
print(f"coils in another order: {change(y.flip(1)):.1e}; turned into each other: {change(mix(turn, y)):.1e}")
assert max(change(y.flip(1)), change(mix(turn, y))) < 0.05
first, other = (upright(*compress(alike[i].kspace, coils))[1][0] for i in (0, -1 % len(alike)))
shared = (first @ other.mH).diagonal()
print("two people, one array. Mixtures alike: " + ", ".join(f"{x:.2f}" for x in shared.abs().tolist()))
print("turned against each other, degrees:    " + ", ".join(f"{x:.0f}" for x in shared.angle().rad2deg().tolist()))

# %% [markdown]
# (1: the same mixture of coils; 0: one that has nothing to do with the other.) PCA makes arrays that are mixtures of each
# other equal. But it also depends on the *head*: in one and the same array two people get mixtures that are not quite the
# same, and phases that have little to do with each other. What PCA buys with another array it may cost on the own one.
# Exercise 5 measures both.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = c.data.slices("train", protocol(R), size=(32, 32))[0]
probe = MyKSpaceUNet(width=32, depth=2, coils=coils)
optimiser = torch.optim.Adam(probe.parameters(), lr=3e-3)
losses = []
for _ in range(100):
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
# > **Predict 2.** The same U-Net, the same people, the same seconds; once every scan has coils of its own, once all have the
# > same. How many decibels over zero-filling will each gain on an unseen person? And does either beat SPIRiT, which is
# > trained on ten lines? Write it down.

# %%
small = c.card("kspace_unet").small | {"coils": coils} | ({"width": 8} if where.name == "ci" else {})
torch.manual_seed(0)
own_coils = MyKSpaceUNet(**small)
run = c.fit(own_coils, train, validation, seconds, checks=checks)
figures.curves(run, baselines)

# %%
torch.manual_seed(0)
same_coils = MyKSpaceUNet(**small)
run = c.fit(same_coils, alike, alike_validation, seconds, checks=checks)
print("in one array:")
figures.curves(run, {"zero-filled": c.evaluate(zero_filled, alike_validation).mean("psnr")})

# %% [markdown]
# And DeepSPIRiT, whose virtual coils are made for coils that differ. `c.show("deep_spirit")` shows its source.

# %%
small_spirit = c.card("deep_spirit").small | {"coils": coils}
torch.manual_seed(0)
deep = c.build("deep_spirit", **small_spirit)
run = c.fit(deep, train, validation, seconds, checks=checks)
figures.curves(run, baselines)

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices.

# %%
methods = classical | {"k-space U-Net, own coils": own_coils, "DeepSPIRiT, own coils": deep}
tables = {}
for name, samples in {"unseen subject, coils of its own": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
name = "unseen subject, in the one array"
in_array = classical | {"k-space U-Net, own coils": own_coils, "k-space U-Net, one array": same_coils}
tables[name] = {method: c.evaluate(model, alike_test) for method, model in in_array.items()}
print(name, table(tables[name], baseline="tuned TV"), sep="\n")
for method, model in {"k-space U-Net": own_coils, "DeepSPIRiT": deep}.items():
    print(f"{method}: {sum(p.numel() for p in model.parameters()):,} parameters")
unseen = tables["unseen subject, coils of its own"]
assert unseen["DeepSPIRiT, own coils"].over(unseen["zero-filled"]).mean > 0
assert tables[name]["k-space U-Net, one array"].over(tables[name]["zero-filled"]).mean > 0
assert where.name == "gpu" or unseen["tuned SPIRiT"].over(unseen["DeepSPIRiT, own coils"]).mean > 0

# %% [markdown]
# Predict 2: compare each network with zero-filling in its table. With coils of their own, neither network has learned much
# beyond it; in one array the same U-Net gains several times as much. All **lose to tuned TV**, and to SPIRiT, which saw no
# other scan. In seconds of training they do not learn to read the coils off the data. SPIRiT gets them from the lines in the
# centre, and TV from the maps. The papers train for days, and (Han and colleagues) in one array.

# %%
order = tables[name]["k-space U-Net, one array"].values["psnr"].argsort()
for word, index in {"worst": order[0], "best": order[-1]}.items():
    picked = alike_test[int(index)]
    with torch.no_grad():
        panels = {m: in_array[m](picked.kspace, picked.A) for m in ("tuned SPIRiT", *list(in_array)[3:])}
    print(f"{word} slice for the network of one array")
    display(figures.images(panels, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## Where is the error?
#
# The weight, the regions: both were to help far from the centre. Did they? In rings around the centre, the norm of the error
# over the norm of the truth; at 1 nothing has been gained over zeros.


# %%
def by_distance(x, truth, rings=8):
    """The relative error of an image in rings around the centre of k-space."""
    ring = (rings * distance(x)).floor()
    error, energy = (fft2c(part)[0].abs() ** 2 for part in (x - truth, truth))
    return [(error[ring == i].sum() / energy[ring == i].sum()).sqrt().item() for i in range(rings)]


middle = alike_test[int(order[len(order) // 2])]
with torch.no_grad():
    spectra = {m: by_distance(in_array[m](middle.kspace, middle.A), middle.image) for m in in_array}
for m, values in spectra.items():
    print(f"{m:26}" + "".join(f"{value:7.3f}" for value in values))
assert all(values[0] < values[-1] for values in spectra.values())
figures.lines(spectra, "ring (1: centre of k-space)", "relative error")

# %% [markdown]
# Interpolation is the same everywhere in k-space: a kernel that knows the coils can help in every ring. But the signal falls
# towards the rim and the noise does not. Where both are equally strong, a guess from neighbours is a guess from noise, and a
# method may end above zero-filling. Neither weight nor loss can change that: the rim is not only quiet, it is noisy.

# %% [markdown]
# > **Exercise 5** · core · 15 minutes · importance ★★★
# >
# > Is the order of PCA worth its price? Train DeepSPIRiT in the one array twice, for `short` seconds each: with virtual coils
# > (`c.build("deep_spirit", **small_spirit)`) and with coils as they come (`AsTheyCome(**small_spirit)`). Test both in that
# > array, in the same with its coils in another order, and in another array (`array(s, coils, 2)`). **Predict** who wins
# > where. (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`c.fit(model, alike, alike_validation, short, checks=2)`.</details>
# > <details><summary>Hint 2</summary>`Drawn([array(s, coils, 2) for s in whole["test"]])` is the test person in another
# > array; for another order flip `kspace` and `maps` along the coils with `dataclasses.replace`.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
flipped = Drawn([replace(s, kspace=s.kspace.flip(1), maps=s.maps.flip(1)) for s in one_array["test"]])
elsewhere = Drawn([array(s, coils, 2) for s in whole["test"]])
rooms = {"own array": alike_test, "other order": flipped, "another array": elsewhere}
gained = {}
for name, kind in {"virtual coils": c.card("deep_spirit").cls, "as they come": AsTheyCome}.items():
    torch.manual_seed(0)
    model = kind(**small_spirit)
    c.fit(model, alike, alike_validation, short, checks=2)
    gained[name] = {room: c.evaluate(model, s).over(c.evaluate(zero_filled, s)).mean for room, s in rooms.items()}
    print(f"{name:14} PSNR over zero-filling: " + ", ".join(f"{room} {g:+.2f}" for room, g in gained[name].items()))
assert abs(gained["virtual coils"]["own array"] - gained["virtual coils"]["other order"]) < 0.05
assert gained["as they come"]["own array"] > gained["as they come"]["other order"]

# %% [markdown] tags=["solution"]
# Each wins where it was made for. Coils as they come are best in their own array: there coil 1 is coil 1 for everybody. In
# another order they lose what they had learned. Virtual coils do not notice the order at all, and keep in another array
# what they have; but they have less, since the head is in the virtual coils, too. `python -m course_lib experiments 25`
# measures it with longer training, equal steps and intervals.

# %% [markdown]
# ## Break it
#
# The network of one array saw R = 4, lines at random with a full centre, the noise of our simulation, and this array. Take
# each away. SPIRiT and TV stand beside it; a dash means that a method cannot do it at all.

# %%
full = one_array["test"][int(order[len(order) // 2])]


def broken(scan=full, mask=None):
    mask = protocol(R)(size, 1) if mask is None else mask
    return c.data.undersample(scan.kspace, scan.maps, mask, scan.image)


def psnr(method, s):
    """NaN where the method has not got what it needs."""
    try:
        with torch.no_grad():
            return c.metrics.psnr(method(s.kspace, s.A), s.image).item()
    except CourseError:
        return float("nan")


cases = {
    "as trained": broken(),
    "R = 2": broken(mask=protocol(2)(size, 1)),
    "R = 8": broken(mask=protocol(8)(size, 1)),
    "every fourth line": broken(mask=protocol(R, rule=equispaced)(size, 1)),
    "... without a full centre": broken(mask=uniform(size, R)),
    "3 times the noise": broken(noisier(full, 3)),
    "coils in another order": broken(replace(full, kspace=full.kspace.flip(1), maps=full.maps.flip(1))),
    "another array": broken(array(whole["test"][int(order[len(order) // 2])], coils, 2)),
}
tried = {"zero-filled": zero_filled, "TV": tv, "SPIRiT": spirit, "U-Net, one array": same_coils, "DeepSPIRiT": deep}
found = {case: {name: psnr(m, s) for name, m in tried.items()} for case, s in cases.items()}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>18}" for name in tried))
for case, values in found.items():
    print(f"{case:26}" + "".join(f"{value:18.2f}" if value == value else f"{'-':>18}" for value in values.values()))
moved = {name: abs(found["coils in another order"][name] - found["as trained"][name]) for name in tried}
assert max(moved["TV"], moved["zero-filled"], moved["DeepSPIRiT"]) < 0.05
assert found["... without a full centre"]["SPIRiT"] != found["... without a full centre"]["SPIRiT"]  # not a number

# %% [markdown]
# Ask the network itself. Give it the same coils in another order, and put what it adds back into the old order. Does that differ
# from what it adds to the coils as they were?

# %%
with torch.no_grad():
    adds = lambda k: same_coils.kspace(k) - k
    moved = ((adds(y.flip(1)).flip(1) - adds(y)).norm() / adds(y).norm()).item()
print(f"changed by {moved:.0%} of its size")
assert moved > 0.01

# %% [markdown]
# Another order of the coils or another array takes away nearly all that it had learned: it interpolates as the *old* array
# demands, and does not notice. To SPIRiT neither matters, for a good reason: it learns the coils anew in each scan. It needs
# the full centre for it, and without one it cannot even begin. That is what remains of the promise "no maps, no calibration":
# a network runs on data that SPIRiT must refuse. To see whether its image is worth having, compare it with zero-filling in
# the same row. Do the same in the row of R = 2, where nothing keeps the U-Net from changing what was measured. And with more
# noise SPIRiT and TV, tuned for less, lose most: a method that does little does little harm.

# %% [markdown]
# ## What the number hides
#
# - "A database" is not one thing. Ask whose coils are in it before you believe a result.
# - A split by subject does not help when train and test share the *array*: the test is honest about heads, not about hospitals.
# - The loss says where in k-space errors are cheap. PSNR says it again, in its own way: the centre rules.
# - Few seconds, small networks. With days of training the distance to SPIRiT may close; on one array it may turn.
# - Nothing puts the data back in the k-space U-Net: what was measured may change. Chapter 14 puts the data back.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. GRAPPA's weights, fitted to a thousand scans with different coils, leave nearly all of what was missing. Why?",
    right={
        "the weights say how neighbouring coils see the same thing, and that is different in each scan": (
            "The best compromise between contradicting weights is close to zero."
        )
    },
    wrong={
        "the heads are different": "In one array the heads differ just as much, and there it works.",
        "a thousand scans are too few": "Each gives thousands of equations for some hundred weights.",
    },
)

# %%
quiz.choice(
    "2. A loss on complex coil images, mean squared error, against the same on their k-space:",
    right={"the same number": "The orthonormal transform keeps energy (Parseval)."},
    wrong={
        "the image loss cares more about details": "Not before coils are combined, magnitudes taken or weights put on.",
        "the k-space loss cares more about the centre": "The centre has most energy in both.",
    },
)

# %%
quiz.choice(
    "3. A U-Net halves k-space by average pooling. What has the image become?",
    right={"shaded towards the edges, and folded": "Half the samples, half the field of view."},
    wrong={
        "coarser": "That is what pooling the image does; k-space still reaches as far out.",
        "half as bright everywhere": "Bright in the middle, dark at the edges: the average is a convolution.",
    },
)

# %%
quiz.choice(
    "4. Virtual coils by PCA, strongest first. What do two scans then have in common for certain?",
    right={
        "all virtual coils, if one scan's coils are the other's turned into each other": "And nothing else has changed."
    },
    wrong={
        "all virtual coils, if they were made in one array": "PCA looks at the head, too.",
        "all virtual coils, with enough of them": "The weak ones are the least alike.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
energy = lambda z: ((distance(z) < 0.25) * z).norm() ** 2 / z.norm() ** 2
quiz.number(
    "5. Multiply `truth`, the full k-space of `sample`, by `distance(truth)`. Which part of its energy lies closer to the "
    "centre than 0.25? (0 to 1)",
    energy(distance(truth) * truth),
    "Without the weight it is nearly all of it.",
    near={
        energy(truth).item(): "That is without the weight.",
        energy(distance(truth) ** 0.5 * truth).item(): "Weigh the samples, not their energies.",
    },
    tolerance=0.01,
)

# %% [markdown]
# ## Wrap-up
#
# - You **learned** GRAPPA's weights from many scans: about as good as the scan's own in one array, worth nothing
#   where coils differ.
# - You **wrote** a network on weighted k-space, and chose the weight.
# - You **saw** that pooling k-space folds the image.
# - You **wrote** a loss in which the rim counts, and know when a loss in k-space is one in the image.
# - You **ordered** virtual coils, and measured what the order buys and costs.
# - You **compared** with SPIRiT and TV, and **broke** a network by plugging its coils in another way.
#
# Next: chapter 12 trains networks on the lines of the scan itself, as GRAPPA does.

# %% [markdown]
# ## From text to source

# %%
print(c.show("kspace_unet", source=False, verify=False))

# %% [markdown]
# `c.show("deep_spirit")` shows the other one and tests every claim here and now. `c.diff("kspace_unet", "deep_spirit")` compares.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils. What does a step cost here, and how large are the cards' defaults?

# %%
batch = train[0]
for name, settings in {"kspace_unet": small, "deep_spirit": small_spirit}.items():
    for model in (c.build(name, **settings), c.build(name, coils=coils)):
        count = sum(p.numel() for p in model.parameters())
        if count < 10**6:
            model.loss(batch).backward()
            begin = time.perf_counter()
            model.loss(batch).backward()
            print(f"{name:12} small:    {count:11,} parameters, {time.perf_counter() - begin:.3f} s a step")
        else:
            print(f"{name:12} defaults: {count:11,} parameters")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Choose one: (a) *adjacent slices as channels* (ACNN, section 2.2 of the review): give the network the same coils of the slices
# > above and below, and let it complete the middle one; (b) *put the data back* after the k-space U-Net, in training, too;
# > (c) *ask for the coils*: give the network the lines of the centre as further channels. Does it bring
# > own coils closer to one array?
# >
# > | points | for |
# > |---|---|
# > | 2 | a method that passes the check of exercise 2 when your change is switched off |
# > | 3 | paired differences with intervals on both data sets and the real scan, beside tuned SPIRiT and TV |
# > | 2 | one choice tuned on validation subjects, and the test subjects untouched until the end |
# > | 2 | the breaking cases of this chapter, with your method as one more column |
# > | 1 | the error by distance, and what it says |
# >
# > <details><summary>Hint 1</summary>`train.where(i)` says which file and slice a sample is; neighbours share the file.</details>
# > <details><summary>Hint 2</summary>For (b) `c.blocks.keep(k, y, mask)`; the mask comes with `A.mask` in `forward`, with
# > `sample.mask` in `loss`.</details>

# %% [markdown]
# ## References
#
# - Han Y, Sunwoo L, Ye JC. k-Space deep learning for accelerated MRI. *IEEE Trans Med Imaging* 2020.
#   [doi:10.1109/TMI.2019.2927101](https://doi.org/10.1109/TMI.2019.2927101)
# - Cheng JY, Mardani M, Alley MT, Pauly JM, Vasanawala SS. DeepSPIRiT: generalized parallel imaging using deep convolutional
#   neural networks. *ISMRM* 2018.
# - Jin KH, Lee D, Ye JC. A general framework for compressed sensing and parallel MRI using annihilating filter based low-rank
#   Hankel matrix. *IEEE Trans Comput Imaging* 2016. [doi:10.1109/TCI.2016.2601296](https://doi.org/10.1109/TCI.2016.2601296)
# - Lustig M, Pauly JM. SPIRiT: iterative self-consistent parallel imaging reconstruction from arbitrary k-space. *Magn Reson
#   Med* 2010. [doi:10.1002/mrm.22428](https://doi.org/10.1002/mrm.22428)
# - Buehrer M, Pruessmann KP, Boesiger P, Kozerke S. Array compression for MRI with large coil arrays. *Magn Reson Med* 2007.
#   [doi:10.1002/mrm.21237](https://doi.org/10.1002/mrm.21237)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.2.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
