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
# # 18 Learning from noisy data: no clean image anywhere
#
# ![Four images of a head: one noisy target, full of stripes, then the means of 4, of 16 and of 64 such targets; the last looks almost like the truth](../docs/18_learning_from_noisy_data.png)
#
# Nearly all networks so far were shown the truth: images from scans that took their full time. (RAKI of chapter 12 had the
# full lines around the centre instead.) For a beating heart, a flowing river of blood or a restless child there is no such
# scan. **Can one learn without ever seeing a clean image?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **derive** why the mean of noisy targets is as good a teacher as the truth (exercise 1, quiz 1),
# 2. **say** what breaks this: shared noise, one mask for all, magnitudes (exercise 2, the slider, quiz 2),
# 3. **train** a network on undersampled scans alone, and compare it with a twin that sees the truth (project),
# 4. **find** sparse codes and renew a dictionary by hand (exercises 3 and 4, quiz 3),
# 5. **learn** a dictionary from the scan that it is to reconstruct, and ask what that was worth (exercise 5, quiz 4),
# 6. **break** all of them (quiz 5).
#
# **You need** chapters 03 (coils), 05 (compressed sensing) and 06 (training). Chapter 15 helps. **Time**: about 90
# minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display

import course_lib as c
from course_lib import blocks, losses, ops
from course_lib.methods import Reconstructor
from course_lib.methods.base import combine
from course_lib.ops import Patches, fft2c, ifft2c
from course_lib.sampling import deal, protocol
from course_lib.scores import table
from course_lib.solve import shifted_inverse
from course_lib.solve.dictionary import cosines, learn
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (1.5, 1), "cpu": (18, 3), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y$, $M$, $A$ | measured k-space, 0 elsewhere; the mask; the forward model | `y`, `mask`, `A` |
# > | $y_1$, $y_2$ | two *looks*: the acquired lines, dealt out in two | `first`, `mask - first` |
# > | $w$ | what a line of the second look weighs | `weight` |
# > | $t$ | a target: what the loss compares with | `target` |
# > | $P$, $p$ | patches, as rows; one patch | `P`, `p` |
# > | $D$, $d$ | a dictionary; an atom, one of its columns, of length 1 | `D`, `d` |
# > | $C$ | codes: which atoms, and how much of each, make a patch; mostly 0 | `C` |

# %%
quiz.choice(
    "From chapter 06: of many numbers t, which x has the smallest mean squared distance |x - t|^2?",
    right={"their mean": "The gradient is 2 (x - mean of t)."},
    wrong={
        "their median": "That has the smallest mean distance |x - t|, without the square.",
        "the most frequent one": "The squares of all distances count, not how many are 0.",
    },
)

