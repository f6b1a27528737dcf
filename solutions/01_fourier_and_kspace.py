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
# # 01 Fourier and k-space
#
# ![Three panels. Left, what a scanner recorded: a bright star in the middle of a dark, speckled square. Middle, the
# image made from the one percent of the samples nearest the middle: a blurred head. Right, the image made from all
# samples: a sharp slice through a brain.](../docs/01_fourier_and_kspace.png)
#
# The left square is all that the scanner recorded. **Where in it is the brain, and what happens if we record less?**

# %% [markdown]
# ## What you can do at the end
#
# 1. **Say** what one sample of k-space measures, and **build** an image from a few of them (section 1,
#    the slider, question 1).
# 2. **Verify** the conventions of the Fourier transform in code: zero frequency, lengths, shifts (section 3,
#    exercises 1 to 3).
# 3. **Choose** field of view and pixel size, and **name** the artefact of each wrong choice (sections 5 and 6,
#    questions 2 and 3).
# 4. **Predict** the artefact of a sampling mask from its point spread function (section 8, question 6).
# 5. **Reconstruct** a real radial scan by gridding, and **explain** density compensation (section 9,
#    question 5).
# 6. **Tune** and **judge** on people who were not used for tuning, and on real scans (sections 10 and 11,
#    question 4).
#
# **You need** linear algebra, complex numbers and Python. You need to know nothing about MRI. **Time**: about 75
# minutes of reading and thinking. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import platform
import time
from dataclasses import dataclass
from math import pi

import torch

import course_lib as c
from course_lib.data import radial
from course_lib.data.embedded import real_scan
from course_lib.data.simulate import cut
from course_lib.evaluate import head
from course_lib.ops import Radial, fft2c, ifft2c, ramp
from course_lib.profiles import profile
from course_lib.sampling import golden_angle, poisson, random, uniform
from course_lib.solve.calibrate import espirit
from course_lib.teach import check, figures, patterns, quiz, slider, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    size: int  # pixels along each axis
    coils: int  # of the radial scan, after compression
    slices: int  # at most so many slices of each split in the tables
    tv: int  # iterations of total variation


cfg = {
    "ci": Settings(64, 4, 2, 15),
    "cpu": Settings(128, 8, 4, 40),
    "gpu": Settings(224, 13, 12, 80),
}[profile().name]
torch.manual_seed(1)
for name, value in {"profile": profile().name, **vars(cfg)}.items():
    print(f"{name:10}{value}")
