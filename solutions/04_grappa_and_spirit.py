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
# # 04 GRAPPA and SPIRiT
#
# ![A real brain scan in which every third line was measured. Left: zeros in the gaps, three heads lie on each other.
# Middle: the gaps filled by GRAPPA, one head, a little grainy. Right: all lines.](../docs/04_grappa_and_spirit.png)
#
# The middle image was made without any coil map. Besides every third line it has 24 lines in the centre of k-space.
# They show how a sample follows from its neighbours, and with that knowledge all gaps were filled with guesses. **Why
# can a number that was never measured be guessed from the numbers around it?**

# %% [markdown]
# ## What you can do at the end
#
# 1. **Explain** why smooth coils make neighbouring k-space samples predict each other (section 1, question 1).
# 2. **Fit** GRAPPA's weights by least squares and **fill** the gaps with them, in 15 lines (exercises 1 to 3).
# 3. **Tune** kernel and ridge on validation data (section 4, the slider).
# 4. **Measure** the noise of GRAPPA and compare it with SENSE's $g$-factor (section 5, question 4).
# 5. **Predict** where GRAPPA fails: high $R$, few calibration lines, irregular masks (section 6, question 2).
# 6. **Solve** for all missing samples at once with SPIRiT, for any mask (exercises 4 and 5), and **judge** all of it
#    on an unseen subject and a real scan (section 8).
#
# **You need** least squares and chapter 03 (coils, SENSE, $g$-factor). **Time**: about 70 minutes of reading and
# thinking. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores. Nothing is trained on other
# people's scans: both methods learn from the scan itself.

# %%
import platform
import time
from dataclasses import dataclass

import torch
from torch.nn.functional import pad

import course_lib as c
from course_lib.data.embedded import real_scan, scanner
from course_lib.data.simulate import cut
from course_lib.evaluate import head
from course_lib.ops import Coils, Fourier, Hankel, fft2c, ifft2c
from course_lib.profiles import profile
from course_lib.sampling import acs, effective_acceleration, poisson, protocol, uniform
from course_lib.solve import grappa, spirit
from course_lib.solve.calibrate import compress, espirit, whiten
from course_lib.solve.gfactor import gfactor, pseudo_replica
from course_lib.solve.unfold import unfold
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    size: int  # pixels along each axis
    lines: int  # calibration lines
    replicas: int  # repetitions that measure the noise
    slices: int  # at most so many slices of each split in the tables


cfg = {"ci": Settings(64, 20, 40, 4), "cpu": Settings(128, 24, 100, 6), "gpu": Settings(224, 24, 100, 12)}
cfg = cfg[profile().name]
torch.manual_seed(4)
for name, value in {"profile": profile().name, **vars(cfg)}.items():
    print(f"{name:10}{value}")
