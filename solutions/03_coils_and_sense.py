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
# # 03 Coils and SENSE
#
# ![A real brain scan in which every fourth line was measured: four pale heads lie on each other. Next to it the same
# data after SENSE: one head, a little grainy. Next to that the full scan.](../docs/03_coils_and_sense.png)
#
# The left image was made from a quarter of the data. Four heads lie on top of each other. **How can thirteen
# antennas, all of them blurry, pull the four heads apart?**

# %% [markdown]
# ## What you can do at the end
#
# 1. **Write** the forward model $y = MFSx + n$ and its adjoint, and **verify** them with one test (section 2,
#    exercises 1 and 2).
# 2. **Combine** coil images, and **say** what root-sum-of-squares costs (section 3, question 2).
# 3. **Unfold** an aliased image by solving one tiny system per group of pixels (section 5, exercise 3).
# 4. **Run** conjugate gradients on any mask, and **stop** it in time (section 6, question 5).
# 5. **Whiten** noise, **measure** how much of it an acceleration costs, pixel by pixel, and **choose** how many coils
#    to keep (sections 7 and 9, exercises 4 to 6).
# 6. **Judge** CG-SENSE on an unseen subject and on a real scan, and **break** it (sections 10 and 11, exercise 7).
#
# **You need** matrices, least squares and Python; chapters 01 (Fourier) and 02 (inverse problems) help. **Time**:
# about 75 minutes of reading and thinking, and 75 for the exercises; the project takes 90. **Computing**: under 25 s
# (`ci`), under 150 s (`cpu`), on two cores. Nothing is trained: profile `gpu` means larger images, and this chapter
# computes on the CPU there too.

# %%
import inspect
import platform
import time
from dataclasses import dataclass

import torch

import course_lib as c
from course_lib.data.embedded import real_scan, scanner
from course_lib.data.simulate import axis, cut, sensitivities
from course_lib.evaluate import head
from course_lib.ops import Sense, fft2c, ifft2c
from course_lib.profiles import profile
from course_lib.sampling import effective_acceleration, effective_accelerations, uniform
from course_lib.solve import cg, dot
from course_lib.solve.calibrate import espirit, mix, walsh
from course_lib.solve.gfactor import gfactor
from course_lib.solve.unfold import unfold as unfold_by_library
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    size: int  # pixels along each axis of the real scan
    replicas: int  # repetitions that measure the noise
    slices: int  # at most so many slices of each split in the final table


cfg = {"ci": Settings(64, 12, 4), "cpu": Settings(128, 32, 12), "gpu": Settings(224, 48, 12)}[profile().name]
torch.manual_seed(3)
for name, value in {"profile": profile().name, **vars(cfg)}.items():
    print(f"{name:10}{value}")