print(f"{'versions':10}Python {platform.python_version()}, torch {torch.__version__}, course_lib {c.__version__}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $x(r)$ | the image: one complex number a pixel $r$, counted from the middle one, n // 2 | `x` |
# > | $k$ | a spatial frequency, in waves across the field of view | `ky`, `kx` |
# > | $X(k)$ | k-space: one complex number a frequency | `kspace` |
# > | $F$ | the Fourier transform from $x$ to $X$, centred and orthonormal | `fft2c`, `ifft2c` |
# > | $n$ | pixels along an axis | `n` |
# > | $R$ | acceleration: all samples over acquired samples | `R` |
# >
# > Images are `(batch, height, width)`. Rows of k-space belong to height, columns to width.

# %% [markdown]
# ## The data
#
# Two real scans, nothing simulated. The first measured every sample of a Cartesian grid: one slice of a brain, 13
# receive antennas, called *coils* (PyQMRI's test data, Maier et al. 2020, Apache-2.0 licence). We merge the coils into one
# image; chapter 03 shows how. The second measured *spokes*, straight lines through the centre: another brain, 32 coils, 64
# spokes (gpuNUFFT, MIT licence). `data/PROVENANCE.md` says what was done to them. To save time we keep the centre of k-space.
#
# The tables of sections 10 and 11 also use simulated scans of other people, split by subject: what is tuned is tuned
# on validation subjects.

# %%
n = cfg.size
coils = cut(cut(real_scan()[0][2:3], n, -1), n, -2)  # k-space of 13 coils, flip angle 9 degrees
x = (espirit(coils).conj() * ifft2c(coils)).sum(1)  # one image (1, height, width)
x = x / x[head(x) > 0].abs().median()  # 1 is the brightness of the median tissue
x = x * torch.exp(-0.5j * x.square().sum().angle())  # the free constant phase: as real as possible
GREY = (0.0, 2.5)  # the window of all figures of this scan; fat at the skin is brighter
kspace = fft2c(x)
print(f"image {tuple(x.shape)}, {x.dtype}")
figures.kspace({"k-space of the real scan": kspace})

# %% [markdown]
# ## 1. One sample is one wave
#
# A magnetic field that grows from left to right (a *gradient*) makes the spins (the tiny magnets of hydrogen nuclei) on
# the right turn faster. After a moment their directions form a wave across the body. The antenna hears the *sum* of all
# spins. Where the body has structure that fits the wave, the sum is large; elsewhere it cancels. So one sample tells
# **how much of one wave is in the image**:
#
# $$X(k) = \frac{1}{n}\sum_r x(r)\, e^{-2\pi i\, k\cdot r / n}$$
#
# Stronger or longer gradients give finer waves. A scan is a list of waves, one sample each.
#
# One column of k-space, called a *line*, is read in one go while a gradient is on (the *readout*). Before each line
# another gradient sets its place (*phase encoding*), and that takes the time.


# %%
def wave(ky, kx):
    """The wave with ky periods down and kx periods across, (height, width); r = 0 in pixel n // 2."""
    r = torch.arange(n) - n // 2
    return torch.exp(2j * pi * (ky * r[:, None] + kx * r) / n)


ky, kx = 2, 5
by_hand = (x[0] * wave(ky, kx).conj()).sum() / n
stored = kspace[0, n // 2 + ky, n // 2 + kx]
print(f"sum over the image {by_hand:.4f}, sample of k-space {stored:.4f}")
assert abs(by_hand - stored) < 1e-4 * kspace.abs().max()
shown = [(0, 1), (0, 5), (2, 5), (9, 0), (8, -12)]
figures.images({f"ky = {a}, kx = {b}": (1 + wave(a, b).real[None]) / 2 for a, b in shown}, window=(0, 1)).saying(
    "Stripes across, more and tilted with growing frequency."
)

# %% [markdown]
# The image is the sum of all waves, each with its complex number: size says how strong, phase says where its crests
# lie. That sum is the inverse transform, and it is the whole of the naive reconstruction.
#
# > **Predict 1.** An image of $n \times n$ pixels has $n^2$ waves. We add up only the strongest. How many percent do
# > you need before you see a head? Before you see the folds of the brain?
#
# Under each panel: NRMSE (length of the error over length of the truth; 0 is perfect), PSNR (dB; higher is better), SSIM
# (similarity of structure; 1 is perfect).

# %%
strongest = kspace.abs().flatten().argsort(descending=True)
few = {}
for percent in (0.2, 1, 5, 20):
    kept = torch.zeros(n * n)
    kept[strongest[: round(n * n * percent / 100)]] = 1
    few[f"{percent} % of the waves"] = ifft2c(kspace * kept.reshape(n, n))
figures.images(few, x, window=GREY)

# %% [markdown]
# One percent of the waves shows a head, a fifth shows the brain, folds included. Images are *compressible*; chapter 05
# builds on that. The catch: we chose the strongest after measuring all of them.

# %% [markdown]
# ## 2. The centre is contrast, the edge is detail
#
# Long waves are in the centre of k-space, short ones at its edge. Take a disc out of the middle, or leave it out. (The
# *energy* in the print is the sum of the squared magnitudes.)

# %%
r = torch.arange(n) - n // 2
distance = torch.hypot(r[:, None].float(), r.float())
disc = (distance <= n / 12).float()
parts = {"centre only": ifft2c(kspace * disc), "all but the centre": ifft2c(kspace * (1 - disc)), "all": x}
energy = (kspace * disc).abs().square().sum() / kspace.abs().square().sum()
print(f"the disc holds {100 * disc.mean():.1f} % of the samples and {100 * energy:.1f} % of the energy")
assert disc.mean() < 0.03 and energy > 0.5
figures.images(parts, window=GREY).saying(
    "The centre gives a blurred head with its contrast; the rest gives outlines on black."
)

# %% [markdown]
# How much of the centre do you need before the folds of the brain can be told apart? Find the smallest percentage that
# satisfies *you*, then read its NRMSE: eye and number often disagree.


# %%
def centre(percent):
    """The image of a disc with `percent` of the samples, beside the disc."""
    kept = (distance <= n * (percent / 100 / pi) ** 0.5).float()
    image = ifft2c(kspace * kept)
    return figures.images({"samples kept": kept[None] * GREY[1], "image": image}, window=GREY).saying(
        f"{percent} % of the samples: NRMSE {c.metrics.nrmse(image, x).item():.3f}."
    )


centre(2)

# %%
centre(20)

# %%
slider("percent of the samples", centre, (0.5, 1, 2, 5, 10, 20, 40, 70))

# %% [markdown]
# ## 3. Conventions, verified
#
# Every library has its own idea of where zero frequency lies and what is divided by what. Ours: **centred** (zero
# frequency, and the origin of the image, at index n // 2) and **orthonormal** (divide by $\sqrt{\text{pixels}}$ in both
# directions). The plain FFT has zero in the corner, so it must be shifted on *both* sides.
#
# Here is the first exercise. Write your code in the place of the line that raises an error. `check` names your mistake if it
# knows it. `use` takes the course's solution until yours is right, so nobody is stuck. *Core* exercises carry the goals;
# *stretch* and *project* are for those who have time; stars say how important one is.


# %% [markdown]
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `transform(x)`, the centred orthonormal Fourier transform of `(batch, height, width)`, with the plain
# > `torch.fft.fft2`. It must also be right for odd sizes.
# >
# > <details><summary>Hint 1</summary>The plain transform takes the corner as the origin, before and after. Yours is in the
# > middle, before and after.</details>
# > <details><summary>Hint 2</summary>`torch.fft.ifftshift` moves the middle to the corner, `torch.fft.fftshift` moves
# > the corner to the middle. For odd sizes they differ.</details>
# > <details><summary>Hint 3</summary>`norm="ortho"` divides by the root of the number of pixels. Shift axes -2 and -1, not
# > the batch.</details>


# %%
def transform(x):
    """The centred orthonormal transform of (batch, height, width), written with the plain FFT."""
    #: solution
    axes = (-2, -1)
    return torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(x, axes), norm="ortho"), axes)
    #: end


check.ch01_transform(transform)

# %%
transform = use(transform, check.ch01_transform)

# %% [markdown] tags=["solution"]
# **Analysis.** From the middle to the corner, transform, from the corner to the middle. With an even size both shifts
# are the same roll by half, so exchanging them goes unnoticed until somebody has 217 pixels.