print(f"{'versions':10}Python {platform.python_version()}, torch {torch.__version__}, course_lib {c.__version__}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $k$ | k-space of all coils, complete | `full`, `k` |
# > | $y$ | what was measured of it, zeros elsewhere | `y` |
# > | $M$ | mask: 1 = acquired | `mask` |
# > | $R$ | every $R$-th line is acquired | `R` |
# > | ACS | calibration lines: the gap-free centre (*autocalibration signal*) | `cfg.lines` |
# > | $S$ | here: a matrix; each row holds the acquired neighbours of one gap, of all coils | `S` |
# > | $T$ | the samples in the gaps, of all coils | `T` |
# > | $w$ | weights with $T \approx S\,w$ | `w` |
# > | $G$ | SPIRiT's prediction of every sample from all its neighbours | `G` |
# > | $\lambda$ | ridge: how much large weights are disliked | `lam` |
#
# Lines run along the height (the readout) and are skipped along the width.

# %% [markdown]
# ## The data
#
# The real brain of chapter 03: one slice, 13 channels, every line measured (Maier et al. 2020, under the Apache-2.0
# licence; what was done to it is written in `data/PROVENANCE.md`). Its noise is whitened, and eight virtual coils are
# kept, so in every image of this chapter **1 is one standard deviation of the noise**. Section 8 adds simulated scans
# of other people, split by subject.

# %%
scans, _ = real_scan()  # (flip angle, coil, height, width)
white = whiten(cut(cut(scans[-1:], cfg.size, -1), cfg.size, -2), scanner().covariance[None])
full, _ = compress(white, 8)
maps = espirit(full)
inside = maps.abs().sum(1) > 0
truth = (maps.conj() * ifft2c(full)).sum(1)
window = (0.0, 3 * truth.abs()[head(truth) > 0].median().item())


def combined(k):
    """Coils into one image, weighted with their maps: the same for every method, so that images can be compared."""
    return (maps.conj() * ifft2c(k)).sum(1)


masks = {"R = 2": uniform(cfg.size, 2, cfg.lines), "R = 4": uniform(cfg.size, 4, cfg.lines)}
figures.mask(masks)

# %% [markdown]
# The block in the middle are the calibration lines. They cost time: the *effective* $R$ under each mask counts them.

# %% [markdown]
# ## 1. Neighbours know each other
#
# > **Predict 1.** Take three lines of k-space side by side. Hide the middle one and guess its samples from the two
# > outer ones, by least squares. With one coil, how large is the error, in percent of the signal? With eight coils?
# > (Whoever guesses 0 is wrong by 100 %.)
#
# The weights are fitted on the upper half of the calibration rows and tried on the lower half, which they have not
# seen.

# %%
first, stop = acs(masks["R = 2"])
block = full[..., first:stop]  # the calibration lines, and neighbours that were acquired anyway


def windows_of(k, lines):
    """All windows of 5 rows and so many lines, at every place where one fits, (place, coil, 5, lines)."""
    return Hankel(k.shape[-2:], (5, lines))(k)[0].unflatten(1, (-1, 5, lines))


def unexplained(coils):
    """Share of the middle line of coil 1 that its neighbours in so many coils do not predict, on unseen rows."""
    windows = windows_of(block[:, :coils], 3)
    S, T = windows[..., [0, 2]].flatten(1), windows[:, 0, 2, 1]
    known = len(S) // 2
    w = torch.linalg.lstsq(S[:known], T[:known, None]).solution[:, 0]
    return ((S[known:] @ w - T[known:]).norm() / T[known:].norm()).item()


shares = {coils: unexplained(coils) for coils in (1, 2, 4, 8)}
for coils, share in shares.items():
    print(f"{coils} coils: {100 * share:5.1f} % of the hidden line is not explained")
assert shares[8] < 0.15 and shares[1] > 0.8

# %% [markdown]
# One coil says next to nothing about the gap: with 100 % one might as well guess 0. Eight say nearly everything. Why? A
# coil image is the image *times* a map. A product in the image is a **convolution** in k-space (chapter 01, section 3, the
# other way round): every sample of coil $c$ is a blend of the true k-space around it, and the blend's weights are the
# Fourier transform of the map. Maps are smooth, so this blend is short. Below: the k-space of a map, and of the coil image.
# One is a dot, the other fills the plane.

# %%
smooth = espirit(full, crop=0)[:, 1:2]
centre = cfg.size // 2
energy = fft2c(smooth).abs().square()[0, 0]
middle = energy[centre - 3 : centre + 4, centre - 3 : centre + 4].sum() / energy.sum()
print(f"{100 * middle:.0f} % of the energy of the map lies in 7 x 7 samples of {cfg.size} x {cfg.size}")
assert middle > 0.6
figures.kspace({"k-space of a map": fft2c(smooth), "k-space of its coil image": full[:, 1:2]})

# %% [markdown]
# So a sample that one coil measured has already "tasted" the true k-space a few samples away, and another coil has
# tasted it with other weights. Eight different blends of the same few unknowns: enough equations to compute the blend
# that nobody measured. And, since the maps do not change from place to place in k-space, **the same weights hold
# everywhere**. They can be learned where all lines are known, and used where they are not.

# %% [markdown]
# ## 2. Zeros in the gaps
#
# What everybody tries first: leave the gaps empty.

# %%
y2 = full * masks["R = 2"]
y4 = full * masks["R = 4"]
figures.images({"zeros, R = 2": combined(y2), "zeros, R = 4": combined(y4)}, truth, window=window, error_limit=20)

# %% [markdown]
# The centre gives contrast, and the gaps give ghosts of every edge.

# %% [markdown]
# ## 3. GRAPPA by hand
#
# Slide a window of five rows and $R + 1$ lines over the calibration block. Its first and last lines play the acquired
# ones, the lines between them play the gaps. One window is one example: a row of $S$ holds the first and last lines,
# of all coils, and the same row of $T$ the gaps in the *middle* row of the window, of all coils. The weights are
#
# $$\min_w \lVert S\,w - T\rVert^2 + \lambda\,e\,\lVert w\rVert^2
# \quad\Leftrightarrow\quad (S^HS + \lambda\,e\,I)\,w = S^HT$$
#
# where $e$ is the mean energy of a column of $S$: with it, $\lambda$ means the same for bright and dark scans.


# %% [markdown]
# > **Exercise 1** · core · 15 minutes · importance ★★★
# >
# > Write `fit(block, lam, R)`: the weights, (coils * 5 * 2, coils * (R - 1)), from calibration lines `block` (1, coil,
# > height, lines). Cut the windows with `windows_of`. Columns of $S$ run coil by coil, then row by row; columns of $T$
# > coil by coil, then gap by gap: that is what `flatten(1)` makes of (place, coil, ...).
# >
# > <details><summary>Hint 1</summary>`windows = windows_of(block, R + 1)`, then `windows[..., [0, R]]` are the acquired
# > lines and `windows[:, :, 2, 1:R]` the gaps in the middle row.</details>
# > <details><summary>Hint 2</summary>$S^H$ of a complex matrix is `S.mH`. `S.T` forgets to conjugate, and nothing warns
# > you.</details>
# > <details><summary>Hint 3</summary>The diagonal of $S^HS$ holds the energy of each column:
# > `e = gram.diagonal().real.mean()`. Then `torch.linalg.solve(gram + lam * e * torch.eye(len(gram)), S.mH @ T)`.</details>


# %%
def fit(block, lam, R=2):
    """GRAPPA's weights w with T = S w from calibration lines (1, coil, height, lines)."""
    #: solution
    windows = windows_of(block, R + 1)
    S, T = windows[..., [0, R]].flatten(1), windows[:, :, 2, 1:R].flatten(1)
    gram = S.mH @ S
    ridge = lam * gram.diagonal().real.mean() * torch.eye(len(gram))
    return torch.linalg.solve(gram + ridge, S.mH @ T)
    #: end


check.ch04_fit(fit)

# %%
fit = use(fit, check.ch04_fit)
w = fit(block, 1e-3)
print(f"{w.shape[0]} weights for each of {w.shape[1]} coils, from {len(windows_of(block, 3))} windows")

# %% [markdown] tags=["solution"]
# **Analysis.** $S^HS$ is Hermitian and positive, $S^TS$ is neither: with `.T` the solver returns weights all the same,
# and they minimise nothing. All coils share one $S$, so one matrix is factored once, for as many right hand sides as
# there are coils and gaps.

# %% [markdown]
# Now use the weights where lines are missing. For $R = 2$ that is easy: a guess for *every* sample from the lines on
# its left and right, of which only those in the gaps are kept.
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `fill(y, mask, w)` for $R = 2$: k-space in which acquired samples are as they were, and every other one is
# > $S\,w$ of the window around it. Beyond the edge k-space is zero.
# >
# > <details><summary>Hint 1</summary>`pad(y, (left, right, top, bottom))` adds zeros. How many on each side, so that
# > there is exactly one window of 5 rows and 3 lines around every sample?</details>
# > <details><summary>Hint 2</summary>`S @ w` is (place, coil), k-space is (1, coil, height, width): first `.mT`, then
# > `.reshape(y.shape)`. (Not `.mH`: here the transpose only puts numbers in order.)</details>
# > <details><summary>Hint 3</summary>`torch.where(mask > 0, y, guess)`</details>


# %%
def fill(y, mask, w):
    """Gaps of k-space (1, coil, height, width), every second line acquired, from their left and right neighbours."""
    #: solution
    S = windows_of(pad(y, (1, 1, 2, 2)), 3)[..., [0, 2]].flatten(1)  # a window around every sample
    guess = (S @ w).mT.reshape(y.shape)
    return torch.where(mask > 0, y, guess)  # what was measured stays
    #: end


check.ch04_fill(fill)

# %%
fill = use(fill, check.ch04_fill)
k2 = fill(y2, masks["R = 2"], w)
figures.images({"zeros, R = 2": combined(y2), "GRAPPA, R = 2": combined(k2)}, truth, window=window, error_limit=5)

# %% [markdown]
# No map was used to fill the gaps. (The coils are then combined with maps, to compare with other methods; a root sum
# of squares would do.) The error that is left looks like noise, with no second head in it.
#
# The library's `grappa` does the same for any $R$, any first line and any *kernel*: the neighbours that predict a gap, as
# rows x acquired lines. Ours is 5 x 2.

# %%
library = grappa.grappa(y2, masks["R = 2"], kernel=(5, 2), lam=1e-3)
difference = ((k2 - library).norm() / library.norm()).item()
print(f"by hand and by the library: relative difference {difference:.1e}")
assert difference < 1e-3

# %% [markdown]
# > **Exercise 3** · stretch · 20 minutes · importance ★★☆
# >
# > Write `fill_any(y, mask, w, R, first)` for any $R$: lines `first`, `first + R`, ... are acquired, and some more in the
# > centre. Each of the $R - 1$ gaps between two lines has weights of its own, columns of `w` in the order of
# > exercise 1.
# >
# > <details><summary>Hint 1</summary>Take one gap after the other. Gap 1 lies beside its left line: the window around it
# > begins one line to the left and ends `R - 1` lines to the right. And gap 2?</details>
# > <details><summary>Hint 2</summary>The columns of `w` that belong to a gap, for all coils:
# > `w[:, gap - 1 :: R - 1]`.</details>
# > <details><summary>Hint 3</summary>Line `j` is gap number `(j - first) % R`; 0 means acquired.</details>


# %%
def fill_any(y, mask, w, R, first):
    """All gaps of k-space (1, coil, height, width) in which lines first, first + R, ... were acquired."""
    #: solution
    k, number = y, (torch.arange(y.shape[-1]) - first) % R
    for gap in range(1, R):
        S = windows_of(pad(y, (gap, R - gap, 2, 2)), R + 1)[..., [0, R]].flatten(1)
        guess = (S @ w[:, gap - 1 :: R - 1]).mT.reshape(y.shape)
        k = torch.where(number == gap, guess, k)
    return torch.where(mask > 0, y, k)
    #: end


check.ch04_fill_any(fill_any)

# %%
fill_any = use(fill_any, check.ch04_fill_any)
for R, offset in ((3, 0), (3, 2), (4, 1)):
    mask = uniform(cfg.size, R, cfg.lines, offset=offset)
    begin, end = acs(mask)
    k = fill_any(full * mask, mask, fit(full[..., begin:end], 1e-3, R), R, offset)
    library = grappa.grappa(full * mask, mask, kernel=(5, 2), lam=1e-3)
    print(f"R = {R}, first line {offset}: relative difference {(k - library).norm() / library.norm():.1e}")
    assert (k - library).norm() < 1e-3 * library.norm()

# %% [markdown] tags=["solution"]
# **Analysis.** Padding moves the window: `gap` zeros on the left let the first window begin `gap` lines before line 0.
# Away from the lattice the same formula makes nonsense, for its "neighbours" are zeros; `number == gap` leaves it out.

# %% [markdown]
# ## The idea
#
# SENSE (chapter 03) knows the coils through their maps, and solves for the image. GRAPPA (Griswold et al. 2002) knows
# them through the calibration lines, and solves for the missing samples. It never asks what the coils look like. It
# only asks: *in this scan, with these coils, how does a sample follow from its neighbours?* That is regression, with a
# few thousand examples and a few hundred weights, done anew for every scan.
#
# The price is visible in the same picture. The weights are learned in the bright centre and used in the dark outside.
# The larger $R$, the farther the neighbours, and the harder the guess. A kernel must reach over $R$ lines, so the
# number of examples in the calibration block falls as $R$ grows. And each missing sample is a sum of noisy ones: large
# weights make large noise.

# %% [markdown]
# ## 4. Kernel and ridge, tuned on validation
#
# How many lines should a kernel see, and how much should large weights be disliked? Nobody knows beforehand, so we
# try, on the **validation subjects**, and leave the answer alone afterwards.


# %%
def some(split, draw):
    """At most cfg.slices slices of a split, spread over its volumes."""
    slices = c.data.slices(split, draw)
    picked = torch.linspace(0, len(slices) - 1, min(cfg.slices, len(slices))).long()
    return [slices[i] for i in picked.tolist()]


def regular(R):
    """Every R-th line and the calibration lines: a rule (width, seed) -> mask."""
    return lambda width, seed: uniform(width, R, cfg.lines)


validation = some("val", regular(4))
LAMBDAS = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
tuned = {}
for kernel in ((3, 2), (5, 2), (7, 2), (5, 4)):
    lam = c.tune(lambda value, kernel=kernel: c.build("grappa", kernel=kernel, lam=value), validation, LAMBDAS)
    error = c.evaluate(c.build("grappa", kernel=kernel, lam=lam), validation).mean("nrmse")
    tuned[kernel] = (error, lam)
    print(f"{kernel[0]} rows x {kernel[1]} lines: lam = {lam:g}, NRMSE {error:.4f}")
kernel = min(tuned, key=tuned.get)
lam = tuned[kernel][1]
print(f"chosen for R = 4: {kernel[0]} x {kernel[1]}, lam = {lam:g}")

# %% [markdown]
# A kernel of four lines sees more, but it needs more weights, and at $R = 4$ it spans 13 of the calibration lines, so
# few windows are left to fit them. With a fixed number of calibration lines a *smaller* model can win. This is the bias
# and the variance of every regression, in a scanner.
#
# What does the ridge do to the image? Find the $\lambda$ at which *you* would stop, on the real scan at $R = 4$. Then
# look at the number.


# %%
def ridge(lam):
    """The real scan at R = 4, filled with the weights of one lam."""
    image = combined(grappa.grappa(y4, masks["R = 4"], kernel, lam))
    return figures.images({f"lam = {lam:g}": image}, truth, window=window, error_limit=10).saying(
        f"lam = {lam:g}: NRMSE {c.metrics.nrmse(image, truth).item():.3f}."
    )


ridge(1e-6)

# %%
ridge(1.0)

# %%
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
slider("lam", ridge, RIDGES)

# %% [markdown]
# Large: the weights are pulled towards 0, the gaps are filled too weakly, and the outline of a second head returns.
# Small: grain, because large weights add up noise. But below $10^{-2}$ the number hardly changes: there are many
# times more windows than weights, and that alone keeps the weights in check.

# %%
filled = [combined(grappa.grappa(y4, masks["R = 4"], kernel, value)) for value in RIDGES]
nrmses = [c.metrics.nrmse(image, truth).item() for image in filled]
print(", ".join(f"{value:g}: {error:.3f}" for value, error in zip(RIDGES, nrmses)))
assert max(nrmses[:5]) < 1.1 * min(nrmses) and nrmses[-1] > 1.3 * min(nrmses)

# %% [markdown]
# ## 5. Noise
#
# With fixed weights GRAPPA is linear, so its noise can be measured as in chapter 03: add noise to the acquired samples
# again and again, and look at the spread of each pixel (pseudo-replicas, Robson et al. 2008). SENSE has a formula,
# $g_j = \sqrt{[(S^HS)^{-1}]_{jj}[S^HS]_{jj}}$ with the maps of $R$ aliased pixels (Pruessmann et al. 1999). We check
# our replicas against it first.


# %%
def spread(reconstruct, mask):
    """Noise of each pixel in units of the full scan's noise, NaN outside the head."""
    noise = pseudo_replica(reconstruct, full * mask, mask, replicas=cfg.replicas)
    return noise.where(inside, torch.nan)


plain = uniform(cfg.size, 2)
formula = gfactor(maps, plain).where(inside, torch.nan)
measured = spread(lambda y: unfold(y, plain, maps), plain) / 2**0.5
off = ((measured / formula - 1)[inside]).square().mean().sqrt().item()
print(f"SENSE, R = 2: replicas and formula differ by {100 * off:.1f} % (root mean square)")
print(
    f"expected with {cfg.replicas} replicas: {100 * 0.5 / cfg.replicas**0.5:.1f} %; smallest g {formula[inside].min():.4f}"
)
assert off < 1.0 / cfg.replicas**0.5 and formula[inside].min() > 0.999

# %%
noise = {}
for R in (2, 4):
    mask = uniform(cfg.size, R, cfg.lines)
    w = grappa.calibrate(full * mask, mask, kernel, lam)  # fitted once
    factor = effective_acceleration(mask) ** 0.5
    noise[f"GRAPPA, R = {R}"] = spread(lambda y, mask=mask, w=w: combined(grappa.fill(y, mask, w)), mask) / factor
    noise[f"SENSE, R = {R}"] = gfactor(maps, mask).where(inside, torch.nan)
for name, g in noise.items():
    print(f"{name}: g {g.nanmedian():.2f} in the median, {g[inside].quantile(0.95):.2f} in the worst 5 %")
assert noise["SENSE, R = 4"].nanmedian() > noise["SENSE, R = 2"].nanmedian()
figures.heat(noise, "g", window=(0, 3))

# %% [markdown]
# SENSE's $g$ is never below 1: it is the price of an *unbiased* answer from regular lines. GRAPPA is not unbiased, so it
# has no such floor: its ridge shrinks weights, which trades noise for a little bias. A low noise map alone therefore
# proves nothing; the error against the truth counts both. (GRAPPA's $g$ is counted with the effective $R$, because it
# keeps the calibration lines; unfolding does not use them.)

# %% [markdown]
# ## 6. Where GRAPPA fails
#
# > **Predict 2.** We raise $R$ from 2 to 6 with the same calibration lines. Then we take calibration lines away at
# > $R = 3$. Sketch both error curves. Which one has a cliff?

# %%
accelerations = [2, 3, 4, 5, 6]
blocks = [lines for lines in (6, 8, 10, 12, 16, 20, 24) if lines <= cfg.lines]


def error(R, lines, kernel):
    mask = uniform(cfg.size, R, lines)
    k = grappa.grappa(full * mask, mask, kernel, lam)
    return c.metrics.nrmse(combined(k), truth).item()


over_R = {f"{rows} x {lines} kernel": [error(R, cfg.lines, (rows, lines)) for R in accelerations]
          for rows, lines in ((5, 2), (5, 4)) if 5 * lines <= cfg.lines}  # fmt: skip
over_lines = [error(3, lines, (5, 2)) for lines in blocks]
print("calibration lines at R = 3:", ", ".join(f"{n}: {e:.3f}" for n, e in zip(blocks, over_lines)))
assert (
    over_R["5 x 4 kernel"][-2] > over_R["5 x 2 kernel"][-2] > 3 * over_R["5 x 2 kernel"][0]
    and over_lines[0] > over_lines[-1]
)
figures.lines(over_R, "R", "NRMSE", x=accelerations)

# %%
figures.lines({"R = 3, 5 x 2 kernel": over_lines}, "calibration lines", "NRMSE", x=blocks)

# %% [markdown]
# Over $R$ the error grows faster and faster: the neighbours move away, and the coils' blends no longer reach each
# other. At large $R$ the longer kernel does worse, because it spans so many calibration lines that hardly a window is
# left to fit it: that is the cliff. Over the calibration lines the error falls steeply at first, where few windows must
# fit many weights, then slowly. Without a block no window fits at all, and the library says so. It also says so when the mask is
# irregular:

# %%
for name, mask in {"no block": uniform(cfg.size, 3), "random": protocol(4)(cfg.size, 1)}.items():
    try:
        grappa.grappa(full * mask, mask, kernel=(5, 2))
        raise AssertionError("GRAPPA accepted a mask that it cannot use")
    except c.errors.CourseError as problem:
        print(f"{name}: {problem}")

# %% [markdown]
# ## 7. SPIRiT: any mask
#
# GRAPPA needs the same pattern of neighbours around every gap. With random samples every gap has a pattern of its own.
# Lustig & Pauly (2010) turned the question around. Do not ask how a gap follows from what is *acquired* around it.
# Demand that **every** sample, acquired or not, follows from **all** its neighbours in all coils:
#
# $$\min_k \lVert (G - I)\,k\rVert^2 \quad\text{with}\quad M k = y$$
#
# $G$ is one small kernel, fitted on the calibration block, which predicts a sample without using itself. If it could
# use itself, $G = I$ would be a perfect and useless answer. The unknowns are all missing samples at once, and conjugate
# gradients find them. Acquired samples are kept as they are.
#
# First test: is the true k-space a fixed point, $Gk = k$? (`predict` is $G$. As a convolution in k-space it is a small
# matrix of coils at every pixel of the image, which is how the library applies it.)

# %%
lines = protocol(3)(cfg.size, 4)  # random lines with a full centre
points = poisson((cfg.size, cfg.size), 4, calibration=cfg.lines)  # random points: a 3-D scan, seen end on
w = spirit.calibrate(full * points, points, (5, 5), 1e-3)
own = w[0].diagonal(dim1=0, dim2=1)[2, 2]
assert (own == 0).all()
off = {}
for name, k in {"full k-space": full, "with zeros in the gaps": full * points}.items():
    off[name] = ((spirit.predict(k, w) - k).norm() / k.norm()).item()
    print(f"{name}: G k differs from k by {100 * off[name]:.0f} %")
assert off["full k-space"] < 0.5 * off["with zeros in the gaps"]
figures.mask({"random lines": lines, "Poisson disc": points})

# %% [markdown]
# The full k-space nearly satisfies its own kernel, the one with gaps does not. What remains for the full one is mostly
# noise: that cannot be predicted from neighbours, and should not.
#
# Now the gaps. The shortest way to a k-space that satisfies both demands is to satisfy them in turn, again and again.
#
# > **Exercise 4** · core · 5 minutes · importance ★★★
# >
# > Write `step(k, y, mask, w)`, one such turn: predict every sample of the guess `k` from its neighbours, then put the
# > measured ones back.
# >
# > <details><summary>Hint 1</summary>`spirit.predict(k, w)` is $G\,k$.</details>
# > <details><summary>Hint 2</summary>Acquired samples come from `y`. The guess may have altered them.</details>


# %%
def step(k, y, mask, w):
    """A guess k, predicted from its own neighbours, with the acquired samples y put back."""
    #: solution
    return torch.where(mask > 0, y, spirit.predict(k, w))
    #: end


check.ch04_step(step)

# %%
step = use(step, check.ch04_step)

# %% [markdown] tags=["solution"]
# **Analysis.** Two lines of a method that needs no solver: this is projection onto convex sets, the first algorithm of
# the paper. Without the second half the guess drifts to a k-space that $G$ likes and nobody measured.

# %% [markdown]
# How many steps? And are there faster ones? Conjugate gradients, `spirit.complete`, minimise $\lVert(G - I)k\rVert^2$
# over the missing samples. It is the same story as CG-SENSE's in chapter 03: early iterations find what the kernel is
# sure of, late ones fit noise.

# %%
counts = [1, 2, 4, 8, 16, 32, 64]
history = {}
for name, mask in {"random lines": lines, "Poisson disc": points}.items():
    w = spirit.calibrate(full * mask, mask, (5, 5), 1e-3)
    found = [spirit.complete(full * mask, mask, w, n) for n in counts]
    history[name] = [c.metrics.nrmse(combined(k), truth).item() for k in found]
    assert (found[-1] * mask == full * mask).all(), "acquired samples stay"
    assert min(history[name]) < 0.9 * c.metrics.nrmse(combined(full * mask), truth).item()
k, by_steps = full * points, []
for n in range(1, counts[-1] + 1):
    k = step(k, full * points, points, w)
    if n in counts:
        by_steps.append(c.metrics.nrmse(combined(k), truth).item())
history["Poisson disc, exercise 4"] = by_steps
for i in (3, -1):
    by_cg = history["Poisson disc"][i]
    print(f"after {counts[i]} iterations: NRMSE {by_cg:.4f} by conjugate gradients, {by_steps[i]:.4f} by steps in turn")
assert by_steps[3] > history["Poisson disc"][3] and by_steps[-1] < history["Poisson disc"][-1]
figures.lines(history, "iterations", "NRMSE", x=counts, lowest=True)

# %% [markdown]
# The curves fall, and where noise is fitted they rise again. When to stop is a parameter, like $\lambda$, and is tuned
# like it. Steps in turn begin more slowly than conjugate gradients; they spoil the image more slowly, too.
#
# > **Exercise 5** · stretch · 20 minutes · importance ★★☆
# >
# > `spirit` keeps acquired samples exactly, their noise included. One may instead minimise
# > $\lVert Mk - y\rVert^2 + \mu\lVert (G-I)k\rVert^2$. Its normal equations are
# > $(M + \mu\,(G-I)^H(G-I))\,k = y$. Write the left hand side as `normal(k, mask, G, mu)`. `G` is given as in the
# > library: a matrix of coils at each pixel of the *image*, (1, target, coil, height, width).
# >
# > <details><summary>Hint 1</summary>`ifft2c(k)` goes to the image, and there $G$ is
# > `torch.einsum("btchw,bchw->bthw", G, x)`. `fft2c` comes back.</details>
# > <details><summary>Hint 2</summary>The identity, for every pixel: `torch.eye(coils)[:, :, None, None]`.</details>
# > <details><summary>Hint 3</summary>The adjoint of the matrix at each pixel exchanges target and coil, and conjugates:
# > sum over the targets of `D.conj()`.</details>


# %%
def normal(k, mask, G, mu):
    """(M + mu (G - I)^H (G - I)) k for k-space (1, coil, height, width)."""
    #: solution
    D = G - torch.eye(G.shape[1])[:, :, None, None]
    off = torch.einsum("btchw,bchw->bthw", D, ifft2c(k))
    return mask * k + mu * fft2c(torch.einsum("btchw,bthw->bchw", D.conj(), off))
    #: end


check.ch04_soft(normal)

# %%
normal = use(normal, check.ch04_soft)
G = spirit.matrices(spirit.calibrate(full * points, points, (5, 5), 1e-3), full.shape[-2:])
soft = {
    mu: c.solve.cg(lambda k, mu=mu: normal(k, points, G, mu), full * points, iterations=30) for mu in (0.1, 1.0, 10.0)
}
for mu, k in soft.items():
    print(f"mu = {mu:g}: NRMSE {c.metrics.nrmse(combined(k), truth).item():.4f}")
kept = min(history["Poisson disc"])
print(f"samples kept: NRMSE {kept:.4f} at the best number of iterations")
assert 0.85 < min(c.metrics.nrmse(combined(k), truth).item() for k in soft.values()) / kept < 1.15

# %% [markdown]
# A moderate $\mu$ is about as good as exact samples. Do not read more out of it: our truth holds the *same* noise as
# the samples, so keeping them is rewarded here, and the number of iterations was picked by looking at the truth. Which
# one is better on another scan, this table cannot say.

# %% [markdown]
# ## 8. How good is it, on people it has not seen?
#
# Regular lines first: GRAPPA against SENSE and CG-SENSE, at $R = 2$ and 4. Everything that is chosen (iterations,
# kernel, ridge) was or is chosen on validation subjects.


# %%
def compare(draw, methods, baseline):
    """Tables for the test subject and the real scan; returns {split: {method: scores}}."""
    scores = {}
    for split in c.data.splits(wanted=("test", "real")):
        few = some(split, draw)
        scores[split] = {name: c.evaluate(method, few) for name, method in methods.items()}
        R = [effective_acceleration(s.mask) for s in few]
        print(f"{split}: {len(few)} slices, effective R = {sum(R) / len(R):.2f} ({min(R):.2f} to {max(R):.2f})")
        print(c.scores.table(scores[split], baseline=baseline) + "\n")
    return scores


ITERATIONS = [3, 5, 8, 12, 18, 27]
results = {}
for R in (2, 4):
    validation = some("val", regular(R))
    n = c.tune(lambda n: c.build("sense_cg", iterations=int(n)), validation, ITERATIONS)
    best = c.tune(lambda value: c.build("grappa", kernel=kernel, lam=value), validation, LAMBDAS)
    print(f"R = {R}: {n} iterations, GRAPPA's lam = {best:g}")
    methods = {name: c.build(name) for name in ("zero_filled", "sense")}
    methods["sense_cg"] = c.build("sense_cg", iterations=int(n))
    methods["grappa"] = c.build("grappa", kernel=kernel, lam=best)
    results[R] = compare(regular(R), methods, baseline="sense_cg")
for rows in (row for tables in results.values() for row in tables.values()):
    assert rows["grappa"].over(rows["zero_filled"]).low > 0
for R in (2, 4):
    assert results[R]["test"]["sense"].mean("nrmse") > results[R]["test"]["sense_cg"].mean("nrmse")

# %% [markdown]
# Read the last column. SENSE and CG-SENSE get maps from elsewhere, as from a separate calibration scan; GRAPPA has only
# the lines in the table. At $R = 2$ that is no handicap. At $R = 4$ look at the sign of the difference before you
# believe that one family is "better". CG-SENSE uses the calibration lines as data as well; plain unfolding throws
# them away, and is behind on the test subject.
#
# Now irregular masks, where GRAPPA and unfolding cannot go: random lines at $R = 4$, and a Poisson disc at $R = 4$.


# %%
def disc(width, seed):
    return poisson((width, width), 4, calibration=cfg.lines // 2, seed=0)


for name, draw in {"random lines": protocol(4), "Poisson disc": disc}.items():
    validation = some("val", draw)
    n = c.tune(lambda n: c.build("sense_cg", iterations=int(n)), validation, ITERATIONS)
    trials = {}
    for size in ((3, 3), (5, 5)):
        for value in (1e-3, 1e-2):
            build = lambda n, size=size, value=value: c.build("spirit", kernel=size, lam=value, iterations=int(n))
            m = c.tune(build, validation, ITERATIONS)
            trials[size, value, m] = c.evaluate(build(m), validation).mean("nrmse")
    size, value, m = min(trials, key=trials.get)
    print(f"--- {name}: sense_cg {n} iterations; SPIRiT {size[0]} x {size[1]}, lam = {value:g}, {m} iterations")
    methods = {"zero_filled": c.build("zero_filled"), "sense_cg": c.build("sense_cg", iterations=int(n))}
    methods["spirit"] = c.build("spirit", kernel=size, lam=value, iterations=int(m))
    results[name] = compare(draw, methods, baseline="sense_cg")
    assert all(rows["spirit"].mean("nrmse") < rows["zero_filled"].mean("nrmse") for rows in results[name].values())

# %% [markdown]
# SPIRiT fills any mask, and it beats the zeros in the table. Against CG-SENSE the sign of the last column decides, and
# it need not be the one that you hoped for. Two things speak against SPIRiT here, whatever the sign: fastMRI's random
# masks have a narrow centre, so the kernel is fitted to few windows; and CG-SENSE is *given* maps, for which somebody had
# to measure as well.

# %%
sample = some("real", disc)[0]
methods = {"zero-filled": c.build("zero_filled"), "CG-SENSE": c.build("sense_cg", iterations=int(n))}
methods["SPIRiT"] = c.build("spirit", kernel=size, lam=value, iterations=int(m))
shown = {name: method(sample.kspace, sample.A) for name, method in methods.items()}
side = sample.image.shape[-1]
figures.images(shown, sample.image, zoom=(3 * side // 8, 3 * side // 8, side // 4, side // 4))

# %% [markdown]
# ## 9. Break it: wrong maps
#
# Chapter 03 broke SENSE with maps that do not belong to the scan: two coils swapped in a cable list, and maps moved by
# 1/32 of the width, as after a motion between calibration and scan. GRAPPA's calibration lines are part of the scan, so
# there is nothing to swap. To be fair in both ways, it is combined once by root sum of squares (no maps at all) and
# once with the wrong maps.

# %%
mask, y = masks["R = 2"], full * masks["R = 2"]
swapped = maps.clone()
swapped[:, [0, 1]] = maps[:, [1, 0]]
k = grappa.grappa(y, mask, kernel, lam)
rss = {"RSS": ifft2c(k).abs().square().sum(1).sqrt() * inside}
truth_rss = ifft2c(full).abs().square().sum(1).sqrt() * inside
broken, error_of = {}, {}
for name, wrong in {"right": maps, "swapped": swapped, "moved": maps.roll(cfg.size // 32, -1)}.items():
    methods = {"SENSE": unfold(y, mask, wrong), "GRAPPA": (Fourier() @ Coils(wrong)).H(k)}
    for method, x in methods.items():
        error_of[method, name] = c.metrics.nrmse(x, truth).item()
        broken[f"{method}, {name}"] = x
error_of["GRAPPA", "RSS"] = c.metrics.nrmse(rss["RSS"], truth_rss).item()
for (method, name), value in error_of.items():
    print(f"{method:7} {'without maps' if name == 'RSS' else name + ' maps':13} NRMSE {value:.3f}")
assert error_of["SENSE", "swapped"] > 5 * error_of["GRAPPA", "RSS"]
assert error_of["SENSE", "moved"] > 1.1 * error_of["SENSE", "right"]
few = ("SENSE, swapped", "GRAPPA, swapped", "SENSE, moved", "GRAPPA, moved")
figures.images({name: broken[name] for name in few} | {"GRAPPA, RSS": rss["RSS"]}, truth, window=window, error_limit=20)

# %% [markdown]
# Swapped maps put a second head into SENSE's image. GRAPPA's k-space is the same in all panels. Combined with the
# swapped maps its image is shaded, badly, but there is no second head, and without maps it is right. NRMSE cannot tell
# the two apart: it calls both of them bad. Maps that are moved a little do little harm at $R = 2$; look for the arc
# of a second head in SENSE's error, and for its absence in GRAPPA's.
#
# > **Exercise 6** · stretch · 15 minutes · importance ★☆☆
# >
# > GRAPPA has a weak spot of its own: the calibration lines. Corrupt *them* (add noise of ten times the usual size to the
# > calibration lines only) and run both methods. Who breaks now? (Nobody checks this one; the solution is in
# > `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`mask * (1 - uniform(cfg.size, 2))` are the calibration lines that are not on the
# > lattice, and noise of the usual size is `torch.randn_like(y)`.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 6.** SENSE unfolds the regular lines and is given maps; noise on the lines between them does
# not reach it.

# %% tags=["solution"]
between = mask * (1 - uniform(cfg.size, 2))
dirty = y + 10 * between * torch.randn_like(y)
hurt = {"GRAPPA": combined(grappa.grappa(dirty, mask, kernel, lam)), "SENSE": unfold(dirty, mask, maps)}
for name, x in hurt.items():
    print(f"{name}: NRMSE {c.metrics.nrmse(x, truth).item():.3f} with dirty calibration lines")
assert c.metrics.nrmse(hurt["GRAPPA"], truth) > c.metrics.nrmse(hurt["SENSE"], truth)

# %% [markdown]
# ## 10. What the number hides
#
# - **Kept samples are rewarded.** Truth and data carry the same noise. Methods that keep measured samples get that part
#   for nothing, and effective $R$ is small here: the calibration block is a large part of the scan.
# - **The maps are a gift.** SENSE and CG-SENSE used maps from more calibration data than the mask holds. With maps from
#   the calibration lines of the mask alone, both would be worse.
# - **The real scan is one person** in five contrasts. Its interval says how contrasts vary, nothing about people.
# - **Noise that follows the coils looks like texture.** Where $g$ is high a small lesion drowns while NRMSE stays.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Why can GRAPPA's weights from the centre be used at the edge of k-space?",
    right={
        "because the maps are the same for all of k-space": "The blend that a coil makes of the true k-space is a "
        "convolution, which is the same everywhere."
    },
    wrong={
        "because the image is smooth": "Its k-space differs everywhere, and GRAPPA works for any image.",
        "because the edge is zero": "It is small, not zero, and the details of the image are there.",
    },
)

# %%
quiz.choice(
    "2. R = 4, four lines in the kernel: how many calibration lines does one window need?",
    right={"13": "From the first acquired line to the last: (4 - 1) * 4 + 1."},
    wrong={
        "4": "These are the acquired ones; the gaps between them must be known as well, to have a target.",
        "16": "4 * 4 counts one gap too many.",
    },
)

# %%
quiz.choice(
    "3. What happens if SPIRiT's kernel may use the sample itself?",
    right={"G = I, and every k-space is consistent": "Zeros in the gaps included, so nothing is filled."},
    wrong={
        "the fit gets better, and so does the image": "The fit gets perfect, and says nothing.",
        "nothing, its weight becomes 0 by itself": "Least squares picks the perfect predictor, 1.",
    },
)

# %%
quiz.choice(
    "4. GRAPPA's noise map shows g = 0.9. Is it better than a full scan?",
    right={"no: it has less noise and some bias": "Shrinking an image to zero has no noise at all."},
    wrong={
        "yes: less noise than nature allows": "Only for unbiased answers is there such a limit.",
        "no: g below 1 is a bug": "It can be one, but a ridge does it as well.",
    },
)

# %%
quiz.choice(
    "5. In `fit` you write S.T where S.mH belongs, twice. What happens?",
    right={
        "it runs, and the weights are wrong": "A complex symmetric system has a solution too. It minimises nothing."
    },
    wrong={
        "torch raises an error": "All shapes and dtypes are right; only the numbers are not.",
        "the weights are conjugated": "For that, S and T would have to be conjugated as well.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "6. How many weights, all together, has GRAPPA with 8 coils, a kernel of 5 x 4 and R = 4? (`grappa.calibrate` finds "
    "them; `y4` and `masks` are in the notebook.)",
    grappa.calibrate(y4, masks["R = 4"], (5, 4)).numel(),
    "8 * 5 * 4 = 160 inputs for each of 8 * 3 = 24 targets. With 16 coils there are four times as many, because inputs "
    "and targets both double.",
    near={
        160: "These are the inputs of one target.",
        1280: "That is one gap of all coils; between two acquired lines there are R - 1.",
        480: "These are the gaps of one coil; there are eight coils.",
        5120: "R - 1 lines are missing between two acquired ones, not R.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **explained** it: a product with a smooth map is a short convolution, so samples share what they know.
# - You **fitted** weights and **filled** gaps, the same as the library to rounding.
# - You **tuned** kernel and ridge: more calibration lines allow larger kernels, nothing else does.
# - You **measured** noise and saw why $g$ alone proves nothing.
# - You **predicted** failures: distance, few lines, irregular masks.
# - You **solved** for all samples with SPIRiT and **judged** both against CG-SENSE.
#
# **From text to source**: `c.show("grappa")` prints equation, card, code and claims. **Next**: chapter 05 adds
# sparsity; chapter 12 replaces the weights by small networks that are trained on the same calibration lines.

# %%
print(c.show("grappa"))
print(f"\ncomputing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## Project
#
# > **Exercise 7** · project · 120 minutes · importance ★★☆
# >
# > Calibration lines cost time. For a fixed *total* number of lines, is it better to spend them on calibration or between the
# > gaps? Compare R = 2, 3 and 4 with the number of central lines that fits the total, for GRAPPA and SPIRiT, on the real scan.
# >
# > | points | for |
# > |---|---|
# > | 2 | at least three splits with equal totals; effective acceleration printed for each |
# > | 2 | kernel and ridge tuned anew for each split, on validation data |
# > | 3 | NRMSE for unseen slices and the real scan, paired differences with intervals between the two best splits |
# > | 2 | noise and structured error apart: repeat with added noise, subtract |
# > | 1 | a rule in one sentence, and a case where it fails |
# >
# > <details><summary>Hint 1</summary>With width n, acceleration R and c central lines about n / R + c (1 - 1 / R) lines are acquired.</details>
# > <details><summary>Hint 2</summary>Tune on two or three slices; the grid may be coarse.</details>

# %% [markdown]
# ## References
#
# - Pruessmann et al. (1999). SENSE: sensitivity encoding for fast MRI. *Magn. Reson. Med.* [10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S](https://doi.org/10.1002/%28SICI%291522-2594%28199911%2942%3A5%3C952%3A%3AAID-MRM16%3E3.0.CO%3B2-S)
# - Griswold et al. (2002). Generalized autocalibrating partially parallel acquisitions (GRAPPA). *Magn. Reson. Med.* [10.1002/mrm.10171](https://doi.org/10.1002/mrm.10171)
# - Robson et al. (2008). Comprehensive quantification of signal-to-noise ratio and g-factor. *Magn. Reson. Med.* [10.1002/mrm.21728](https://doi.org/10.1002/mrm.21728)
# - Lustig & Pauly (2010). SPIRiT: iterative self-consistent parallel imaging reconstruction from arbitrary k-space. *Magn. Reson. Med.* [10.1002/mrm.22428](https://doi.org/10.1002/mrm.22428)
# - Uecker et al. (2014). ESPIRiT: an eigenvalue approach to autocalibrating parallel MRI. *Magn. Reson. Med.* [10.1002/mrm.24751](https://doi.org/10.1002/mrm.24751)
# - Maier et al. (2020). PyQMRI. *J. Open Source Softw.* [10.21105/joss.02727](https://doi.org/10.21105/joss.02727)
# - Montalt-Tordera et al. (2021). Machine learning in MRI: image reconstruction. *Phys. Med.*, sections 1.1 and 2.2. [10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