print(f"{'versions':10}Python {platform.python_version()}, torch {torch.__version__}, course_lib {c.__version__}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $x$ | the image we want, complex, one value a pixel | `x`, `truth` |
# > | $S$ | coil maps: how strongly, and with which phase, each coil hears each pixel | `maps` |
# > | $F$ | Fourier transform, centred and orthonormal: zero frequency at index $n/2$, lengths are kept | `fft2c` |
# > | $M$ | mask: 1 = acquired, 0 = not | `mask` |
# > | $A = MFS$ | the forward model, from image to data | `A` |
# > | $A^H$ | its adjoint, from data to image | `A.H` |
# > | $y$ | the measured k-space of all coils | `y` |
# > | $n$, $\Psi$ | noise, and its covariance between coils | `noise`, `covariance` |
# > | $R$ | acceleration: all lines over measured lines | `R` |
#
# Shapes are always `(batch, coil, height, width)`, or `(batch, height, width)` for images. Lines are skipped along
# the width.

# %%
quiz.choice(
    "From chapter 01: an image is moved by a quarter of its width. What happens to its k-space?",
    right={
        "each column turns its phase by another quarter turn": "A shift here is a ramp of phase there, and no magnitude changes."
    },
    wrong={
        "it moves by a quarter as well": "A shift of k-space would be a ramp of phase in the image.",
        "nothing": "The magnitudes stay, and the phases hold where things are.",
        "every second column changes its sign": "That is a move by half of the width: the ramp turns by half turns.",
    },
)

# %% [markdown]
# ## The data
#
# One slice of a real brain, measured in every line of k-space with a head array of 13 channels (3D-FLASH, a fast
# sequence; TR, the time from one radio pulse to the next, 4.8 ms; flip angle, how far each pulse tips the spins, 17
# degrees: it sets the contrast). **Nothing about it is simulated.** It comes from the test data of PyQMRI (Maier et al.
# 2020), under the Apache-2.0 licence; what we did to it is written in `data/PROVENANCE.md`. To save time we keep the
# central part of k-space, so pixels are larger.
#
# The final table also uses simulated scans of other people, **split by subject**: the number of iterations is chosen
# on validation subjects, and the result is told for a test subject and for the real scan, which nothing was tuned on.

# %%
scans, degrees = real_scan()  # (flip angle, coil, height, width)
kspace = cut(cut(scans[-1:], cfg.size, -1), cfg.size, -2)
rss = ifft2c(kspace).abs().square().sum(1).sqrt()
bright = rss.flatten().kthvalue(int(0.99 * rss.numel())).values  # image values: 1 is as bright as the brightest percent
kspace, rss, covariance = kspace / bright, rss / bright, scanner().covariance[None] / bright**2
print(f"k-space {tuple(kspace.shape)}, flip angle {degrees[-1]} degrees")
figures.kspace({"k-space, all 13 coils": kspace, "k-space of coil 1": kspace[:, :1]}).saying(
    "Bright in the centre, ever darker outwards."
)

# %% [markdown]
# ## 1. What one coil sees
#
# A receive coil is a loop of wire near the head. It hears what is close to it, and little from the other side. A head
# array has many loops. Below are four of our thirteen channels, each an image from one channel's own k-space, and the
# root-sum-of-squares (RSS) of all.

# %%
coil_images = ifft2c(kspace)


def grey(image):
    """A window (black, white) that fits the brain; fat, which shines at this flip angle, is white."""
    return 0.0, 3 * image[head(image) > 0].median().item()


figures.images(
    {f"coil {i}": coil_images[:, i - 1] for i in (1, 2, 3, 5)} | {"RSS of all 13": rss}, window=grey(rss)
).saying("Each hears other parts of the head more strongly; RSS shows all of it.")

# %% [markdown]
# The image of coil $c$ is the true image times that coil's map: $x_c = S_c\,x$. We only ever see the product. ESPIRiT
# finds the maps from the centre of k-space; section 8 looks at how well. A map is complex. Its phase matters as much
# as its size.

# %%
maps = espirit(kspace)
inside = maps.abs().sum(1) > 0  # where there is signal; the maps are 0 elsewhere
assert torch.allclose(maps.abs().square().sum(1)[inside], torch.tensor(1.0), atol=1e-4)
figures.maps(maps).saying(
    "Channel 1 hears the whole head, channel 2 front and back with a gap, later ones finer patterns."
)

# %% [markdown]
# These do not look like single loops. The first channel hears the whole head, the next ones hear it in two, three,
# four lobes, and the last ones are weak. This file holds *mixtures* of loops, ordered by strength. Mixing is
# harmless, since signal and noise are mixed alike, and section 9 does it on purpose. What counts is that **each
# channel weighs each place differently**.
#
# The squares of the maps add up to 1 at each pixel. That is a convention: a pixel's brightness belongs either to the
# image or to the maps, and we give it to the image.

# %% [markdown]
# ## 2. The forward model, written once
#
# $y = M F S x + n$: multiply by the maps, transform, keep what was measured, add noise. The adjoint goes back, in
# reverse order and with conjugates. These two functions are the whole of parallel imaging's physics, so write them
# yourself, without the noise.
#
# > **Exercise 1** · core · 5 minutes · importance ★★★
# >
# > Write `forward(x, maps, mask)`: images `(batch, height, width)`, maps `(batch, coil, height, width)` and a mask that
# > fits k-space give the data `(batch, coil, height, width)`, with 0 where nothing was measured.
# >
# > <details><summary>Hint 1</summary>Read $MFS$ from right to left: `maps`, `fft2c`, `mask`.</details>
# > <details><summary>Hint 2</summary>The image has no coil axis. `x[:, None]` gives it one of length 1, which fits any
# > number of coils.</details>


# %%
def forward(x, maps, mask):
    """The data (batch, coil, height, width) of images (batch, height, width), without noise."""
    #: solution
    return mask * fft2c(maps * x[:, None])
    #: end


check.ch03_forward(forward)

# %% [markdown] tags=["solution"]
# **Analysis.** Three linear maps in a row, so their product is linear. The mask comes last because it chooses samples of
# k-space; in the image it would erase columns of the head.

# %%
forward = use(forward, check.ch03_forward)
R = 4
mask = uniform(cfg.size, R)  # every fourth column of k-space
figures.mask({f"R = {R}": mask, "R = 2": uniform(cfg.size, 2)})

# %% [markdown]
# The adjoint is defined by inner products: $\langle Ax, y\rangle = \langle x, A^H y\rangle$ for all $x$ and $y$. It is
# not the inverse: it undoes neither the mask nor the weights of the coils.
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `adjoint(y, maps, mask)`, from data `(batch, coil, height, width)` to images `(batch, height, width)`.
# >
# > <details><summary>Hint 1</summary>$(MFS)^H = S^H F^H M^H$: the same three steps, the other way round.</details>
# > <details><summary>Hint 2</summary>A real mask is its own adjoint. The transform is orthonormal, so its adjoint is its
# > inverse, `ifft2c`.</details>
# > <details><summary>Hint 3</summary>$S$ copies one image to all coils and weighs the copies. $S^H$ weighs with the
# > conjugates and adds the coils up: `.sum(1)`.</details>


# %%
def adjoint(y, maps, mask):
    """From data (batch, coil, height, width) back to images (batch, height, width)."""
    #: solution
    return (maps.conj() * ifft2c(mask * y)).sum(1)
    #: end


check.ch03_adjoint(adjoint)

# %% [markdown] tags=["solution"]
# **Analysis.** Three steps, three adjoints. Without the conjugate the coils' phases are doubled and not removed,
# so the coils cancel each other when they are added up. With magnitudes for maps nobody would notice.

# %% [markdown]
# Many reconstructions that "do not converge" have a wrong adjoint: a missing conjugate, a scaled transform, a shift
# on the wrong side. The definition, tried with random complex $x$ and $y$, finds all of them.

# %%
adjoint = use(adjoint, check.ch03_adjoint)
x = torch.randn(1, cfg.size, cfg.size, dtype=torch.complex128)
y = torch.randn(kspace.shape, dtype=torch.complex128)
left = torch.vdot(forward(x, maps, mask).flatten(), y.flatten())
right = torch.vdot(x.flatten(), adjoint(y, maps, mask).flatten())
print(f"<Ax, y> and <x, A^H y> differ by {abs(left - right) / abs(left):.1e} of their size")
assert abs(left - right) < 1e-10 * abs(left)

# %% [markdown]
# Two facts about the transform that we rely on: a constant image has all its energy in the centre of k-space, and
# lengths are kept. And the library's `Sense` is the same model, so from here on we write `A`, `A.H` and `A.N`
# $= A^H A$.

# %%
constant = fft2c(torch.ones(1, cfg.size, cfg.size, dtype=torch.complex128))
centre = cfg.size // 2
assert abs(constant[0, centre, centre] - cfg.size) < 1e-9 and abs(constant.abs().sum() - cfg.size) < 1e-6
assert torch.allclose(fft2c(x).abs().square().sum(), x.abs().square().sum())

A = Sense(mask, maps)
assert torch.allclose(A(x), forward(x, maps, mask)) and torch.allclose(A.H(y), adjoint(y, maps, mask))
print("centred, orthonormal, and equal to course_lib.ops.Sense")

# %% [markdown]
# ## 3. Thirteen images into one
#
# Root-sum-of-squares needs no maps, which is why so many people use it. The matched combination
# $\sum_c \overline{S_c}\,x_c$ uses them. It is the least-squares answer for full data (Roemer et al. 1990), and it
# keeps the phase.
#
# Where there is much signal the two agree. The difference is in the dark. RSS squares the noise of all coils before
# adding it up, so it cannot average out. We show the dark end only; for this figure the maps go on outside the head
# (`crop=0`).

# %%
everywhere = espirit(kspace, crop=0)
matched = (everywhere.conj() * coil_images).sum(1)
air = torch.zeros_like(inside)
air[:, : cfg.size // 10, : cfg.size // 10] = True
floor = (rss[air].mean() / matched.abs()[air].mean()).item()
inside_ratio = (rss / matched.abs())[inside].median().item()
print(f"RSS / matched: {floor:.1f} in a corner of air, {inside_ratio:.3f} in the head (medians)")
assert floor > 2 and 1 <= inside_ratio < 1.1
figures.images({"RSS": rss, "matched": matched}, window=(0, 0.15)).saying(
    "The air around the head is grey in RSS and darker in the matched combination."
)

# %% [markdown]
# RSS lifts the black of the image to grey. Every weak signal sinks in that floor: air, cortical bone, dark vessels.
# From here on the **truth** is the matched combination of all samples. It is a measurement with noise of its own;
# section 12 returns to that.

# %% [markdown]
# ## 4. Skipping lines
#
# A scan takes as long as it has lines. Keep every second line, and the scan takes half the time.
#
# > **Predict 1.** We keep every second column of k-space and fill the rest with zeros. Before you run the next cell,
# > draw on paper what the RSS image shows. How many heads? Where is the second one? And with every fourth column?

# %%
truth = (maps.conj() * coil_images).sum(1)
aliased = {R: ifft2c(kspace * uniform(cfg.size, R)) for R in (2, 4)}
figures.images(
    {f"RSS, R = {R}": images.abs().square().sum(1).sqrt() for R, images in aliased.items()} | {"all samples": rss},
    window=grey(rss),
).saying("At R = 2 two heads overlap, half an image apart; at R = 4 four heads.")

# %% [markdown]
# $R$ heads, each moved by $1/R$ of the image's width, wrapped around and added up. Skipping *regularly* in k-space
# means *copying* in the image.
#
# Does the adjoint help? $A^H y$ weighs the coils with their maps. (We multiply it by $R$: each of the $R$ heads carries
# only $1/R$ of the brightness.) The metrics under the panels are the same in the
# whole course: relative error (NRMSE), peak signal-to-noise ratio (PSNR) and structural similarity (SSIM).

# %%
zero_filled = {f"zero-filled, R = {R}": R * (maps.conj() * images).sum(1) for R, images in aliased.items()}
window = grey(rss)
figures.images(zero_filled, truth, window=window, error_limit=0.5).saying(
    "At R = 2 the second head is pale; at R = 4 four heads overlap."
)

# %% [markdown]
# It helps, because a pixel and its alias are heard by different coils. At $R = 2$ the second head is pale. At $R = 4$
# it is not, and no amount of weighting will do: weighing adds up, but aliasing must be *solved*.

# %% [markdown]
# ## The idea
#
# Take one pixel of an aliased image at $R = 2$. Its value is a sum of two true pixels, half an image apart. One
# equation, two unknowns: hopeless. But every coil gives its own equation, with its own two weights, and the weights
# are known: they are the maps at the two places. Thirteen equations, two unknowns. Least squares solves that, and the
# heads come apart.
#
# This is SENSE (Pruessmann et al. 1999). It works as long as the coils see the two places *differently*. Where two
# columns of the small matrix are nearly parallel, the solution exists but shakes: a little noise in the data becomes
# a lot of noise in the image. So acceleration is paid for twice. Fewer samples average less noise, always by
# $\sqrt R$. And solving amplifies what is left, by a factor $g \ge 1$ that depends on the place.

# %% [markdown]
# ## 5. Unfolding by hand
#
# For every row and every group of $R$ pixels that fall on each other there is one small system $S x = a$: a matrix $S$
# of 13 coils times $R$ pixels, and 13 aliased values $a$. `fold` brings an array into that form. The $R$ pixels of a
# group are $\text{width}/R$ apart.


# %%
def fold(z, R):
    """(coil, height, width) -> (height, width / R, coil, R): the R pixels of a group next to each other."""
    return z.unflatten(-1, (R, -1)).permute(1, 3, 0, 2)


print(f"maps {tuple(maps.shape)}, folded at R = 2 {tuple(fold(maps[0], 2).shape)}: one 13 x 2 matrix a group")

# %% [markdown]
# > **Exercise 3** · core · 20 minutes · importance ★★★
# >
# > Write `unfold(aliased, maps, R)`: aliased coil images `(1, coil, height, width)` of every $R$-th line give the image
# > `(1, height, width)`. Solve the normal equations $S^H S\,x = S^H a$ of all groups at once. The width is a multiple of
# > $R$, and zero frequency is among the lines.
# >
# > <details><summary>Hint 1</summary>Each of the $R$ copies arrives with weight $1/R$, so the matrices are `fold(maps[0], R) / R`.
# > All $R$ pixels of a group show the same aliased values; take those of one, `fold(aliased[0], R)[..., :1]`.</details>
# > <details><summary>Hint 2</summary>`S.mH` is the conjugate transpose of every matrix. Outside the head the maps are 0, so
# > $S^H S$ has no inverse there; `torch.linalg.pinv(..., hermitian=True)` gives 0 instead of an error.</details>
# > <details><summary>Hint 3</summary>The solution is `(height, width / R, R, 1)`. Drop the last axis, put $R$ before
# > width / R, and flatten these two: `x[..., 0].mT.flatten(1)[None]`.</details>


# %%
def unfold(aliased, maps, R):
    """Aliased coil images of every R-th line (1, coil, height, width) -> image (1, height, width)."""
    #: solution
    S = fold(maps[0], R) / R  # each copy arrives with weight 1 / R
    a = fold(aliased[0], R)[..., :1]  # all R copies show the same sums; one is enough
    x = torch.linalg.pinv(S.mH @ S, hermitian=True) @ (S.mH @ a)
    return x[..., 0].mT.flatten(1)[None]
    #: end


check.ch03_unfold(unfold)

# %%
unfold = use(unfold, check.ch03_unfold)
by_hand = unfold(aliased[2], maps, 2)
folded = 2 * aliased[2].abs().square().sum(1).sqrt()
in_library = unfold_by_library(kspace * uniform(cfg.size, 2), uniform(cfg.size, 2), maps)
assert c.metrics.nrmse(by_hand, in_library) < 1e-3
figures.images({"RSS, R = 2": folded, "unfolded": by_hand}, truth, window=window, error_limit=0.1).saying(
    "Two heads on the left, one clean head on the right; its error holds noise and no second head."
)

# %% [markdown] tags=["solution"]
# **Analysis.** The right-hand side $S^H a$ is the zero-filled image of section 4. What unfolding adds is the inverse
# of $S^H S$, an $R \times R$ matrix a group. Its off-diagonal entries say how alike the coils see two pixels of the
# group. With its diagonal alone the second head would stay.

# %% [markdown]
# A few lines of linear algebra, and the same image as `course_lib.solve.unfold`. But they need a width that is a multiple
# of $R$, and lines that are exactly regular. For any other mask every pixel may mix with every other pixel in its row, and
# we need a solver for large systems.

# %% [markdown]
# ## 6. CG-SENSE: any mask
#
# We want the least-squares image, $\min_x \lVert Ax - y\rVert^2$. Setting the gradient to zero gives the normal
# equations $A^H A\,x = A^H y$. The matrix $A^H A$ has as many rows as the image has pixels. We never write it down;
# conjugate gradients only need to *apply* it (Pruessmann et al. 2001). Here is the whole algorithm. `dot` is the real
# inner product.


# %%
def conjugate_gradients(N, b, iterations):
    x = torch.zeros_like(b)
    r = p = b  # residual, and the direction to go next
    for _ in range(iterations):
        q = N(p)
        step = dot(r, r) / dot(p, q)
        x = x + step * p
        r, before = r - step * q, r
        p = r + dot(r, r) / dot(before, before) * p
    return x


A2 = Sense(uniform(cfg.size, 2), maps)
y2 = kspace * A2.mask
mine = conjugate_gradients(A2.N, A2.H(y2), iterations=15)
library = cg(A2.N, A2.H(y2), iterations=15)
for name, other in {"the library's cg": library, "unfolding by hand": by_hand}.items():
    difference = c.metrics.nrmse(mine, other).item()
    print(f"15 CG iterations against {name}: NRMSE {difference:.1e}")
    assert difference < 1e-3

# %% [markdown]
# The same image: CG found what the small systems said, without knowing that they exist.
#
# > **Predict 2.** Now $R = 6$, and we let CG run for 60 iterations. It solves the least-squares problem better with
# > every step. Sketch the error against the truth over the iterations. Does it fall to the end?


# %%
def errors(y, A, truth, iterations=60):
    """NRMSE against the truth after every CG iteration."""
    found = []
    cg(A.N, A.H(y), iterations=iterations, watch=lambda x, i: found.append(c.metrics.nrmse(x, truth).item()))
    return found


history = {R: errors(kspace * uniform(cfg.size, R), Sense(uniform(cfg.size, R), maps), truth) for R in (2, 3, 4, 6)}
for R, found in history.items():
    print(f"R = {R}: lowest {min(found):.3f} at iteration {found.index(min(found)) + 1}, {found[-1]:.3f} at the end")
assert history[6][0] > 1.5 * min(history[6]) and history[6][-1] > 1.05 * min(history[6])
figures.lines({f"R = {R}": found for R, found in history.items()}, "CG iteration", "NRMSE", lowest=True)

# %% [markdown]
# At low $R$ the curve falls and stays. At $R = 6$ it falls, turns and **rises**: *semi-convergence*. Early iterations
# solve the directions that the coils see well, and that is image. Late ones solve the directions that they hardly
# see, and that is noise, divided by a small number. The residual never tells: it falls all the time. The number of
# iterations is a regularisation parameter. It must be chosen on other data than those we report. We choose it on the
# same head at the smallest flip angle, another contrast with noise of its own.

# %%
A6 = Sense(uniform(cfg.size, 6), maps)
other = cut(cut(scans[:1], cfg.size, -1), cfg.size, -2) / bright
elsewhere = errors(other * A6.mask, A6, (maps.conj() * ifft2c(other)).sum(1))
best = elsewhere.index(min(elsewhere)) + 1
print(f"flip angle {degrees[0]} degrees chooses {best} iterations; here they give NRMSE {history[6][best - 1]:.3f}")
print(f"this truth would choose {history[6].index(min(history[6])) + 1}, for {min(history[6]):.3f}")
assert best < 60 and history[6][best - 1] < 1.1 * min(history[6])
stopped = {f"{n} iterations": cg(A6.N, A6.H(kspace * A6.mask), iterations=n) for n in (4, best, 60)}
figures.images(stopped, truth, window=window, error_limit=0.3).saying(
    "Stopped early: ghosts; stopped late: noise in the middle of the head."
)

# %% [markdown]
# Too early: ghosts are left. Too late: noise. In between: some of both. That is the bargain of every method in this
# course, and the reason why people began to *learn* what an image looks like.

# %% [markdown]
# ## 7. Noise
#
# ### Coils do not hear independent noise
#
# Coils pick up noise from the same tissue, and mixing channels mixes their noise. The covariance below was measured in
# the empty corners of the real k-space. Its channels are mixtures (section 1), so neighbours in the matrix are no
# neighbours at the head. Least squares weighs all equations alike, so it is best only for noise that is white: equal
# and independent.

# %%
spread = covariance[0].diagonal().real.sqrt()
correlation = covariance[0].abs() / (spread[:, None] * spread)
off = correlation - torch.eye(len(correlation))
print(f"largest correlation {off.max():.2f}; noisiest / quietest coil {spread.max() / spread.min():.2f}")
figures.heat({"13 x 13 coils": correlation}, "size of the correlation")

# %% [markdown]
# The cure is exact and cheap: mix the coils with a matrix $W$ so that the noise comes out white. Noise of covariance
# $\Psi$ has covariance $W\Psi W^H$ afterwards. The maps are mixed by the same $W$, and nothing else changes.
#
# > **Exercise 4** · core · 10 minutes · importance ★★☆
# >
# > Write `whiten(y, covariance)`: k-space `(batch, coil, height, width)` and the covariance of its noise
# > `(batch, coil, coil)` give k-space whose noise has the identity as its covariance. (Any $W$ that does it is right.)
# >
# > <details><summary>Hint 1</summary>For a single coil with variance $v$ you would divide by $\sqrt v$. Which matrix is
# > the root of $\Psi$?</details>
# > <details><summary>Hint 2</summary>`torch.linalg.cholesky` gives $L$ with $\Psi = LL^H$. Then $W = L^{-1}$.</details>
# > <details><summary>Hint 3</summary>A matrix meets the coil axis in `matrix @ y.flatten(2)`; `reshape` brings back
# > the shape.</details>


# %%
def whiten(y, covariance):
    """k-space (batch, coil, height, width), mixed so that its noise is white; covariance (batch, coil, coil)."""
    #: solution
    W = torch.linalg.inv(torch.linalg.cholesky(covariance))
    return (W @ y.flatten(2)).reshape(y.shape)
    #: end


check.ch03_whiten(whiten)

# %%
whiten = use(whiten, check.ch03_whiten)
white, white_maps = whiten(kspace, covariance), whiten(maps, covariance)

# %% [markdown] tags=["solution"]
# **Analysis.** $W\Psi W^H = L^{-1}LL^HL^{-H} = 1$. Any unitary mixture of the rows of $W$ does as well, so the symmetric
# root $\Psi^{-1/2}$ is another right answer: the image is the same, the virtual coils are not. Dividing each coil by
# its own standard deviation is not enough, since correlations stay.

# %% [markdown]
# Does it help? We measure by **pseudo-replicas** (Robson et al. 2008): add simulated noise of the right covariance
# again and again, reconstruct every time, and take the standard deviation of each pixel. It works for any method,
# linear or not.


# %%
def noise_map(y, A, covariance, iterations=25):
    """Standard deviation (height, width) of CG-SENSE over replicas of the noise, NaN where there is no signal."""
    unit_noise = torch.randn(cfg.replicas, *y.shape[1:], dtype=y.dtype)
    replicas = y + A.mask * mix(torch.linalg.cholesky(covariance), unit_noise)
    x = cg(A.N, A.H(replicas), iterations=iterations)
    variance = (x - x.mean(0)).abs().square().sum(0) / (cfg.replicas - 1)
    return variance.sqrt().where(inside[0], torch.nan)


unit = torch.eye(kspace.shape[1], dtype=kspace.dtype)[None]  # the covariance of whitened noise
noise = {}
for R in (1, 2, 3, 4, 6):
    mask = uniform(cfg.size, R)
    noise[R] = noise_map(white * mask, Sense(mask, white_maps), unit)
raw = noise_map(kspace, Sense(uniform(cfg.size, 1), maps), covariance)
gain = (raw / noise[1]).nanmedian().item()
print(f"not whitened, the noise is {gain:.2f} times as large: as if the scan had been {gain**2:.2f} times as short")
assert gain > 1.02

# %% [markdown]
# ### What an acceleration costs
#
# The same replicas at $R$ = 2, 3, 4 and 6 give the $g$-factor: noise at $R$, over noise of the full scan, over
# $\sqrt R$. This $R$ is the *effective* one, all lines over measured lines: every sixth of 128 columns is 22 columns.

# %%
samples_lost = {R: effective_acceleration(uniform(cfg.size, R)) for R in (2, 3, 4, 6)}
print("effective R:", ", ".join(f"{R} in name, {effective:.2f} in truth" for R, effective in samples_lost.items()))
g = {R: noise[R] / noise[1] / effective**0.5 for R, effective in samples_lost.items()}
print("median g in the head:", {f"R = {R}": round(values.nanmedian().item(), 2) for R, values in g.items()})
assert g[2].nanmedian() < 1.1 < g[4].nanmedian() < g[6].nanmedian()
figures.heat({f"R = {R}": values for R, values in g.items()}, "g", window=(1, 5)).saying(
    "Close to 1 everywhere at R = 2; bands where several heads overlap at R = 4; most of the head above 2 at R = 6."
)

# %% [markdown]
# $R = 2$ is almost a gift. At $R = 6$ the middle of the head, far from all coils, drowns.
#
# Replicas cost many reconstructions, and $N$ of them leave each pixel's $g$ uncertain by about $1/\sqrt{2N}$; the
# speckle at $R = 2$ is that. For regular lines and white noise there is a formula. In the small system of
# section 5, $(S^H S)^{-1}$ is the covariance of the $R$ pixels of a group. The noise of the full scan, where pixel $j$
# is alone, has variance $1/[S^H S]_{jj}$. So
#
# $$g_j = \sqrt{[(S^H S)^{-1}]_{jj}\,[S^H S]_{jj}}$$
#
# > **Exercise 5** · core · 15 minutes · importance ★★☆
# >
# > Write `g_factor(maps, R)`: maps `(1, coil, height, width)` of coils with white noise give $g$, `(1, height, width)`,
# > and 0 where no coil hears anything. The width is a multiple of $R$.
# >
# > <details><summary>Hint 1</summary>`fold(maps[0], R)` holds the matrices, as in exercise 3. A common factor such as $1/R$
# > cancels.</details>
# > <details><summary>Hint 2</summary>`torch.linalg.pinv(..., hermitian=True)` again. `diagonal(dim1=-2, dim2=-1)` reads the
# > diagonals of all matrices; they are real, but stored as complex numbers.</details>
# > <details><summary>Hint 3</summary>Rounding can make a 0 slightly negative, and its root NaN: `clamp(min=0)` first. Then
# > bring the pixels back in order as in exercise 3.</details>


# %%
def g_factor(maps, R):
    """g (1, height, width) of SENSE for every R-th line; maps (1, coil, height, width), white noise."""
    #: solution
    S = fold(maps[0], R)
    gram = S.mH @ S
    inverse = torch.linalg.pinv(gram, hermitian=True)
    variance, energy = (matrix.diagonal(dim1=-2, dim2=-1).real for matrix in (inverse, gram))
    return (variance * energy).clamp(min=0).sqrt().mT.flatten(1)[None]
    #: end


check.ch03_gfactor(g_factor)

# %%
g_factor = use(g_factor, check.ch03_gfactor)
for R in (2, 4):
    formula = g_factor(white_maps, R)[inside]
    assert torch.allclose(formula, gfactor(white_maps, uniform(cfg.size, R))[inside], rtol=1e-3)
    ratio = (g[R][inside[0]] / formula).nanmedian().item()
    print(f"g at R = {R}: replicas / formula {ratio:.3f} in the median; ", end="")
    print(f"by the formula above {formula.quantile(0.95):.2f} in the worst 5 % of the pixels")
    assert abs(ratio - 1) < 0.05

# %% [markdown] tags=["solution"]
# **Analysis.** If the coils see the pixels of a group as differently as can be, $S^H S$ is diagonal, the product is 1,
# and $g = 1$. Invert only the diagonal, and you get 1 everywhere: all of $g$ comes from the off-diagonal entries. The
# library's `course_lib.solve.gfactor` does the same for any first line and any covariance.

# %% [markdown]
# ## 8. Where do the maps come from?
#
# Both common ways look at the centre of k-space, here 24 x 24 samples, as a short calibration scan would give them.
# **Walsh** looks at the low-resolution image: in a small window, which combination of coils is strongest? **ESPIRiT**
# looks at k-space: which short kernels predict a sample from its neighbours? The maps are what such kernels leave
# unchanged.
#
# First test, without any truth: how large is the part of the coil images that the maps cannot explain, compared with
# the noise? Perfect maps would leave the noise alone, a ratio of 1.

# %%
kept = slice(centre - 12, centre + 12)
calibration = torch.zeros_like(white)
calibration[..., kept, kept] = white[..., kept, kept]
support = inside[:, None]
found = {"ESPIRiT": espirit(white) * support, "Walsh": walsh(ifft2c(calibration)) * support}
white_images = ifft2c(white) * support
unexplained = {}
for name, s in found.items():
    left_over = white_images - s * (s.conj() * white_images).sum(1, keepdim=True)
    unexplained[name] = (left_over.abs().square().sum() / (support.sum() * 12)).sqrt().item()  # 13 coils - 1 image
    print(f"{name}: what it leaves is {unexplained[name]:.2f} times the noise")
assert 1 < unexplained["ESPIRiT"] < unexplained["Walsh"]

# %% [markdown]
# Second test: reconstruct with both. The truth is now the RSS, because it prefers neither.

# %%
reference = white_images.abs().square().sum(1).sqrt()
A4 = {name: Sense(uniform(cfg.size, 4), s) for name, s in found.items()}
with_maps = {name: cg(A.N, A.H(white * A.mask), iterations=15) for name, A in A4.items()}
quality = {name: c.metrics.nrmse(x, reference).item() for name, x in with_maps.items()}
assert quality["ESPIRiT"] < quality["Walsh"]
in_noise = {"window": grey(reference), "error_limit": 6.0}  # whitened images count in standard deviations of the noise
figures.images(with_maps, reference, truth_title="RSS, all samples", **in_noise)

# %% [markdown]
# ESPIRiT's maps explain more of the coil images and give the better image. Neither reaches 1, the noise alone:
# no set of maps explains everything that coils record.

# %% [markdown]
# ## 9. Fewer, virtual coils
#
# Thirteen coils cost thirteen Fourier transforms an iteration. Their signals overlap, so a few mixtures hold nearly
# all the energy: principal components (Buehrer et al. 2007). A *virtual coil* is the inner product of the coils with an
# eigenvector of their covariance $\frac{1}{N}\sum_k y(k)\,y(k)^H$, where $y(k)$ holds what all coils measured at one of
# the $N$ places of k-space.
#
# > **Exercise 6** · stretch · 15 minutes · importance ★★☆
# >
# > Write `principal(kspace, coils)`: from k-space `(batch, coil, height, width)` the matrix `(batch, coils, coil)` whose
# > rows make the `coils` virtual coils with most energy, strongest first. Rows are orthonormal, so white noise stays
# > white.
# >
# > <details><summary>Hint 1</summary>`flat = kspace.flatten(2)` puts the samples into the last axis. The covariance is
# > `flat @ flat.mH`; a factor in front changes no eigenvector.</details>
# > <details><summary>Hint 2</summary>`values, vectors = torch.linalg.eigh(...)` sorts from small to large and has the
# > eigenvectors in its columns.</details>
# > <details><summary>Hint 3</summary>`vectors.mH` makes conjugated rows of them. `flip(1)` puts the last first.</details>


# %%
def principal(kspace, coils):
    """The matrix (batch, coils, coil) of the virtual coils with most energy, strongest first."""
    #: solution
    flat = kspace.flatten(2)
    vectors = torch.linalg.eigh(flat @ flat.mH)[1]
    return vectors.mH.flip(1)[:, :coils]
    #: end


check.ch03_compress(principal)

# %% [markdown]
# Mix k-space and maps with the same matrix, and nothing else changes.

# %%
principal = use(principal, check.ch03_compress)
compressed, cost, energy = {}, {}, {}
for coils in (13, 8, 4):
    matrix = principal(white, coils)
    virtual = mix(matrix, white)
    A = Sense(uniform(cfg.size, 4), mix(matrix, found["ESPIRiT"]))
    x = cg(A.N, A.H(virtual * A.mask), iterations=10)
    energy[coils] = (virtual.abs().square().sum() / white.abs().square().sum()).item()
    compressed[f"{coils} coils"], cost[coils] = x, c.metrics.nrmse(x, reference).item()
    print(f"{coils:2d} coils: {100 * energy[coils]:.1f} % of the energy, NRMSE {cost[coils]:.3f}")
assert cost[8] < 1.3 * cost[13] < cost[4] and energy[4] > 0.5
figures.images(compressed, reference, truth_title="RSS, all samples", **in_noise).saying(
    "Eight coils look like thirteen; with four, bands of error remain."
)

# %% [markdown] tags=["solution"]
# **Analysis.** The singular value decomposition of the samples gives the same matrix: its left singular vectors are
# the eigenvectors. An eigenvector may be multiplied by any phase, and so may a virtual coil, as long as its map is too.

# %% [markdown]
# Eight do nearly what thirteen do. Four do not: they hold most of the *energy*, but unfolding lives on the
# *differences* between coils, and those are small in energy. The course's `cpu` data have eight virtual coils for
# this reason.
#
# How few would *you* keep at $R = 4$? Below is the noise of every pixel with that many virtual coils, relative to the
# full scan with all 13, after the $\sqrt R$ that nobody can avoid. With 13 coils that is $g$.

# %%
heard = white_maps.abs().square().sum(1)


def noise_with(coils):
    """The noise at R = 4 with so many virtual coils, over sqrt(R) times the noise of the full scan with all 13."""
    few = mix(principal(white, coils), white_maps)
    return g_factor(few, 4) * (heard / few.abs().square().sum(1)).sqrt()


def price(coils):
    """The map of that noise, in the head."""
    noise = noise_with(coils).where(inside, torch.nan)
    worst = noise[inside].quantile(0.95)
    return figures.heat({f"{coils} virtual coils": noise}, "noise", window=(1, 5)).saying(
        f"{coils} coils: {noise[inside].median():.2f} in the median, above {worst:.1f} in the worst 5 % of the pixels."
    )


price(13)

# %%
more = {coils: ((noise_with(coils) / noise_with(13))[inside].median().item() - 1) * 100 for coils in (8, 4)}
print(f"noise of the median pixel: {more[8]:.0f} % more with 8 coils, {more[4]:.0f} % more with 4")
assert more[8] < 15 and more[4] > 30
price(4)

# %%
slider("virtual coils", price, (4, 5, 6, 7, 8, 10, 13))

# %% [markdown]
# From 13 down to eight coils the price hardly rises. With four, bands light up: there the coils that are left
# cannot tell the overlapping pixels apart.

# %% [markdown]
# ## 10. How good is it, on people it has not seen?
#
# Now the setting of the rest of the course: fastMRI's random masks at $R = 4$ with a full centre. Each mask is drawn
# anew, so the effective $R$ differs from slice to slice. The one free number, the iterations, is **tuned on the
# validation subjects** and then left alone. Its rival is the penalty of chapter 02: CG runs on, and Tikhonov's
# $\lambda\lVert x\rVert^2$ holds the noise down. That $\lambda$ is tuned in the same way.


# %%
def some(split):
    """At most cfg.slices slices of a split, spread over its volumes."""
    slices = c.data.slices(split, c.sampling.protocol(4))
    picked = torch.linspace(0, len(slices) - 1, min(cfg.slices, len(slices))).long()
    return [slices[i] for i in picked.tolist()]


validation = some("val")
iterations = c.tune(lambda n: c.build("sense_cg", iterations=int(n)), validation, [2, 3, 4, 6, 8, 12, 18, 27])
lam = c.tune(lambda v: c.build("sense_cg", iterations=30, lam=v), validation, [0.001, 0.003, 0.01, 0.03, 0.1, 0.3])
print(f"tuned on {len(validation)} validation slices: {iterations} iterations; or lambda = {lam} and 30 iterations")

# %%
methods = {
    "zero_filled": c.build("zero_filled"),
    "sense_cg": c.build("sense_cg", iterations=int(iterations)),
    "Tikhonov": c.build("sense_cg", iterations=30, lam=lam),
}
samples = {split: some(split) for split in c.data.splits(wanted=("test", "real"))}
scores = {}
for split, few in samples.items():
    scores[split] = {name: c.evaluate(method, few) for name, method in methods.items()}
    R = effective_accelerations(sample.mask for sample in few)
    print(f"{split}: {len(few)} slices, effective R (range) {R}")
    print(c.scores.table(scores[split], baseline="zero_filled"))
    psnr = scores[split]["sense_cg"].interval("psnr")
    print(f"sense_cg: PSNR {psnr.mean:.2f} dB, 95 % interval [{psnr.low:.2f}, {psnr.high:.2f}]")
    gain = scores[split]["Tikhonov"].over(scores[split]["sense_cg"])
    print(f"Tikhonov minus stopping early: {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}]\n")
assert all(rows["sense_cg"].over(rows["zero_filled"]).low > 0 for rows in scores.values())

# %% [markdown]
# The square brackets hold 95 % bootstrap intervals; the last column compares slice by slice. CG-SENSE gains PSNR on
# both, with intervals that exclude zero. Stopping early and a penalty are two forms of one bargain: compare their
# difference with what either gains. Look at the images before you believe the table: here is the slice with the lowest PSNR.

# %%
split = next(iter(samples))
worst = int(scores[split]["sense_cg"].values["psnr"].argmin())
sample = samples[split][worst]
n = sample.image.shape[-1]
box = (3 * n // 8, 3 * n // 8, n // 4, n // 4)
shown = {name: method(sample.kspace, sample.A) for name, method in methods.items()}
figures.images(shown, sample.image, zoom=box)

# %% [markdown]
# Random masks do not fold heads onto heads; they smear. CG removes part of the smear. What is left looks like noise
# and blur, and nothing in the data says which of the two it is. Chapters 05 and 15 add what is missing: knowledge
# about images.

# %% [markdown]
# ## 11. Break it
#
# **Too fast.** Thirteen coils, so thirteen equations: is $R = 8$ fine? Count again: coils side by side see nearly the
# same, and no mixture of them can see more.

# %%
broken = {}
for R in (3, 8):
    A = Sense(uniform(cfg.size, R), maps)
    broken[f"R = {R}"] = cg(A.N, A.H(kspace * A.mask), iterations=15)
assert c.metrics.nrmse(broken["R = 8"], truth) > 3 * c.metrics.nrmse(broken["R = 3"], truth)
figures.images(broken, truth, window=window, error_limit=0.3).saying(
    "R = 3 is clean; R = 8 is lost in noise and ghosts."
)

# %% [markdown]
# **Wrong maps.** Two channels swapped in a list, and maps that are off by a few pixels. $R = 3$ would be easy.

# %%
swapped = maps.clone()
swapped[:, [0, 1]] = maps[:, [1, 0]]
wrong = {"right maps": maps, "channels 1, 2 swapped": swapped, "maps moved by 1/32": maps.roll(cfg.size // 32, -1)}
broken = {}
for name, s in wrong.items():
    A = Sense(uniform(cfg.size, 3), s)
    broken[name] = cg(A.N, A.H(kspace * A.mask), iterations=15)
error = {name: c.metrics.nrmse(x, truth).item() for name, x in broken.items()}
assert error["channels 1, 2 swapped"] > 5 * error["right maps"]
assert error["maps moved by 1/32"] > 1.2 * error["right maps"]
figures.images(broken, truth, window=window, error_limit=0.3)

# %% [markdown]
# **The patient moves** after the calibration scan. The coils stay where they are, so the maps stay true. Or do they?
# We must simulate this one: the real image, moved sideways, seen by smooth maps that were fitted to the real ones and
# reach beyond the head, with real noise.

# %%
place = torch.stack(torch.meshgrid(axis(cfg.size), axis(cfg.size), indexing="xy"), -1)
coils = sensitivities(scanner().modes, place)[None]
coils = coils / coils.abs().square().sum(1, keepdim=True).sqrt()
A = Sense(uniform(cfg.size, 2), maps)  # maps as calibrated before the patient moved
for part in (64, 16):
    now = truth.roll(cfg.size // part, -1)
    full = fft2c(coils * now[:, None]) + mix(torch.linalg.cholesky(covariance), torch.randn_like(kspace))
    both = {"maps from before": A, "maps from after": Sense(A.mask, espirit(full))}
    moved = {name: cg(B.N, B.H(full * A.mask), iterations=15) for name, B in both.items()}
    error = [c.metrics.nrmse(x, now).item() for x in moved.values()]
    print(f"moved by 1/{part} of the width: NRMSE {error[0]:.3f} with maps from before, {error[1]:.3f} from after")
assert error[0] > 3 * error[1]
figures.images(moved, now, window=window, error_limit=0.3, truth_title="the moved head").saying(
    "With maps from before the motion the edge that moved out is lost, and its echo lies inside the head."
)

# %% [markdown]
# A small motion does little. With a larger one, part of the head lies where no map was measured. The model says
# "nothing can be there", and least squares puts that signal somewhere else. ESPIRiT's crop, so useful against noise,
# is a promise about where the head is. Scanners therefore calibrate in the same scan, or often.

# %% [markdown]
# ## 12. What the number hides
#
# NRMSE is one number for the whole image. The $g$-map says that errors are not spread evenly. Below is the same
# reconstruction at $R = 6$, with the iterations that section 6 chose on another contrast, scored in the half of the pixels
# with low $g$ and in the tenth with the highest.

# %%
A = Sense(uniform(cfg.size, 6), maps)
x = cg(A.N, A.H(kspace * A.mask), iterations=best)
limit = g[6][inside[0]].quantile(torch.tensor([0.5, 0.9]))
quiet, loud = (g[6] < limit[0])[None], (g[6] > limit[1])[None]
for name, where in {"everywhere": inside, "where g is low": quiet, "where g is high": loud}.items():
    print(f"{name:16}NRMSE {c.metrics.nrmse(x, truth, inside=where).item():.3f}")
own = (noise[1][None] / truth.abs())[inside].median().item()
print(f"noise of the truth itself: {100 * own:.1f} % of the signal in the median pixel")
assert c.metrics.nrmse(x, truth, inside=loud) > 1.1 * c.metrics.nrmse(x, truth, inside=quiet)

# %% [markdown]
# Four more things that the tables above cannot say:
#
# - **The truth is noisy**, and the measured lines of the data carry the *same* noise. A method that keeps them is
#   rewarded for it.
# - **The real scan is one person** in five contrasts. Its interval says how much contrasts vary, and nothing about
#   people.
# - **The test subject is simulated** with smooth maps that are known exactly. Real maps never are.
# - **A lesion is small.** If it lies in a band of high $g$, the mean error stays as it is and the lesion is gone.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. You forgot the conjugate of the maps in the adjoint. What finds it?",
    right={
        "an adjoint test with random complex maps": "The two inner products differ as soon as the maps have phases."
    },
    wrong={
        "an adjoint test with maps of magnitude only": "Real maps are their own conjugates, so the test passes.",
        "a look at the residual of the first iteration": "It starts at the norm of the data, with any adjoint.",
        "Parseval's theorem": "That tests the transform, which is right.",
    },
)

# %%
quiz.choice(
    "2. The same head, measured with twice the noise. How does the air in the RSS image change?",
    right={
        "twice as bright": "In air there is nothing but noise, squared before it is added up: a floor that follows it."
    },
    wrong={
        "it stays black, noise averages out": "Squares are positive. They cannot cancel, so nothing averages out.",
        "it stays as bright, only more grainy": "The brightness of the floor is the noise.",
    },
)

# %%
quiz.choice(
    "3. R = 2 and 13 coils that all have the same, constant map. What does unfolding with the pseudo-inverse show?",
    right={
        "two heads": "Thirteen times the same equation for two unknowns: the shortest solution shares the sum equally."
    },
    wrong={
        "one head, 13 equations are enough for two unknowns": "Only if they differ. Here the matrix has rank 1.",
        "one head with much noise": "That happens when the maps are nearly alike. Here nothing tells the pixels apart.",
    },
)

# %%
quiz.choice(
    "4. A pixel has g = 1.5 at R = 4. By which factor is its noise larger than in the full scan?",
    right={"3": "g times the root of R: 1.5 times 2."},
    wrong={
        "1.5": "That is the price of the coils alone. A quarter of the samples also averages less.",
        "6": "Fewer samples cost the root of R, not R.",
        "2": "That is the root of R alone, the price with perfect coils.",
    },
)

# %%
quiz.choice(
    "5. CG's residual falls from step to step, but the image becomes noisier. What do you do?",
    right={
        "stop earlier, at a number chosen on validation subjects": "Iterations regularise; like every such number they are tuned."
    },
    wrong={
        "iterate until the residual is small": "It fits the noise in the data, and ill-conditioned directions amplify it.",
        "stop where the error on the test subject is lowest": "Then the test subject is no test any more.",
        "look for the bug": "There is none: least squares does what it should. It is called semi-convergence.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
g8 = g_factor(white_maps, 8)
quiz.number(
    "6. All 13 coils, whitened, and R = 8. How large is g in the median pixel of the head (`inside`)? Use `g_factor`.",
    g8[inside].median(),
    "With the root of 8, noise is far above that of the full scan. 13 equations for 8 unknowns are not enough in practice.",
    near={
        g8.median().item(): "That is the median of the whole image. Take the pixels of the head, `[inside]`.",
        g8[inside].mean().item(): "That is the mean. The question asks for the median.",
        8**0.5 * g8[inside].median().item(): "That includes the root of R; g is what comes on top of it.",
        g_factor(maps, 8)[inside].median().item(): "These maps are not whitened; take `white_maps`.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** $y = MFSx + n$ and its adjoint, and **verified** them: one inner product finds every wrong adjoint.
# - You **combined** coils: RSS needs no maps and pays with a noise floor; the matched combination keeps phase and
#   darkness.
# - You **unfolded** by hand: $R$ unknowns, as many equations as coils.
# - You **ran** CG on any mask, and **stopped** it: iterations regularise, and they are tuned on validation data.
# - You **whitened** noise and **measured** it with replicas and a formula; $\sqrt R$ is the price of the samples, $g$
#   the price of the coils. You **chose** how many coils to keep, and energy is a bad adviser.
# - You **judged** with intervals and **broke** it with acceleration, wrong maps and motion.
#
# **Next**: chapter 04 does without maps; chapter 05 adds sparsity.

# %% [markdown]
# ## From text to source
#
# | in this chapter | in the library |
# |---|---|
# | `forward`, `adjoint` | `course_lib.ops.Sense` |
# | `unfold` | `course_lib.solve.unfold`: any first line |
# | `conjugate_gradients` | `course_lib.solve.cg` |
# | `whiten`, `principal` | `whiten`, `compress` in `course_lib.solve.calibrate` |
# | `g_factor` | `course_lib.solve.gfactor`: any first line, any covariance |
# | maps | `espirit`, `walsh` in `course_lib.solve.calibrate` |
#
# Here is one of them in full. `c.show("sense_cg")` prints the method of section 10: equation, card, code and claims
# that are tested.

# %%
print(inspect.getsource(gfactor))
print(c.show("sense_cg"))

# %% [markdown]
# ## Project
#
# > **Exercise 7** · project · 90 minutes · importance ★★☆
# >
# > The scan has five flip angles (`scans`, `degrees`), one head and one set of coils. Take the maps from *one* of them
# > and reconstruct the other four at $R = 3$, with and without whitening. Which contrast suffers most? Is it the
# > $g$-factor that makes the difference, or the signal?
# >
# > | points | for |
# > |---|---|
# > | 2 | maps from one flip angle, the same for all; the truth of each contrast from its own full k-space |
# > | 2 | eight reconstructions, with and without whitening; iterations chosen on the angle that gave the maps |
# > | 3 | noise of each pixel by replicas, and the signal of each contrast: a table of both, and of NRMSE |
# > | 2 | an answer to "$g$ or signal?" that the table supports, and what would have refuted it |
# > | 1 | one image that shows the worst case, with one sentence on what a reader of it would miss |
# >
# > <details><summary>Hint 1</summary>$g$ depends on maps, noise covariance and mask. Which of the three changes with the
# > flip angle?</details>
# > <details><summary>Hint 2</summary>`noise_map` measures the noise of any of them; `cut(cut(scans[i : i + 1], cfg.size,
# > -1), cfg.size, -2) / bright` is one contrast in the units of this chapter.</details>

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## References
#
# - Roemer et al. (1990). The NMR phased array. *Magn. Reson. Med.* [10.1002/mrm.1910160203](https://doi.org/10.1002/mrm.1910160203)
# - Pruessmann et al. (1999). SENSE: sensitivity encoding for fast MRI. *Magn. Reson. Med.* [10.1002/(SICI)1522-2594(199911)42:5<952::AID-MRM16>3.0.CO;2-S](https://doi.org/10.1002/%28SICI%291522-2594%28199911%2942%3A5%3C952%3A%3AAID-MRM16%3E3.0.CO%3B2-S)
# - Walsh, Gmitro & Marcellin (2000). Adaptive reconstruction of phased array MR imagery. *Magn. Reson. Med.* [10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G](https://doi.org/10.1002/%28SICI%291522-2594%28200005%2943%3A5%3C682%3A%3AAID-MRM10%3E3.0.CO%3B2-G)
# - Pruessmann et al. (2001). Advances in sensitivity encoding with arbitrary k-space trajectories. *Magn. Reson. Med.* [10.1002/mrm.1241](https://doi.org/10.1002/mrm.1241)
# - Buehrer et al. (2007). Array compression for MRI with large coil arrays. *Magn. Reson. Med.* [10.1002/mrm.21237](https://doi.org/10.1002/mrm.21237)
# - Robson et al. (2008). Comprehensive quantification of signal-to-noise ratio and g-factor. *Magn. Reson. Med.* [10.1002/mrm.21728](https://doi.org/10.1002/mrm.21728)
# - Uecker et al. (2014). ESPIRiT: an eigenvalue approach to autocalibrating parallel MRI. *Magn. Reson. Med.* [10.1002/mrm.24751](https://doi.org/10.1002/mrm.24751)
# - Maier et al. (2020). PyQMRI. *J. Open Source Softw.* [10.21105/joss.02727](https://doi.org/10.21105/joss.02727)
# - Montalt-Tordera et al. (2021). Machine learning in MRI: image reconstruction. *Phys. Med.*, section 1.1. [10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