# %%
assert torch.allclose(transform(x), kspace, atol=1e-4)
constant = transform(torch.ones(1, n, n))
assert (constant.abs() > 1e-3).nonzero().tolist() == [[0, n // 2, n // 2]]  # zero frequency is in the middle
assert abs(constant[0, n // 2, n // 2] - n) < 1e-3
lengths = kspace.norm() / x.norm()
print(f"Parseval: |X| / |x| = {lengths:.6f}")
assert abs(lengths - 1) < 1e-5
one_shift = torch.fft.fftshift(torch.fft.ifft2(kspace, norm="ortho"), (-2, -1))  # k-space was not shifted back
assert torch.allclose(one_shift.abs(), x.abs(), atol=1e-3)
inside = head(x) > 0
figures.heat(
    {
        name: image.angle().where(inside, torch.nan)
        for name, image in {"centred": x, "one shift forgotten": one_shift}.items()
    },
    "phase (rad)",
    window=(-pi, pi),
    scale=figures.CYCLIC,
).saying("Smooth over the head on the left; a chequerboard on the right.")

# %% [markdown]
# Parseval's theorem (lengths are kept) lets us measure errors on either side. A forgotten shift leaves magnitudes as
# they are, and makes the phase jump by half a turn from pixel to pixel. Nobody notices until phases are compared: coils, motion, networks.
#
# Two more theorems. **Shift**: moving the image multiplies k-space by a phase ramp. **Convolution**: multiplying
# k-space by a function blurs the image with that function's transform. Everything in sections 5 to 8 is the second.

# %%
moved = ifft2c(kspace * wave(0, -n // 8))  # a phase ramp along kx
assert torch.allclose(moved, x.roll(n // 8, -1), atol=1e-4)

blur = torch.exp(-distance.square() / (2 * (n / 10) ** 2))  # multiply k-space by a Gaussian ...
kernel = ifft2c(blur[None] + 0j) / n  # ... whose transform is another Gaussian
near = [(a, b) for a in range(-9, 10) for b in range(-9, 10)]
sum_of_shifts = sum(x.roll((a, b), (-2, -1)) * kernel[0, n // 2 + a, n // 2 + b] for a, b in near)
difference = c.metrics.nrmse(sum_of_shifts, ifft2c(kspace * blur)).item()
print(f"sum of shifted images against product in k-space: NRMSE {difference:.1e}")
assert difference < 1e-2

# %% [markdown]
# ## 4. Phase
#
# If $x$ is real, then $X(-k) = \overline{X(k)}$: the second half of k-space is a copy, and half the scan is for
# nothing. Is our image real?

# %%
figures.heat(
    {"phase of the real scan": x.angle().where(inside, torch.nan)}, "rad", window=(-pi, pi), scale=figures.CYCLIC
).saying("Slow in the brain, with a step at the fat of the skin.")


# %% [markdown]
# > **Exercise 2** · core · 10 minutes · importance ★★☆
# >
# > Write `opposite(k)`: k-space `(batch, height, width)` in which each sample is replaced by the conjugate of the sample
# > at $-k$. For a real image it changes nothing.
# >
# > <details><summary>Hint 1</summary>`flip(-2, -1)` reverses both axes. Where does zero frequency, index n // 2, go?</details>
# > <details><summary>Hint 2</summary>With 4 columns the frequencies are -2, -1, 0, 1. The flip gives 1, 0, -1, -2. Which
# > roll puts 0 back to index 2? And with 5 columns?</details>
# > <details><summary>Hint 3</summary>An even axis needs `roll(1)`, an odd one none. Index 0 of an even axis is then its own
# > opposite.</details>


# %%
def opposite(k):
    """The conjugate of the sample at -k, for each sample of (batch, height, width)."""
    #: solution
    moves = [1 - size % 2 for size in k.shape[-2:]]  # index 0 of an even axis is its own opposite
    return k.flip(-2, -1).roll(moves, (-2, -1)).conj()
    #: end


check.ch01_mirror(opposite)

# %%
opposite = use(opposite, check.ch01_mirror)

# %% [markdown] tags=["solution"]
# **Analysis.** The conjugate alone would reflect every wave's phase, the flip alone its direction. Off by one is the
# usual mistake: the image then gets a phase ramp, which the magnitude hides.

# %%
half = (r >= 0).float()  # the right half of the columns ...
half[0] = 1  # ... and the one that is its own opposite
mirrored = {}
for name, image in {"magnitude image": x.abs() + 0j, "real scan": x}.items():
    k = fft2c(image)
    mirrored[name] = ifft2c(torch.where(half > 0, k, opposite(k * half)))
    broken = (k - opposite(k)).norm() / k.norm()
    print(f"{name:16}k-space and its conjugate mirror image differ by {100 * broken:.0f} %")
assert torch.allclose(mirrored["magnitude image"].abs(), x.abs(), atol=1e-3)
figures.images(mirrored, x, window=GREY).saying("Perfect for the magnitude image, ghosts for the real scan.")

# %% [markdown]
# For a magnitude image the trick is perfect. For the real scan it makes ghosts: field inhomogeneity, coils, fat and
# flowing blood give every pixel a phase. Two lessons. *Partial Fourier* methods, which measure little more than half of
# k-space, must first estimate the phase (exercise 4). And a network that is trained on the k-space of magnitude images
# has seen an easier world than the scanner's.

# %% [markdown]
# ## 5. Field of view: how dense must samples lie?
#
# **Samples at distance $\Delta k$ see a field of view of $1/\Delta k$.** Two places that are $1/\Delta k$ apart give the
# same phase in every sample, so the data cannot tell them apart. Leave out every second column, and the field of
# view is halved. What lies outside folds in. (Here $k$ counts waves per millimetre. In the figure images are multiplied
# by $R$, since each copy has only $1/R$ of the brightness.)

# %%
folded = {f"1 of {R} columns": R * ifft2c(kspace * uniform(n, R)[0]) for R in (2, 3)}
copies = x + x.roll(n // 2, -1)
assert torch.allclose(folded["1 of 2 columns"], copies, atol=1e-3)  # exactly two heads, half an image apart
figures.images(folded | {"all": x}, window=GREY).saying("Two, then three heads on each other.")

# %% [markdown]
# This is aliasing, and Nyquist's rule is its other face: to see an object of width $L$, samples may be at most
# $1/L$ apart. Along the *readout* samples are free, because the antenna is sampled anyway. So scanners take twice as
# many there and throw the empty outer half away. The files of this course keep all rows, like those of fastMRI, a large
# public collection of raw data from which the course also takes its random masks.

# %%
volume = c.data.read(next(iter(sorted((c.data.root() / "test").glob("*.h5")))))
raw = volume.kspace(len(volume) - 1)
wide = ifft2c(raw).abs().square().sum(1).sqrt()
print(f"k-space {tuple(raw.shape[-2:])}, image {volume.rows} rows")
assert raw.shape[-2] == 2 * volume.rows
figures.images({"readout (top to bottom) twice oversampled": wide}).saying("A head with an empty half around it.")

# %% [markdown]
# ## 6. Resolution: how far must samples reach?
#
# The finest wave decides the smallest pixel: $\Delta x = 1/(\text{extent of k-space})$. Stop early and the image
# blurs. It also *rings*: a sharp end in k-space is a multiplication with a box, so the image is convolved with the
# box's transform, a sinc. On an ideal edge the overshoot is 9 %, however many samples are taken (Gibbs).

# %%
line = torch.zeros(1, 1, 512) + 0j
line[..., 128:384] = 1  # a box: two ideal edges
spectrum = fft2c(line)


def seen(window):
    """Keep the centre of the line's k-space, under a window; zeros around it bring it back to 512 points."""
    kept = torch.zeros(512)
    kept[256 - len(window) // 2 : 256 + len(window) // 2] = window
    return ifft2c(spectrum * kept).real[0, 0]


edges = {"box, 32 samples": seen(torch.ones(32)), "box, 96 samples": seen(torch.ones(96))}
edges["Hann, 96 samples"] = seen(torch.hann_window(96, periodic=False))
overshoot = {name: (values.max() - 1).item() for name, values in edges.items()}
print({name: f"{100 * value:.1f} %" for name, value in overshoot.items()})
assert all(0.06 < overshoot[name] < 0.12 for name in edges if "box" in name) and overshoot["Hann, 96 samples"] < 0.01
figures.lines({name: v[100:200].tolist() for name, v in edges.items()}, "place", "value", x=list(range(100, 200)))

# %% [markdown]
# A window that fades out (Hann) removes the ringing and pays with a wider edge. And note how the curves got their
# 512 points from 32 samples: **zero-padding interpolates**. It draws smooth curves; it adds no information. The
# pixels on a display can be smaller than what was measured.

# %%
small = cut(cut(kspace, n // 4, -1), n // 4, -2)
fade = torch.hann_window(n // 4, periodic=False)
padded = {}
for name, k in {"box": small, "Hann": small * fade[:, None] * fade}.items():
    full = torch.zeros_like(kspace)
    low = n // 2 - n // 8
    full[:, low : low + n // 4, low : low + n // 4] = k
    padded[f"{name}, zero-padded"] = ifft2c(full)
coarse = ifft2c(small) / 4  # orthonormal: a quarter of the size has a quarter of the values
assert torch.allclose(padded["box, zero-padded"][:, ::4, ::4], coarse, atol=1e-4)  # the same numbers, with more between
repeated = coarse.repeat_interleave(4, -1).repeat_interleave(4, -2)
figures.images({f"{n // 4} x {n // 4} samples": repeated} | padded | {"all": x}, window=GREY)

# %% [markdown]
# ## 7. Noise
#
# The antenna and the body add thermal noise to every sample: complex, Gaussian, the same for all. The transform is
# orthonormal, so the noise of each *pixel* has that same standard deviation $\sigma$, wherever it is, whatever the image (of the
# complex number; real and imaginary part have $\sigma/\sqrt2$ each).

# %%
sigma = 0.05
noise = sigma * torch.randn(400, 32, 32, dtype=torch.complex64)
print(f"in k-space {noise.std():.4f}, in the image {ifft2c(noise).std():.4f}")
assert abs(ifft2c(noise).std() / sigma - 1) < 0.01
signal = torch.tensor([0.0, 1.0, 3.0]) * sigma
for level, seen in zip(signal, (signal[:, None] + noise.flatten()[None]).abs().mean(1)):
    print(f"true value {level / sigma:.0f} sigma: mean of the magnitude {seen / sigma:.2f} sigma")

# %% [markdown]
# Magnitudes cannot be negative, so the magnitude of noise is not zero on average: dark regions look brighter than they
# are. We keep complex numbers until the end. Signal differs from noise: it sits in the centre of k-space. Samples far
# out hold little signal and full noise; larger pixels therefore have a better signal-to-noise ratio (not shown here).

# %% [markdown]
# ## 8. Masks and their point spread
#
# Now leave samples out on purpose. Zeros in their place multiply k-space by a *mask*. By the convolution theorem each
# pixel is replaced by the mask's transform: its **point spread function** (PSF). The largest value of the PSF away from
# its peak, over the peak, is the *side lobe*. The number to report is the *effective* acceleration, all samples over
# acquired ones, the full centre included.
#
# > **Predict 2.** Below are six patterns. Which will give clean copies? Which blur? Which something like noise? Which
# > streaks? Write it down, then look at the lower row. (A Poisson disc is random points that keep a distance from each
# > other.)

# %%
square = (n, n)
box = torch.zeros(1, 1, 1, n)
box[..., 3 * n // 8 : 5 * n // 8] = 1
masks = {
    "1 of 4 lines": uniform(n, 4),
    "random lines": random(n, 4, 0.08, seed=4),
    "Poisson disc": poisson(square, 4, calibration=n // 10),
    "random points": (torch.rand(1, 1, n, n) < 0.25).float(),
    "centre only": box,
}
spokes = golden_angle(n // 4, 2 * n)
patterns.dictionary(masks, {"radial": spokes}, square)

# %%
zero_filled = {}
for name, mask in masks.items():
    image = ifft2c(kspace * mask[0])
    scale = (image.conj() * x).sum().real / image.abs().square().sum()  # the best one brightness, to compare shapes
    zero_filled[name] = scale * image
figures.images(zero_filled, x, window=GREY)

# %% [markdown]
# (The radial pattern is not on the grid; section 9 makes its image. Its PSF is a peak and, further out,
# thin rays: streaks.)
#
# Regular skipping gives full copies (side lobe 1): no algorithm can know which head is the true one, unless coils
# tell (chapter 03). The centre alone gives blur: its "side lobe" is the pixel next door. Random patterns spread the
# same lost energy thinly over the image, like noise, and noise can be removed: that is the *incoherence* that
# compressed sensing wants (Lustig et al. 2007). Along a single axis there is little room to be random in; points in
# the plane do better, but a scanner can only choose them in 3-D scans, where two axes are phase-encoded.
#
# Incoherent is not the same as good. Random points without a dense centre have the lowest side lobes of all, and lose
# most of the signal.

# %%
lobes = {name: c.sampling.side_lobe(c.sampling.psf(mask)) for name, mask in masks.items()}
error = {name: c.metrics.nrmse(image, x).item() for name, image in zero_filled.items()}
for name in masks:
    print(f"{name:16}side lobe {lobes[name]:.2f}   zero-filled NRMSE {error[name]:.3f}")
assert lobes["random points"] < lobes["random lines"] < lobes["1 of 4 lines"] + 1e-3
assert error["centre only"] < error["random lines"]

# %% [markdown]
# ## 9. Radial: samples off the grid
#
# Spokes through the centre are robust to motion, and every one of them sees the contrast. But the samples do not lie
# on a grid, so there is no fast transform and no plain inverse. **Gridding** spreads each sample onto nearby grid
# points with a small bell (the kernel), transforms, and divides by the kernel's transform. `Radial` does that; its
# definition is the sum of section 1 with any real $k$, and that we can check.
#
# Gridding's way back to the image is the *adjoint* $A^H$, the conjugate transpose of the matrix $A$ that gives the
# samples: add up each wave with its sample. Alone it is a bad image. All spokes meet in the centre, so long waves are
# counted many times. **Density compensation** multiplies each sample by the area it stands for, $|k|$ for spokes.

# %%
few_k = golden_angle(3, 8)
A = Radial(few_k, square)
exact = [[(x[0] * torch.exp(-2j * pi * (p[0] * r[:, None] + p[1] * r))).sum() / n for p in spoke] for spoke in few_k]
difference = (A(x[:, None])[0, 0] - torch.tensor(exact)).norm() / torch.tensor(exact).norm()
print(f"Radial against the sum: {difference:.1e}")
assert difference < 2e-3

whole = golden_angle(round(pi / 2 * n), 2 * n)  # pi / 2 n spokes: neighbours at the edge are one step apart
A, w = Radial(whole, square), ramp(whole, square)
y = A(x[:, None])
adjoint, gridded = A.H(y)[:, 0], A.H(w * y)[:, 0]
adjoint = adjoint * (x.abs().mean() / adjoint.abs().mean())
assert c.metrics.nrmse(gridded, x) < 0.2 < c.metrics.nrmse(adjoint, x)
figures.images({"adjoint": adjoint, "with density compensation": gridded}, x, window=GREY)

# %% [markdown]
# ### A real radial scan
#
# 64 spokes of a brain, 32 coils. `radial.brain` whitens the noise (makes it equal and independent in all coils; chapter
# 03), estimates coil maps from the densely sampled centre, and gives data `y` and a model `A` like every scan of this
# course: `x = method(y, A)`. Nyquist asks for $\pi/2 \cdot n$ spokes, so that neighbours are one sample apart at the edge
# of k-space. Even 64 are too few; coils fill in.

# %%
real = {count: radial.brain(count, n, cfg.coils) for count in (64, 32, 16)}
method = c.build("gridding")
shown = {f"{count} spokes": method(s.kspace, s.A) / s.image.abs().max() for count, s in real.items()}
print(f"Nyquist: {round(pi / 2 * n)} spokes")
figures.images(shown).saying("A sharp head from 64 spokes; streaks grow with fewer.")

# %% [markdown]
# Streaks are the point spread of spokes. They come from bright places, such as fat at the skin, and cross the brain.
# They look less like a second head than folding does.

# %% [markdown]
# ## 10. Which half of the lines?
#
# Back to the grid, and to a fair test. We may measure about half of the lines (a random mask has a few more or fewer, see
# the printed R). Which? The centre half (low resolution), or
# fastMRI's random lines with a full centre? And should the sharp end of the centre half be faded with a window? The
# taper is a free number, so it is **tuned on validation subjects**. A taper of 0 is a box, 1 is Hann.


# %%
class Windowed(c.Reconstructor):
    """x = A^H (window * y), the window a box with faded ends over the acquired centre."""

    def __init__(self, taper):
        super().__init__()
        self.taper = taper

    def forward(self, y, A):
        start, stop = c.sampling.acs(A.mask)
        place = (torch.arange(y.shape[-1]) - (start + stop - 1) / 2).abs() / ((stop - start) / 2)  # 0 centre, 1 end
        fade = ((place - 1 + self.taper) / max(self.taper, 1e-6)).clamp(0, 1)
        return A.H(y * (1 + torch.cos(pi * fade)) / 2)


def centre_half(width, seed):
    mask = torch.zeros(1, 1, 1, width)
    mask[..., width // 4 : width // 4 + width // 2] = 1
    return mask


def some(split, mask):
    """At most cfg.slices slices of a split, spread over its volumes."""
    slices = c.data.slices(split, mask)
    return [slices[i] for i in torch.linspace(0, len(slices) - 1, min(cfg.slices, len(slices))).long().tolist()]


validation = some("val", centre_half)
taper = c.tune(Windowed, validation, [0.0, 0.1, 0.2, 0.4, 0.7, 1.0])
equal = ", the box itself: two rows of each table below are equal" if taper == 0 else ""
print(f"tuned on {len(validation)} validation slices: taper {taper}{equal}")
assert taper <= 0.2

# %%
for split in ("test", "real"):
    low, mixed = some(split, centre_half), some(split, c.sampling.protocol(2))
    R = [c.sampling.effective_acceleration(s.mask) for s in mixed]
    rows = {
        "random lines": c.evaluate(c.build("zero_filled"), mixed),
        "centre, box": c.evaluate(Windowed(0.0), low),
        "centre, tuned taper": c.evaluate(Windowed(taper), low),
        "centre, Hann": c.evaluate(Windowed(1.0), low),
    }
    print(f"{split}: {len(low)} slices; the centre has R = {c.sampling.effective_acceleration(low[0].mask):.2f}")
    print(f"random lines have effective R = {sum(R) / len(R):.2f} ({min(R):.2f} to {max(R):.2f})")
    print(c.scores.table(rows, baseline="centre, box"), "\n")
    assert rows["centre, box"].mean("nrmse") < rows["centre, Hann"].mean("nrmse")
    assert rows["centre, box"].mean("nrmse") < rows["random lines"].mean("nrmse")

# %% [markdown]
# The brackets hold a 95 % interval of the difference to the baseline, slice by slice.
#
# Tuning chose the box itself or nearly so (see the print), and Hann loses, although it removes the ringing. Parseval says
# why: where a sample was measured, any factor other than 1 adds error, up to what noise justifies, and the squared error
# in the image is the squared error in k-space. NRMSE cannot see that ringing looks worse than blur.
#
# The centre beats random lines, by far. So why does everyone sample at random? Because this table is about the *naive*
# inverse. Blur is lost for good: nothing in the data says what the edge of k-space was. Incoherent aliasing can be
# undone, by coils and by knowledge of images. The rest of the course lives on this difference.

# %%
sample = some("test", centre_half)[-1]
box_image, hann = (Windowed(t)(sample.kspace, sample.A) for t in (0.0, 1.0))
figures.images({"centre, box": box_image, "centre, Hann": hann}, sample.image, zoom=(n // 3, n // 3, n // 3, n // 3))

# %% [markdown]
# ## 11. Undoing the streaks
#
# The same test for spokes. **Gridding** is direct. **CG-SENSE** (`sense_cg`) solves $\min_x\lVert Ax-y\rVert^2$ with the
# coils, by conjugate gradients (chapters 02 and 03). **TV** (`cs_tv`, the total variation of chapter 00) adds the knowledge
# that images are piecewise smooth (chapter 05); $\lambda$ is its weight. All three take `(y, A)`. Only gridding's weights
# know that the data are radial. Iterations and $\lambda$ are tuned on validation subjects.
#
# The simulated subjects were measured on a grid. Their spokes are read off from the transform of the noisy coil
# images. So the data between the grid points come from the same pixels that we reconstruct, and not from a finer
# object: somewhat easier than life. The real scan is not.

# %%
counts = (16, 32, 64)
validation = radial.simulated("val", 32, limit=2)
iterations = int(c.tune(lambda m: c.build("sense_cg", iterations=int(m)), validation, [2, 3, 4, 6, 8, 12, 18]))
lam = c.tune(lambda v: c.build("cs_tv", lam=v, iterations=cfg.tv), validation, [1e-3, 3e-3, 1e-2, 3e-2])
methods = {
    "gridding": method,
    "sense_cg": c.build("sense_cg", iterations=iterations),
    "cs_tv": c.build("cs_tv", lam=lam, iterations=cfg.tv),
}
print(f"tuned at 32 spokes on {len(validation)} validation slices: {iterations} iterations, lam = {lam}")

# %%
scores = {}
for count in counts:
    test = radial.simulated("test", count, limit=cfg.slices)
    scores[count] = {name: c.evaluate(m, test) for name, m in methods.items()}
    print(f"test subject, {count} spokes, {len(test)} slices, effective R = {n / count:.1f} in read lines")
    print(c.scores.table(scores[count], baseline="gridding"), "\n")
assert all(rows["sense_cg"].over(rows["gridding"]).mean > 0 for rows in scores.values())
gain = {count: rows["cs_tv"].over(rows["sense_cg"]).mean for count, rows in scores.items()}
print("TV over CG-SENSE: " + ", ".join(f"{dB:+.2f} dB with {count} spokes" for count, dB in gain.items()))
assert gain[16] > 0.5 and gain[16] > gain[64] + 0.3

# %% [markdown]
# And the real scan, against its own image from all 64 spokes. That reference is CG-SENSE itself and shares its noise
# with the data, so it flatters CG-SENSE; it is one slice of one person, so there is no interval.

# %%
for count in (32, 16):
    rows = {name: c.evaluate(m, [real[count]]) for name, m in methods.items()}
    print(f"real scan, {count} of 64 spokes\n{c.scores.table(rows)}\n")
    assert rows["sense_cg"].mean("nrmse") < rows["gridding"].mean("nrmse")
assert rows["cs_tv"].mean("nrmse") < 0.95 * rows["sense_cg"].mean("nrmse")  # of 16 spokes
images = {name: m(real[16].kspace, real[16].A) for name, m in methods.items()}
figures.images(images, real[16].image, truth_title="64 spokes", zoom=(n // 3, n // 4, n // 3, n // 3))

# %% [markdown]
# The fewer the spokes, the more knowledge pays. With 16, TV wins clearly on the test subject, and also on the real scan,
# against a reference that favours CG-SENSE. With 64 it gains little. On the real scan with 32 spokes CG-SENSE scores
# better, but half of the reference's data are these same spokes: that row cannot decide.

# %% [markdown]
# ## 12. Break it
#
# **The patient moves** by three pixels halfway through the scan. On the grid, lines are measured from left to right,
# so one half of k-space belongs to one place and one half to the other. Spokes go through the centre all the time.
# Which looks better?

# %%
later = x.roll(3, -1)
mixed = torch.where(r < 0, kspace, fft2c(later))
A = Radial(golden_angle(round(pi / 2 * n), 2 * n), square)
y = A(x[:, None])
y[:, :, len(A.trajectory) // 2 :] = A(later[:, None])[:, :, len(A.trajectory) // 2 :]
moved = {"grid": ifft2c(mixed), "spokes": A.H(ramp(A.trajectory, square) * y)[:, 0]}
still = c.metrics.nrmse(gridded, x).item()
print(f"spokes without motion: NRMSE {still:.3f}, SSIM {c.metrics.ssim(gridded, x).item():.3f}")
error = {name: c.metrics.nrmse(image, x).item() for name, image in moved.items()}
assert error["spokes"] < 0.95 * error["grid"]
figures.images(moved, x, window=GREY).saying("Ghosts on the grid; two faint heads from spokes.")

# %% [markdown]
# NRMSE prefers the spokes, SSIM the grid (the spokes have grain even without motion, see the print). Look at the skin: on the grid one
# edge is doubled, from spokes both heads are faintly there. Spokes average the two positions; the grid gives low
# frequencies of one and the other, split in the middle.
#
# Our spokes turn by the golden angle (111 degrees) from one to the next. They have another gift: any run of them covers
# k-space, so one can look at the data, find the motion, and use only the spokes before it.
#
# **A delay.** The gradients start half a sample late, then one and a half. The samples lie elsewhere on their spokes than the model
# believes. On a grid that is a phase ramp (shift theorem), invisible in the magnitude. And on spokes?

# %%
nominal = golden_angle(round(pi / 2 * n), 2 * n)
direction = nominal[:, -1:] / nominal[:, -1:].norm(dim=-1, keepdim=True)
late = {}
for samples in (0.5, 1.5):
    true = (nominal + samples / (2 * n) * direction).clamp(-0.5, 0.5)
    y = Radial(true, square)(x[:, None])
    late[f"late by {samples} samples"] = Radial(nominal, square).H(ramp(nominal, square) * y)[:, 0]
delayed = [c.metrics.nrmse(image, x).item() for image in late.values()]
assert still < delayed[0] < delayed[1]
figures.images(late, x, window=GREY)

# %% [markdown]
# Each spoke is moved in its own direction, so the error is not a shift: the rim of the head fades, hardly at half a
# sample, badly at one and a half. Radial scans need their
# trajectory measured or estimated.

# %% [markdown]
# ## 13. What the number hides
#
# - **NRMSE likes blur.** It loves the centre of k-space, where the energy is, and ranked the box above Hann and blur
#   above incoherent aliasing. A lesion of three pixels lives in the rest.
# - **The corners.** Spokes measure a disc, the grid a square: 21 % of the grid's samples are missing, and no method
#   can invent them. Part of every radial error is that.
# - **References are made.** The real radial scan is scored against our own image from 64 spokes, which share their
#   noise with the 32 and 16. The score says "close to what 64 spokes give", not "close to the brain".
# - **Spokes per second.** Equal numbers of spokes and lines take equal time, but a radial scan has no cheap partial
#   Fourier, and its effective acceleration is told in two ways: against $n$ lines (as here), or against $\pi/2\,n$.

# %% [markdown]
# ## Two more exercises
#
# > **Exercise 3** · core · 15 minutes · importance ★★☆
# >
# > Write `move(image, down, right)` that moves an image by any number of pixels, also by half a pixel.
# >
# > <details><summary>Hint 1</summary>The shift theorem: moving the image multiplies k-space by a phase ramp.</details>
# > <details><summary>Hint 2</summary>The wave with frequency $k$ turns by $-2\pi k/n$ for each pixel that the image moves
# > down or right; frequencies are `arange(n) - n // 2`.</details>
# > <details><summary>Hint 3</summary>`ifft2c(fft2c(image) * torch.exp(-2j * pi * turns))`. Height and width may
# > differ.</details>


# %%
def move(image, down, right):
    """The image (batch, height, width) moved down and right by any number of pixels; what leaves returns opposite."""
    #: solution
    height, width = image.shape[-2:]
    ky, kx = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    turns = down * ky[:, None] / height + right * kx / width
    return ifft2c(fft2c(image) * torch.exp(-2j * pi * turns))
    #: end


check.ch01_move(move)

# %%
move = use(move, check.ch01_move)
assert torch.allclose(move(x, 3, -5), x.roll((3, -5), (-2, -1)), atol=1e-4)
assert torch.allclose(move(move(x, 0.5, 0), 0.5, 0), x.roll(1, -2), atol=1e-4)

# %% [markdown] tags=["solution"]
# **Analysis.** Half a pixel is sinc interpolation, the same as zero-padding in section 6: exact for what the samples
# say, and it rings at edges.

# %% [markdown]
# > **Exercise 4** · stretch · 25 minutes · importance ★☆☆
# >
# > Partial Fourier: 5/8 of the columns are measured. Estimate a low-resolution phase (from the columns that lie
# > symmetrically around the centre), and use it with the conjugate symmetry to beat the zero-filled image. Try it on the
# > real scan, and on its magnitude with a smooth phase that you make up. One surprises. (Nobody checks this one; the
# > solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>Alternate between two things you know: the image has the phase of its centre, and the
# > measured columns are what they are.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 4.**

# %% tags=["solution"]
measured = (r >= -n // 8).float()  # 5/8 of the columns, and the centre on both sides
centre = (r.abs() < n // 8).float() * torch.cos(pi * r / (n // 4)).square()


def with_phase(k, iterations=5):
    """Projections: the image has the phase of its centre; the measured columns are what they are."""
    phase = torch.sgn(ifft2c(k * centre))
    guess = ifft2c(k * measured)
    for _ in range(iterations):
        guess = phase * (phase.conj() * guess).real
        guess = ifft2c(torch.where(measured > 0, k, fft2c(guess)))
    return guess


made_up = x.abs() * torch.exp(2j * (r[:, None] / n + (r / n).square()))
gain = {}
brain = ((r[:, None] / (0.33 * n)).square() + (r / (0.26 * n)).square() < 1).float()  # an ellipse inside the skull
for name, image in {"made-up phase": made_up, "real scan": x, "without skin": x * brain}.items():
    k = fft2c(image)
    errors = [c.metrics.nrmse(guess, image).item() for guess in (ifft2c(k * measured), with_phase(k))]
    gain[name] = errors[0] / errors[1]
    print(f"{name:15}NRMSE zero-filled {errors[0]:.3f}, with the phase {errors[1]:.3f}")
assert gain["made-up phase"] > 1.5 and gain["without skin"] > 1.5 and gain["real scan"] < 1

# %% [markdown] tags=["solution"]
# With a smooth phase the symmetry gives back most of what was not measured. On the real scan it makes things
# *worse*. The phase steps at the fat of the skin, and a low-resolution phase cannot step; the symmetry then puts
# energy where none belongs. The third line tests that explanation: with the skin cut away, the method works on
# the real brain. A method is as good as its assumption. This is projection onto convex sets (Haacke et al. 1991);
# homodyne detection (Noll et al. 1991) does it in one step. Scanners use it with 6/8 of the lines or more, and
# with short echo times.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. You set one single sample of k-space, far from the centre, to a huge value (a spike). What does the image show?",
    right={"stripes over the whole image": "One sample is one wave, everywhere in the image."},
    wrong={
        "one bright pixel": "That is the other direction: one pixel is a wave in k-space.",
        "a blurred corner": "k-space has no corner of the image in it; every sample belongs to every pixel.",
    },
)

# %%
quiz.choice(
    "2. Every second column is left out. Which property of the image changes?",
    right={"the field of view": "Samples twice as far apart see half the width, and so the head folds."},
    wrong={
        "the resolution": "That is set by how far out samples reach, and they still reach as far.",
        "the noise only": "Fewer samples do change the noise, but the fold is what you see.",
    },
)

# %%
quiz.choice(
    "3. Zero-padding from 64 to 256 makes pixels a quarter as wide. What have you gained?",
    right={"a smooth drawing of the same information": "It interpolates between what was measured."},
    wrong={
        "resolution": "That needs new samples further out.",
        "less ringing": "That needs a window; zero-padding shows the ringing better.",
    },
)

# %%
quiz.choice(
    "4. A mask has a lower side-lobe ratio than another. Is its zero-filled image better?",
    right={"not always": "Random points without a centre had the lowest side lobes and one of the largest errors."},
    wrong={
        "always": "Side lobes say how artefacts look; the energy that is measured says how large they are.",
        "never": "Poisson disc with a centre has low side lobes and a small error.",
    },
)

# %%
quiz.choice(
    "5. Without density compensation a gridded image is",
    right={"blurred": "Long waves are counted more often than short ones."},
    wrong={
        "noisy": "Compensation even raises the noise of the outer samples.",
        "shifted": "A shift comes from a wrong phase.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
spreads = [c.sampling.psf(uniform(n, 3, offset=offset)) for offset in (0, 1)]
quiz.number(
    "6. Take every third column, starting at 0 or at 1. How large is the largest difference of the two point spread "
    "functions, as complex numbers? (`c.sampling.psf(uniform(n, 3, offset=0))`)",
    (spreads[0] - spreads[1]).abs().max(),
    "A mask moved by one column is a phase ramp in the image: copies at the same places, with other phases.",
    near={
        0.0: "That is the difference of the magnitudes. The copies lie at the same places, but compare their phases."
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **said** it: one sample is the amount of one wave; the image is the sum of all waves.
# - You **verified** conventions: centre at n // 2, lengths kept, shifts are phase ramps.
# - You **chose** $1/\Delta k$ and $1/\text{extent}$; the wrong choices fold and ring.
# - You **predicted** artefacts from point spreads: copies, noise, streaks, blur.
# - You **reconstructed** a real radial scan, and saw the adjoint fail without density compensation.
# - You **tuned** a window and learned that NRMSE does not want one; and **judged** three methods on radial data.
#
# **From text to source**: `c.show("gridding")`. **Next**: chapter 02 asks what an inverse problem is, chapter 03 uses
# many coils.

# %%
print(c.show("gridding"))
print(f"\ncomputing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## Project
#
# > **Exercise 5** · project · 90 minutes · importance ★★☆
# >
# > There is time for a quarter of the lines. Which ones? Design at least four patterns with the *same number* of lines: the
# > centre only, every fourth, random, and one of your own with a dense centre. Predict their order for a smooth head and for
# > an object of thin lines; then measure.
# >
# > | points | for |
# > |---|---|
# > | 2 | four masks with equal numbers of lines; effective acceleration printed for each |
# > | 2 | the point spread function of each: width of the main lobe and largest side lobe, in one table |
# > | 3 | zero-filled images of at least three slices of two persons, NRMSE of each, and a drawn object of thin lines |
# > | 2 | an answer: which number of the point spread function predicted the order, and where it failed |
# > | 1 | your own pattern, and the object that defeats it |
# >
# > <details><summary>Hint 1</summary>The number of lines is `mask.sum()`. Adjust the last line at random until all are equal.</details>
# > <details><summary>Hint 2</summary>A point spread function is the transform of the mask; divide by its value at 0.</details>

# %% [markdown]
# ## References
#
# - O'Sullivan (1985). A fast sinc function gridding algorithm for Fourier inversion in computer tomography. *IEEE Trans. Med. Imaging* [10.1109/TMI.1985.4307723](https://doi.org/10.1109/TMI.1985.4307723)
# - Jackson et al. (1991). Selection of a convolution function for Fourier inversion using gridding. *IEEE Trans. Med. Imaging* [10.1109/42.97598](https://doi.org/10.1109/42.97598)
# - Noll, Nishimura & Macovski (1991). Homodyne detection in magnetic resonance imaging. *IEEE Trans. Med. Imaging* [10.1109/42.79473](https://doi.org/10.1109/42.79473)
# - Haacke, Lindskog & Lin (1991). A fast, iterative, partial-Fourier technique capable of local phase recovery. *J. Magn. Reson.* 92.
# - Pruessmann et al. (2001). Advances in sensitivity encoding with arbitrary k-space trajectories. *Magn. Reson. Med.* [10.1002/mrm.1241](https://doi.org/10.1002/mrm.1241)
# - Lustig, Donoho & Pauly (2007). Sparse MRI. *Magn. Reson. Med.* [10.1002/mrm.21391](https://doi.org/10.1002/mrm.21391)
# - Winkelmann et al. (2007). An optimal radial profile order based on the golden ratio. *IEEE Trans. Med. Imaging* [10.1109/TMI.2006.885337](https://doi.org/10.1109/TMI.2006.885337)
# - Maier et al. (2020). PyQMRI. *J. Open Source Softw.* [10.21105/joss.02727](https://doi.org/10.21105/joss.02727)
# - Montalt-Tordera et al. (2021). Machine learning in MRI: image reconstruction. *Phys. Med.*, section 1.1. [10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