# %% [markdown]
# Keep this in mind: it is all that this chapter's first half needs.

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by
# subject: the test person was never seen in training, and nothing is trained on the real scan. Each training sample
# also holds the truth; we shall not look at it.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True, strip=where.strip)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
sample, full = test[len(test) // 2], test.prepared(len(test) // 2)
height, width = sample.image.shape[-2:]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
print(f"R = {R}; {round(0.08 * width)} of {width} lines, the centre, are always acquired; the others by chance")

# %% [markdown]
# > **Predict 1.** A network is shown a noisy image and asked for *another noisy image* of the same head, never for the
# > clean one. With the squared error as its loss, what will it learn to draw? And with *the same* noisy image as
# > target?

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
few = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), few, [0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
lam = c.tune(lambda v: c.build("cs_wavelet", lam=v), few, [0.0005, 0.001, 0.002, 0.004])
wavelet = c.build("cs_wavelet", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
print(f"tuned on {len(few)} validation slices: TV lambda = {tv.lam}, wavelets lambda = {wavelet.lam}")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# The zero-filled image is what we have; asking a network for it teaches it to do nothing: input and target are the
# same. TV and wavelets (chapter 05) need no truth either, only a $\lambda$. They are the marks to beat.

# %% [markdown]
# ## Why a noisy target will do
#
# Let $x$ be the truth, $t = x + n$ a target with noise $n$, and $f$ what a network makes of its input. Then
#
# $$|f - t|^2 = |f - x|^2 \;-\; 2\,\mathrm{Re}\,\overline{(f - x)}\,n \;+\; |n|^2.$$
#
# Take the mean over the noise. The last term is a number that no weight changes. The middle one is 0 if $n$ has mean 0
# *for every input of the network*, which it has when the noise of the target knows nothing of the input's. What remains
# is the loss with the clean target. So the gradient is right **on average**, and training takes averages. That is
# Noise2Noise (Lehtinen et al. 2018): two noisy copies, one as input, one as target. (So much for Predict 1. With the *same*
# image as target the noise knows the input, and the network learns to copy it.)
#
# "Noise" may be anything with mean 0. Missing lines are not: a missing line is 0, always too small. But we can *make*
# it so. Deal the acquired lines out in two looks. Of $W$ lines the first look has $n_1$; of the $W - n_1$ others $n_2$
# happen to be in the second. A line that is there must stand for those that are not:
#
# $$k_t = y_1 + w\,y_2, \qquad w = \frac{W - n_1}{n_2}.$$
#
# Whatever the first look holds, the mean of $k_t$ over all second looks is the full k-space, if the lines were drawn
# alike, each with the same chance.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `whole(y, mask, first)`: the k-space $y_1 + w\,y_2$, (batch, coil, height, width). `mask` and `first` (batch,
# > 1, 1, width) are 1 where a line was acquired, and where it is in the first look. Each scan of the batch has its own
# > $w$.
# >
# > <details><summary>Hint 1</summary>$n_1$ is `first.sum(-1, keepdim=True)`; the second look is `mask - first`.</details>
# > <details><summary>Hint 2</summary>The first look is not weighed: its lines are known.</details>
# > <details><summary>Hint 3</summary>`first * y + weight * (mask - first) * y`.</details>


# %%
def whole(y, mask, first):
    """K-space that on average over all second looks is the full one, (batch, coil, height, width)."""
    #: solution
    second = mask - first
    weight = (y.shape[-1] - first.sum(-1, keepdim=True)) / second.sum(-1, keepdim=True)
    return first * y + weight * second * y
    #: end


check.ch18_whole(whole)

# %%
whole = use(whole, check.ch18_whole)

# %% [markdown] tags=["solution"]
# **Analysis.** The weight is the inverse of a chance. Survey statisticians call it the Horvitz-Thompson estimator: whom
# you reach with a chance of one tenth stands for ten. It is unbiased, and it is noisy: that is the price.

# %% [markdown]
# Does it work? We play the scanner: from one slice, measured in full, draw mask after mask, deal each out, and take the
# mean of the images. (A network never sees many looks at one head; it sees one each of many heads, and its weights take
# the mean.)


# %%
def looks(count, masks, share=0.5):
    """`count` targets of one slice, (count, height, width), in units of its largest magnitude."""
    k, found = full.kspace / full.image.abs().max(), []
    for seed in range(count):
        mask = masks(width, seed)
        first = deal(mask, share).first
        look = whole(k * mask, mask, first) if (mask > first).any() else k * first  # by chance nothing may be left
        found.append((full.maps.conj() * ifft2c(look)).sum(1))
    return torch.cat(found)


truth = (full.maps.conj() * ifft2c(full.kspace)).sum(1) / full.image.abs().max()
targets = looks(256 if where.name != "ci" else 128, protocol(R))
one_mask = looks(len(targets), lambda width, seed: protocol(R)(width, 0))


def off(x):
    """Relative error of an image."""
    return ((x - truth).norm() / truth.norm()).item()


for count in (1, 4, 16, 64):
    print(f"mean of {count:3} targets: error {off(targets[:count].mean(0, keepdim=True)):.2f}")
assert off(targets.mean(0, keepdim=True)) < 0.5 * off(targets[:16].mean(0, keepdim=True))


# %%
def mean_of(count):
    """The mean of so many targets: each with a mask of its own, or all with one mask."""
    several, same = (t[:count].mean(0, keepdim=True) for t in (targets, one_mask))
    words = f"Mean of {count}: error {off(several):.2f} with a new mask each time, {off(same):.2f} with one mask."
    return figures.images({"a new mask each time": several, "one mask": same}, truth=truth, error_limit=0.5).saying(
        words
    )


mean_of(1)

# %%
mean_of(64)

# %% [markdown]
# The slider answers: how many bad images make a good one, and what if everybody has the same mask?

# %%
slider("targets", mean_of, (1, 2, 4, 8, 16, 32, 64, len(targets)))

# %% [markdown]
# With a new mask each time the error falls like $1/\sqrt{\text{count}}$, or faster. With one mask it does not fall: `deal`
# deals the same mask out in the same way each time, so here all targets are alike. And however it were dealt, the lines
# that *nobody* ever acquires would be missing in every target, and no mean brings them back. Many scans of different people
# with one mask are no better.

# %% [markdown]
# ## What breaks it
#
# Three assumptions: the squared error, noise with mean 0, noise that the input does not know. We leave the network away
# and ask what a loss *wants*: the image with the smallest mean loss to all targets. For $\ell_2$ it is their mean; for
# $\ell_1$ a median, found by weighing each target with the inverse of its distance, again and again.


# %%
def median(targets, iterations=20):
    """The image with the smallest mean |x - t| in each pixel (Weiszfeld's algorithm)."""
    x = targets.mean(0, keepdim=True)
    for _ in range(iterations):
        weight = 1 / (targets - x).abs().clamp_min(1e-4)
        x = (weight * targets).sum(0, keepdim=True) / weight.sum(0, keepdim=True)
    return x


sigma, rng = 0.15, torch.Generator().manual_seed(0)  # of the real and of the imaginary part


def white(count):
    return 2**0.5 * sigma * torch.randn(count, height, width, dtype=torch.complex64, generator=rng)


mine = white(1)  # the noise of the network's input
noise = white(128)
spikes = (torch.rand(noise.shape, generator=rng) < 0.1) * 3.0
kinds = {
    "white noise": truth + noise,
    "half of the input's noise in it": truth + 0.5 * mine + 0.75**0.5 * noise,
    "spikes in a tenth of the pixels": truth + spikes,
    "magnitude of white noise": (truth + noise).abs() + 0j,
}
print(f"{'error of what the loss wants':36}{'squared':>9}{'l1':>9}")
for name, t in kinds.items():
    reference = truth if "magnitude" not in name else truth.abs() + 0j
    errors = [((x - reference).norm() / truth.norm()).item() for x in (t.mean(0, keepdim=True), median(t))]
    print(f"{name:36}{errors[0]:9.3f}{errors[1]:9.3f}")

# %% [markdown]
# - **White noise**: both losses want the truth, up to what a mean of 128 leaves.
# - **Shared noise**: they want the truth *plus the part of the noise that the input can tell*. The network learns to
#   leave it in.
# - **Spikes** are never negative, so their mean is not 0: the squared error wants a haze over everything. A median
#   forgives what is wrong in fewer than half of the targets. So $\ell_1$ is no mistake in itself; it wants another
#   thing.
# - **Magnitudes**: noise is complex and has mean 0. Its magnitude has not. Where there is no signal a magnitude is
#   still positive: the mean is a grey haze, whatever the loss. This is *Rician* noise, and the surprise is how harmless
#   it looks: who trains on the magnitude images that scanners store trains on biased targets.
#
# > **Exercise 2** · core · 10 minutes · importance ★★☆
# >
# > Square it, and it can be mended: the mean of $|x + n|^2$ is $|x|^2$ plus the energy of the noise. Write
# > `magnitude(looks, sigma)`: an estimate of $|x|$, (height, width), from magnitudes `looks` (count, height, width) of
# > images whose noise has the standard deviation `sigma` in its real part and the same in its imaginary part.
# >
# > <details><summary>Hint 1</summary>Mean of the squares first, then take the noise's energy away, then the root.</details>
# > <details><summary>Hint 2</summary>Two parts, each with $\sigma^2$.</details>
# > <details><summary>Hint 3</summary>By chance the difference may be negative, and its root no number:
# > `.clamp_min(0)`.</details>


# %%
def magnitude(looks, sigma):
    """The magnitude (height, width) without the bias of noise, from several noisy magnitudes."""
    #: solution
    return (looks.square().mean(0) - 2 * sigma**2).clamp_min(0).sqrt()
    #: end


check.ch18_magnitude(magnitude)

# %%
magnitude = use(magnitude, check.ch18_magnitude)
magnitudes = kinds["magnitude of white noise"].abs()
plain, mended = magnitudes.mean(0, keepdim=True), magnitude(magnitudes, sigma)[None]
dark = truth.abs() < 0.02
print(f"where it should be dark: mean {plain[dark].mean():.3f}, mended {mended[dark].mean():.3f}")
print(f"the formula for the haze, sigma sqrt(pi / 2): {sigma * (torch.pi / 2) ** 0.5:.3f}")
assert mended[dark].mean() < 0.6 * plain[dark].mean()
figures.images({"one look": magnitudes[:1] + 0j, "mean": plain + 0j, "mended": mended + 0j}, truth=truth)

# %% [markdown] tags=["solution"]
# **Analysis.** The root of something unbiased is not unbiased: what is left where it is dark comes from the clamp. And
# the trick needs $\sigma$. Better not to take the magnitude at all, as this course does: complex noise has mean 0.

# %% [markdown]
# ## Noise2Noise for MRI
#
# Now the network. A U-Net looks at the image that the first look gives; the data are put back by the solver of chapter
# 15; the target is `whole`. The paper deals with one coil, so putting the data back is exchanging samples there;
# `c.card("noise2noise").differs` lists what else differs. `deal` deals the lines out and knows $w$; the class is the
# library's, line by line:


# %% tags=["same:course_lib.methods.unsupervised.noise2noise.Noise2Noise"]
class MyNoise2Noise(Reconstructor):
    def __init__(self, width=32, depth=4, lam=0.01, share=0.6, centre=0.08):
        super().__init__()
        self.lam, self.share, self.centre = lam, share, centre
        self.f = blocks.OnComplex(blocks.UNet(width=width, depth=depth).silent())

    def forward(self, y, A):
        AHy, lam = A.H(y), torch.tensor(self.lam, device=y.device)
        solve = shifted_inverse(A, lam)
        x0 = solve(AHy, None)
        z = x0 + self.f(x0)
        return solve(AHy + lam * z, z)

    def loss(self, sample):
        looks = deal(sample.mask, self.share, self.centre)
        target = combine(looks.whole * sample.kspace, sample.A)
        x = self(looks.first * sample.kspace, ops.Sense(looks.first, sample.maps))
        return losses.mse(x, target)


# %% [markdown]
# `sample.image` does not occur. What the network is shown, and what it is asked for:

# %%
dealt = deal(sample.mask, 0.6)
first = ops.Sense(dealt.first, sample.maps)
mine = whole(sample.kspace, sample.mask, dealt.first)
assert torch.allclose(mine, dealt.whole * sample.kspace)
figures.images(
    {
        "input": shifted_inverse(first, torch.tensor(0.01))(first.H(sample.kspace), None),
        "target": combine(mine, sample.A),
        "never shown": sample.image,
    },
    window=(0, float(sample.image.abs().quantile(0.995))),
)

# %% [markdown]
# The target looks far worse than the input. On average it is the truth.
#
# Its twin is the same network, with the same input, but the truth as target:


# %%
class Twin(MyNoise2Noise):
    def loss(self, sample):
        looks = deal(sample.mask, self.share, self.centre)
        x = self(looks.first * sample.kspace, ops.Sense(looks.first, sample.maps))
        return losses.mse(x, sample.image)


# %% [markdown]
# ### The same mean, less noise
#
# A third one. The target's stripes are noise that we made ourselves, by comparing lines that are *not there* with 0.
# Compare only those that are there, with the same weights:
#
# $$\sum_{k} w_k\, M_k\, |(FSx)_k - y_k|^2 .$$
#
# Its gradient has the same mean: a line that is there with the chance $1/w$ counts $w$ times. But where the network is
# right, this loss has no gradient at all, whatever the mask.


# %%
class OnLines(MyNoise2Noise):
    def loss(self, sample):
        looks = deal(sample.mask, self.share, self.centre)
        x = self(looks.first * sample.kspace, ops.Sense(looks.first, sample.maps))
        error = (fft2c(sample.maps * x[:, None]) - sample.kspace).abs() ** 2
        return (looks.whole * error).sum(1).mean()


# %% [markdown]
# No network is needed to see the difference. Where does each loss pull an image $x$, mask by mask, and how much do
# these pulls scatter about their mean? First for a black image, then for one that is nearly right:

# %%
k_full = full.kspace / full.image.abs().max()


def pulls(x, count=32):
    """Minus the gradient of both losses for so many masks: {loss: (count, height, width)}, up to a factor."""
    weights = [deal(protocol(R)(width, seed), 0.5).whole for seed in range(count)]
    missed = k_full - fft2c(full.maps * x[:, None])
    on_lines = [(full.maps.conj() * ifft2c(w * missed)).sum(1) for w in weights]
    return {"target an image": targets[:count] - x, "only lines that are there": torch.cat(on_lines)}


scatter = {}
for part in (0.0, 0.9):
    for name, pull in pulls(part * truth).items():
        mean = pull.mean(0, keepdim=True)
        scatter[part, name] = ((pull - mean).abs().square().sum((1, 2)).mean().sqrt() / mean.norm()).item()
        print(f"{part:.0%} of the truth, {name:26} scatter over mean {scatter[part, name]:.1f}")
assert scatter[0.9, "target an image"] > 2 * scatter[0.9, "only lines that are there"]

# %% [markdown]
# On average both pull to the truth. Far away they stagger alike. Near by, the target with stripes pulls hither and
# thither as hard as ever, and what it asks on average is lost in it.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# From one scan with one mask it cannot learn the truth. But it must be able to come close to its target: the loss on
# lines must fall at least tenfold.

# %%
torch.manual_seed(0)
one = c.data.slices("train", protocol(R), size=(32, 32))[0]
probe = OnLines(width=16, depth=2, lam=0.3)
optimiser, values = torch.optim.Adam(probe.parameters(), lr=5e-3), []
for _ in range(80):
    optimiser.zero_grad()
    loss = probe.loss(one)
    loss.backward()
    optimiser.step()
    values.append(loss.item())
print(f"loss {values[0]:.2e} -> {values[-1]:.2e}, {values[0] / values[-1]:.0f} times lower")
assert values[-1] < values[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** Three networks, the same seconds: the target an image with stripes, the lines that are there, the
# > truth. Which order on the test person? How far apart? Write it down.

# %%
small, networks = c.card("noise2noise").small, {}
for name, cls in {"Noise2Noise": MyNoise2Noise, "on lines": OnLines, "clean twin": Twin}.items():
    torch.manual_seed(0)
    networks[name] = cls(**small)
    run = c.fit(networks[name], train, validation, seconds, checks=checks, batch=where.batch)
    print(f"{name}: {run.steps} steps, {sum(p.numel() for p in networks[name].parameters()):,} parameters")
    display(figures.curves(run, {"tuned TV": baseline}))

# %% [markdown]
# Note the losses: those of Noise2Noise cannot fall below the noise of their targets. A loss that stays high is no sign
# of failure here, and the validation PSNR, which does look at truths, would not be there in real use: without any truth
# one has to stop by the loss on lines of validation scans.

# %% [markdown]
# ## A dictionary from the scan itself
#
# The second way to learn without a truth needs no other scans at all. Wavelets (chapter 05) were sparse for *all*
# images. Could the scan tell which building blocks suit *it*? Cut the image into patches of 6 x 6 pixels and ask that
# each be a sum of a few *atoms* out of a dictionary $D$, and that $D$ be found along with the image: **blind compressed
# sensing** (Ravishankar & Bresler 2011).
#
# $$\min_{x, D, C}\; \lVert Ax-y\rVert^2 + \tfrac{\lambda}{p}\lVert P(x) - C D^T\rVert^2, \qquad
# \text{at most } s \text{ non-zero numbers in each row of } C.$$
#
# ($P(x)$ cuts out the patches; in the fraction, $p$ is the number of patches in which a pixel lies.) Three things in turn,
# each with the other two fixed. First the codes $C$. The best choice of $s$ atoms of 36 is a search without end;
# *orthogonal matching pursuit* is greedy and takes one atom at a time, the best at the moment:
#
# 1. the residual is the patch itself;
# 2. choose the atom with the largest $|\langle d, r\rangle|$;
# 3. fit the numbers of **all** chosen atoms to the patch anew, by least squares; the residual is what is left; go to 2.
#
# > **Exercise 3** · core · 20 minutes · importance ★★★
# >
# > Write `pursue(P, D, atoms)`: codes (patch, number of columns of `D`), complex, with `atoms` numbers in each row,
# > from patches `P` (patch, pixel) and unit atoms `D` (pixel, column). A loop over patches is fine.
# >
# > <details><summary>Hint 1</summary>`scores = (D.mH @ r).abs()` for one residual `r` (pixel,).</details>
# > <details><summary>Hint 2</summary>`S = D[:, chosen]`, then `torch.linalg.lstsq(S, p[:, None]).solution[:, 0]`.</details>
# > <details><summary>Hint 3</summary>The residual is always that of the patch: `p - S @ numbers`. It is orthogonal to what
# > was chosen, so nothing is chosen twice.</details>


# %%
def pursue(P, D, atoms):
    """Codes (patch, column of D) of orthogonal matching pursuit."""
    #: solution
    C = torch.zeros(len(P), D.shape[1], dtype=P.dtype)
    for row, p in zip(C, P):
        r, chosen = p, []
        for _ in range(atoms):
            chosen.append(int((D.mH @ r).abs().argmax()))
            S = D[:, chosen]
            numbers = torch.linalg.lstsq(S, p[:, None]).solution[:, 0]
            r = p - S @ numbers
        row[chosen] = numbers
    return C
    #: end


check.ch18_pursue(pursue)

# %%
pursue = use(pursue, check.ch18_pursue)

# %% [markdown] tags=["solution"]
# **Analysis.** The library does all patches at once, and keeps the residual orthogonal by Gram and Schmidt instead of a
# new fit in each round. It also stops early: where a patch is fitted to within a tolerance, as in the dark, no more
# atoms are spent on noise. That tolerance does here what $\lambda$ does for TV, and it will be tuned.

# %% [markdown]
# > **Exercise 4** · core · 15 minutes · importance ★★☆
# >
# > Then the dictionary. **K-SVD** renews one atom at a time. Take the patches that use atom $j$; subtract what all
# > *other* atoms give them; what is left, $E$ (a row for each patch), should be $g\,d^T$: numbers times the atom. The
# > best such $g$ and $d$ are the first singular vectors of $E$.
# >
# > Write `renew(P, D, C, j)`: the new atom (pixel,), of length 1, and its numbers (patch,), 0 for patches that do not
# > use it.
# >
# > <details><summary>Hint 1</summary>`E = P - C @ D.T` leaves out what atom $j$ itself gave; put it back: `+ torch.outer(C[:,
# > j], D[:, j])`.</details>
# > <details><summary>Hint 2</summary>`u, s, vh = torch.linalg.svd(E, full_matrices=False)`: $E = u\,\mathrm{diag}(s)\,v^H$;
# > the first row of `vh` is $d$, as it stands.</details>
# > <details><summary>Hint 3</summary>Rows of patches that do not use the atom: set them to 0 before the SVD, then their
# > numbers come out 0.</details>


# %%
def renew(P, D, C, j):
    """The atom j (pixel,) that suits the patches using it best, and its numbers (patch,)."""
    #: solution
    E = P - C @ D.T + torch.outer(C[:, j], D[:, j])
    E = E * (C[:, j] != 0)[:, None]
    u, s, vh = torch.linalg.svd(E, full_matrices=False)
    return vh[0], s[0] * u[:, 0]
    #: end


check.ch18_renew(renew)

# %%
renew = use(renew, check.ch18_renew)
R6 = Patches((height, width), 6, 4)
P = R6(sample.image)[0]
P = P[P.norm(dim=1) > 0.3][:400]
D = cosines(6, 36).to(P)
print(f"{len(P)} patches; error with cosines {(P - pursue(P, D, 3) @ D.T).norm() / P.norm():.3f}")
for _ in range(2):
    C = pursue(P, D, 3)
    for j in range(36):
        if C[:, j].any():
            D[:, j], C[:, j] = renew(P, D, C, j)
    print(f"after each atom was renewed: {(P - pursue(P, D, 3) @ D.T).norm() / P.norm():.3f}")

# %% [markdown] tags=["solution"]
# **Analysis.** Neither step alone can make the error larger when the codes keep their places; together they find a
# dictionary, not *the* dictionary: the problem is not convex, and another start gives other atoms.

# %% [markdown]
# Third, the image: with the fitted patches put back where they lay, and the mean $z$ taken of those that overlap, it is
# the solver of chapter 15 again. The class is the library's; `learn` is your two steps:


# %% tags=["same:course_lib.methods.unsupervised.dictionary_learning.DictionaryLearning"]
class MyDictionary(Reconstructor):
    def __init__(self, patch=6, atoms=36, sparsity=5, tolerance=0.08, lam=0.02, stride=1, iterations=20, updates=1):
        super().__init__()
        self.patch, self.atoms, self.sparsity, self.tolerance = patch, atoms, sparsity, tolerance
        self.lam, self.stride, self.iterations, self.updates = lam, stride, iterations, updates

    def forward(self, y, A):
        AHy, lam = A.H(y), torch.tensor(self.lam, device=y.device)
        solve = shifted_inverse(A, lam)
        x, R = solve(AHy, None), Patches((AHy.shape[-2], AHy.shape[-1]), self.patch, self.stride)
        cover = R.cover().to(y.device)
        D = [cosines(self.patch, self.atoms).to(AHy)] * len(x)  # one for each sample
        for _ in range(self.iterations):
            P = R(x).flatten(1, -2)
            D, C = zip(*[learn(p, d, self.sparsity, self.tolerance, self.updates) for p, d in zip(P, D)])
            fitted = torch.stack([c @ d.T for c, d in zip(C, D)])
            z = R.H(fitted.reshape(*x.shape[:-2], -1, self.patch**2)) / cover
            x = solve(AHy + lam * z, z)
        return x


# %% [markdown]
# Its tolerance is tuned like TV's $\lambda$, on other people's scans; otherwise nothing is trained before the scan
# comes.

# %%
settings = c.card("dictionary_learning").small
tolerance = c.tune(lambda v: MyDictionary(**settings, tolerance=v), few[:3], [0.04, 0.06, 0.08, 0.1, 0.13])
dictionary = MyDictionary(**settings, tolerance=tolerance)
fixed = MyDictionary(**settings, tolerance=tolerance, updates=0)
print(f"tolerance {tolerance}; every second patch in each direction, {settings['iterations']} iterations")
found = dictionary(sample.kspace, sample.A)
P = Patches((height, width), 6, 2)(found)[0]
D, C = learn(P, cosines(6, 36).to(P), 5, tolerance, updates=4)


def tiles(D):
    """The 36 atoms as one picture; the phase that an atom may have is turned so that its largest pixel is positive."""
    largest = D.gather(0, D.abs().argmax(0, keepdim=True))
    atoms = (D * largest.conj() / largest.abs()).real.T.reshape(6, 6, 6, 6)
    return torch.nn.functional.pad(atoms, (0, 1, 0, 1), value=-0.4).permute(0, 2, 1, 3).reshape(42, 42)


figures.heat({"cosines": tiles(cosines(6, 36)), "learned from this slice": tiles(D)}, "value", (-0.5, 0.5))

# %% [markdown]
# The cosines are alike for all images. The learned atoms have edges at odd angles and small details: they look like
# pieces of this head.

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to tuned TV, and its 95 % interval over slices. *Cosine patches* is the same
# method with its dictionary left as it was.

# %%
methods = {"zero-filled": zero_filled, "tuned wavelets": wavelet, "tuned TV": tv}
methods |= {"cosine patches": fixed, "dictionary": dictionary} | networks
tables = {}
for name, slices in {"unseen simulated subject": test, "real scan": real}.items():
    some = [slices[i] for i in range(0, len(slices), 2)]
    tables[name] = {method: c.evaluate(model, some) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
for name in ("Noise2Noise", "on lines", "clean twin", "dictionary"):
    assert unseen[name].mean("psnr") > unseen["zero-filled"].mean("psnr")

# %% [markdown]
# Read it in three steps.
#
# - *Truth or no truth?* Compare the three networks. The theory says where they are going, not that they walk equally
#   fast: in so few steps the truth is the better teacher, since all others stagger. Near the goal the loss on lines
#   should have the steadier step; a few seconds do not get there (the project does). For plain noise, with equal steps,
#   `python -m course_lib experiments 54` asks whether the difference lies within 0.2 dB.
# - *Fixed or learned?* Compare the dictionary with cosine patches, then with wavelets and TV: learning the atoms is one
#   thing, beating a good fixed penalty another (`python -m course_lib experiments 57`).
# - *Networks or TV?* One U-Net trained for seconds against a method that solves a problem to its end. Chapter 15's
#   cascades are the stronger networks; the losses of this chapter would train them just as well.

# %%
order = unseen["on lines"].values["psnr"].argsort()
for word, index in {"worst": order[0], "best": order[-1]}.items():
    picked = test[2 * int(index)]
    names = ("tuned TV", "dictionary", "Noise2Noise", "on lines", "clean twin")
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in names}
    print(f"{word} slice for the network trained on lines")
    display(figures.images(panels, truth=picked.image, zoom=(height // 4, width // 3, height // 4, width // 4)))

# %% [markdown]
# > **Exercise 5** · stretch · 15 minutes · importance ★★☆
# >
# > How much freedom should a dictionary have? **Predict** the PSNR on two test slices for `sparsity` 1, 5 and 36 with
# > `tolerance=0`: one atom a patch, five, all of them. Which of the three is no constraint at all? Measure with
# > `MyDictionary(**settings, sparsity=..., tolerance=0.0)`. (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>36 atoms can make any patch of 36 pixels: then $z = x$. What is left of the
# > iteration?</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
pair = [test[0], test[len(test) // 2]]
for sparsity in (1, 5, 36):
    quick = settings | {"stride": 3, "iterations": 3, "updates": 0 if sparsity == 36 else 1}
    score = c.evaluate(MyDictionary(**quick, sparsity=sparsity, tolerance=0.0), pair)
    print(f"{sparsity:3} atoms a patch: PSNR {score.mean('psnr'):.2f} dB in {quick['iterations']} iterations")
print(f"tuned TV:         PSNR {c.evaluate(tv, pair).mean('psnr'):.2f} dB")

# %% [markdown] tags=["solution"]
# With 36 atoms nothing is asked of the image: the iteration is SENSE, solved more and more exactly, noise and all. With
# one it is a mosaic. In between lies the prior; and its strength is chosen by us, not learned: "blind" concerns the
# atoms alone.

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, random lines, the noise of our simulation, right coil maps. The dictionary saw nothing, but
# its tolerance was tuned on such scans. Take each away.

# %%
broken_full = test.prepared(2 * int(order[len(order) // 2]))


def broken(kspace=broken_full.kspace, maps=broken_full.maps, draw=None):
    mask = (draw or protocol(R))(kspace.shape[-1], 1)
    return c.data.undersample(kspace, maps, mask, broken_full.image)


corner = broken_full.kspace[..., :8, :8].std()  # hardly any signal there
extra = torch.randn(broken_full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(draw=protocol(2)),
    "R = 8": broken(draw=protocol(8)),
    "every fourth line": broken(draw=protocol(R, rule=c.sampling.equispaced)),
    "3 times the noise": broken(broken_full.kspace + 8**0.5 * corner * extra),
    "maps shifted by 3 pixels": broken(maps=broken_full.maps.roll(3, -1)),
}
shown, psnr = ("zero-filled", "tuned TV", "dictionary", "Noise2Noise", "on lines", "clean twin"), {}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>13}" for name in shown))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = {name: c.metrics.psnr(methods[name](s.kspace, s.A), s.image).item() for name in shown}
    print(f"{case:26}" + "".join(f"{value:13.2f}" for value in psnr[case].values()))
assert all(psnr["R = 8"][name] < psnr["as trained"][name] < psnr["R = 2"][name] for name in shown)

# %% [markdown]
# The networks go up and down together, with a truth in training or without: not having seen a truth does not make a
# network more careful, it has learned the same thing from worse targets. Three times the noise hurts most what solves for
# the data with a small weight for everything else: TV with its tuned $\lambda$, and the networks' solver. The dictionary,
# which keeps only what a few atoms explain, holds up better.

# %% [markdown]
# ## What the number hides
#
# - **The noise that stays.** The lines of the first look are in the target too, with the *same* noise: shared noise,
#   and nobody asked the network to remove it. Chapter 19 takes the lines of the loss away from the input entirely.
# - "No truth" does not mean no assumptions: lines drawn alike, masks that change, complex data, the centre known.
# - We chose learning rate, seconds and the best weights with validation *truths*. That is a clean image after all.
# - Our truths have noise themselves: all numbers here are against a noisy reference.
# - The dictionary is learned anew for each slice, in the time that the table shows.
# - One training run each. The intervals are over slices; they do not hold what another seed would change.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Why may the target of Noise2Noise be noisy?",
    right={"its noise has mean 0, whatever the input": "So the gradient of the squared error is right on average."},
    wrong={
        "the network is too small to learn noise": "No network can predict what its input does not know.",
        "the noise is small": "It may be larger than the signal; it only takes longer.",
    },
)

# %%
quiz.choice(
    "2. All scans of a hospital use one and the same mask. Noise2Noise, trained on them, with two looks at each scan:",
    right={
        "never learns the lines that no scan has": "They are missing in every target; their chance is 0, no weight helps."
    },
    wrong={
        "works, if there are enough people": "More people do not acquire more lines.",
        "works, if the weights are chosen well": "What is 0 stays 0, whatever its weight.",
    },
)

# %%
quiz.choice(
    "3. Orthogonal matching pursuit fits all numbers anew when it adds an atom. Why?",
    right={"atoms are not orthogonal": "A new atom takes over a part of what the others gave."},
    wrong={
        "to save time": "It costs time; plain matching pursuit does not do it.",
        "to make the codes sparser": "There are as many numbers either way.",
    },
)

# %%
quiz.choice(
    "4. What does 'blind' mean in blind compressed sensing?",
    right={"the transform is not known beforehand": "It is learned from the undersampled scan itself."},
    wrong={
        "the mask is not known": "The mask is as known as ever.",
        "nobody has seen the truth": "That holds for TV as well.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
half = deal(test[0].mask, 0.5)
quiz.number(
    "5. Deal out the mask of test[0] with `deal(mask, 0.5)`. What does a line of the second look weigh in the target?",
    half.weight.item(),
    "The lines that the first look lacks, over those that the second has.",
    near={
        1 / half.weight.item(): "That is the chance; the weight is its inverse.",
        width / half.second.sum().item(): "That counts the lines of the first look too; they are not missing.",
        deal(test[0].mask, 0.6).weight.item(): "That is for a share of 0.6.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **derived** why noisy targets do, in one line, and **made** missing lines into noise with mean 0.
# - You **saw** what breaks it: shared noise, one mask for all, magnitudes; and **mended** magnitudes.
# - You **trained** a network without a truth beside its twin, and saw that an unbiased target may still be a slow
#   teacher.
# - You **wrote** orthogonal matching pursuit and the step of K-SVD.
# - You **learned** a dictionary from the scan itself, and measured what learning added to cosines, wavelets and TV.
# - You **broke** them: the same way as networks that have seen the truth.
#
# Next: chapter 19 trains unrolled networks on their own data.

# %% [markdown]
# ## From text to source

# %%
print(c.show("dictionary_learning", source=False, verify=False))

# %% [markdown]
# `c.show("noise2noise")` shows the source and tests every claim here and now. A test of the course puts NaN in the
# place of every truth, trains, and looks whether the weights stay numbers.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils; the defaults of `c.build` are the papers' sizes as far as we
# know them. What does each cost here?

# %%
measured = train[0]
print(f"{'':34}{'parameters':>12}{'seconds':>10}")
for name, choice in {"small": small, "library's default": {}}.items():
    model = c.build("noise2noise", **choice)
    start = time.perf_counter()
    model.loss(measured).backward()
    print(f"{'Noise2Noise, ' + name:34}{sum(p.numel() for p in model.parameters()):12,}", end="")
    print(f"{time.perf_counter() - start:10.2f}  a step on a strip")
start = time.perf_counter()
MyDictionary(iterations=1, tolerance=tolerance)(sample.kspace, sample.A)
print(f"{'dictionary, every patch':34}{36 * 36:12,}{time.perf_counter() - start:10.2f}  an iteration on a slice")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > How fast do the three teachers work? Train Noise2Noise, the loss on lines and the twin for 1, 2, 4 and 8 times the
# > seconds of this chapter, and find out whether they meet.
# >
# > | points | for |
# > |---|---|
# > | 3 | one figure: validation PSNR against seconds for the three, at least two seeds each |
# > | 2 | an equivalence test: the whole interval within a margin fixed beforehand, on the unseen person and the real scan |
# > | 2 | one ablation: the share of the first look, or larger batches for the noisier loss |
# > | 2 | stopping without a truth: choose the weights by the loss on lines of validation scans, and say what it costs |
# > | 1 | a case that breaks the loss on lines but not its twin, and why |
# >
# > <details><summary>Hint 1</summary>`c.fit(..., save_to=...)` goes on where it was stopped, with the schedule of the new
# > seconds.</details>
# > <details><summary>Hint 2</summary>`experiments/noisy.py` of the library has an equivalence test.</details>

# %% [markdown]
# ## References
#
# - Lehtinen J et al. Noise2Noise: learning image restoration without clean data. *ICML* 2018,
#   [arXiv:1803.04189](https://arxiv.org/abs/1803.04189)
# - Ravishankar S, Bresler Y. MR image reconstruction from highly undersampled k-space data by dictionary learning.
#   *IEEE Trans Med Imaging* 2011. [doi:10.1109/TMI.2010.2090538](https://doi.org/10.1109/TMI.2010.2090538)
# - Aharon M, Elad M, Bruckstein A. K-SVD: an algorithm for designing overcomplete dictionaries for sparse
#   representation. *IEEE Trans Signal Process* 2006.
#   [doi:10.1109/TSP.2006.881199](https://doi.org/10.1109/TSP.2006.881199)
# - Gudbjartsson H, Patz S. The Rician distribution of noisy MRI data. *Magn Reson Med* 1995.
#   [doi:10.1002/mrm.1910340618](https://doi.org/10.1002/mrm.1910340618)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 3.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
