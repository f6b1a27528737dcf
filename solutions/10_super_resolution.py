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
# # 10 Super-resolution: details from nowhere?
#
# ![A brain from the central third of its lines, blurred and ringing; the residual U-Net's image of it, hardly sharper after
# a short training; and the full scan](../docs/10_super_resolution.png)
#
# A scan with a third of the lines takes a third of the time. Leave out the *outer* lines, and nothing folds over: the image
# is only blurred. A network sharpens it in milliseconds. **Can a network add resolution that was never measured?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **interpolate** an image with zeros around its k-space, and **explain** its ringing (exercise 1, quiz 1, the slider),
# 2. **trade** ringing for blur with a window (exercise 2),
# 3. **write** the residual U-Net for super-resolution, and **say** what SRCNN can and cannot see (exercise 3, quiz 2),
# 4. **compare** both with sinc, window and tuned total variation, with intervals (quiz 3),
# 5. **separate** the error in what was measured from the error in what was not (exercises 4 and 5, quiz 5),
# 6. **show** two truths that no method can tell apart (quiz 4, the project).
#
# **You need** chapter 01 (k-space), chapter 05 (total variation) and chapter 07 (restoration).
# **Time**: about 70 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from dataclasses import replace

import torch

import course_lib as c
from course_lib.blocks import UNet, srcnn
from course_lib.data.phantom import grid
from course_lib.experiments.lesions import discs, recovered
from course_lib.experiments.scans import one_coil
from course_lib.methods import Reconstructor
from course_lib.ops import Coils, Fourier, fft2c, ifft2c
from course_lib.sampling import acs, centre, effective_acceleration
from course_lib.scores import table
from course_lib.solve import cg
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (3, 2), "cpu": (30, 5), "gpu": (120, 6)}[where.name]  # of training; validations meanwhile
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = MFSx + \text{noise}$ | the data: $M$ keeps the central lines | `y`, `kspace` |
# > | $A^Hy$ | the image from the central lines and zeros: *sinc interpolation* | `A.H(y)` |
# > | $m = \lvert A^Hy\rvert$ | its magnitude | `m` |
# > | $f$ | a network, image to image | `f` |
# > | factor | lines of the full scan over lines measured | `factor` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject:
# the test person was never seen in training, and nothing is trained on the real scan. Only phase-encoding lines cost time,
# so only they are left out: the resolution falls from left to right, not from top to bottom.

# %%
factor = 3
low = lambda width, seed: centre(width, factor)
train = c.data.slices("train", low, training=True, strip=where.strip)
validation = c.data.slices("val", low)
test = c.data.slices("test", low)
real = c.data.slices("real", low)
middle = len(test) // 2
sample, full = test[middle], test.prepared(middle)
width = sample.image.shape[-1]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
print(f"image {tuple(sample.image.shape)}, {sample.kspace.shape[1]} coils, effective acceleration "
      f"{effective_acceleration(sample.mask):.2f}, no gap: lines {acs(sample.mask)}")  # fmt: skip

# %% [markdown]
# > **Predict 1.** A sharp edge, seen through the central lines only, overshoots: it *rings*. Somebody measures twice as many
# > lines. Is the overshoot half as high, half as wide, or both?
#
# The answer is under "Ringing".

# %% [markdown]
# ## The naive thing
#
# A scanner would deliver a small image with wide pixels. The usual way to a large one is in k-space: write the few samples
# into the middle of a large array of zeros, transform back. Each pixel becomes a sinc, hence *sinc interpolation*.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `interpolate(k, size)`: the image (batch, height, width) of `size` from the centred k-space `k` of a smaller one,
# > with the same intensities. The centre of `n` samples is `n // 2`; `ifft2c` is centred and orthonormal.
# >
# > <details><summary>Hint 1</summary>The top row of `k` goes to row `H // 2 - h // 2`.</details>
# > <details><summary>Hint 2</summary>An orthonormal transform keeps the energy; the energy of the same image on four times
# > as many pixels is four times as large.</details>


# %%
def interpolate(k, size):
    """Zeros around k-space: the image (batch, *size) of the same field of view and the same intensities."""
    #: solution
    filled = torch.zeros(len(k), *size, dtype=k.dtype)
    top, left = (n // 2 - m // 2 for n, m in zip(size, k.shape[-2:]))
    filled[:, top : top + k.shape[-2], left : left + k.shape[-1]] = k
    return ifft2c(filled) * (size[0] * size[1] / k.shape[-2] / k.shape[-1]) ** 0.5
    #: end


check.ch10_interpolate(interpolate)

# %%
interpolate = use(interpolate, check.ch10_interpolate)
start, stop = acs(sample.mask)
k = fft2c(full.image)
small = k[..., start:stop] * (k[..., start:stop].shape[-1] / width) ** 0.5  # the scanner's small image
masked = ifft2c(sample.mask[0] * k)
difference = (interpolate(small, tuple(full.image.shape[-2:])) - masked).abs().max() / masked.abs().max()
print(f"interpolated small image and masked full scan differ by {difference:.1e}")
assert difference < 1e-5

# %% [markdown] tags=["solution"]
# **Analysis.** The interpolated image *is* the zero-filled image of a mask that keeps the centre. So low resolution needs no
# new forward model: it is $y = MFSx$ with another $M$, and every method of this course can be asked to undo it.

# %% [markdown]
# ## Ringing
#
# The sharp end of the data is what rings. How high, and how wide?

# %%
edge = (grid(1, 1024)[1].abs() < 0.5).float()[None] + 0j
for lines in (16, 32, 64, 128, 256):
    seen = ifft2c(centre(1024, 1024 / lines)[0] * fft2c(edge)).abs().flatten()
    top = int(seen.argmax())
    away = min(abs(top - 256), abs(top - 768))
    print(f"{lines:4d} lines: overshoot {100 * (seen.max() - 1):.1f} %, {away:3d} of 1024 from the edge")
    assert 0.06 < seen.max() - 1 < 0.12

# %% [markdown]
# Predict 1: as high, and half as wide. The overshoot is about 9 % of the jump however many lines there are (Gibbs, 1899);
# more lines only push it towards the edge. It is no noise, and averaging does not help. The slope of a *window* does: weigh
# the lines down towards the end of the data.
#
# > **Exercise 2** · core · 10 minutes · importance ★★☆
# >
# > Write `hann(mask)`: weights like the mask (1, 1, 1, width), $\tfrac12(1 + \cos(\pi d / r))$ at distance $d$ from the
# > central line `width // 2`, where $r$ is half the number of lines; 0 where nothing was measured.
# >
# > <details><summary>Hint 1</summary>`mask.sum() / 2` is $r$; `torch.arange(width) - width // 2` is $d$.</details>
# > <details><summary>Hint 2</summary>Beyond $r$ the cosine rises again: multiply by the mask.</details>


# %%
def hann(mask):
    """The Hann window of the measured lines: 1 at k = 0, 0 at their end."""
    #: solution
    d = torch.arange(mask.shape[-1]) - mask.shape[-1] // 2
    return mask * (1 + torch.cos(torch.pi * d / (mask.sum() / 2))) / 2
    #: end


check.ch10_hann(hann)

# %%
hann = use(hann, check.ch10_hann)


class Hann(Reconstructor):
    """Zero-filling after the window."""

    def forward(self, y, A):
        return A.H(hann(A.mask) * y)


def at(factor):
    """The middle slice at a factor: sinc, and sinc after the window."""
    mask = centre(width, factor)
    s = c.data.undersample(full.kspace, full.maps, mask, full.image)
    both = {name: m(s.kspace, s.A) for name, m in {"sinc": c.build("zero_filled"), "Hann": Hann()}.items()}
    psnr = {name: c.metrics.psnr(x, s.image).item() for name, x in both.items()}
    said = f"Factor {factor}, {int(mask.sum())} lines. PSNR: " + ", ".join(f"{n} {v:.1f} dB" for n, v in psnr.items())
    return figures.images(both, s.image, error_limit=0.5).saying(said)


at(3)

# %% [markdown] tags=["solution"]
# **Analysis.** The window removes the ripples and costs resolution: half of the lines count less than half. By PSNR sinc is
# better than Hann. A reader of images may still prefer Hann: ripples beside the skull look like structure, blur looks like
# blur.

# %% [markdown]
# The slider answers: up to which factor would you accept the scan? Look at the ripples beside the skull, then at the folds.

# %%
slider("factor", at, (1.5, 2, 3, 4, 6))

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.0005, 0.001, 0.002, 0.004, 0.008])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB")

# %% [markdown]
# ## The idea
#
# Blur throws away details; a network that has seen many sharp heads may *guess* them from the blurred one. The first,
# **SRCNN**, has three convolutions: 9x9 turns patches into features, 1x1 turns features of blurred patches into those of sharp
# ones, 5x5 puts them together. Its inventors read it as a learned dictionary, a list of typical patches (chapter 18 learns one).
#
# ```
# A^H y ──► 9x9, 64 ──► relu ──► 1x1, 32 ──► relu ──► 5x5 ──► x          SRCNN: learns the image
#
# |A^H y| ──┬──► U-Net ──► (+) ──► x                                    residual U-Net: learns what is missing
#           └──────────────┘
# ```
#
# A convolution multiplies each sample of k-space by a number: where there is 0, there stays 0. Only the ReLUs put anything
# beyond the measured lines. The model of Steeden and colleagues, made for hearts of children, sees further than SRCNN's
# 13 pixels: a U-Net finds what the interpolated magnitude lacks,
#
# $$m = |A^Hy|, \qquad x = m + f(m), \qquad \min_f \lVert m + f(m) - |x|\,\rVert^2 .$$

# %%
one_channel = sum(p.numel() for p in srcnn(1).parameters())
print(srcnn(1), f"{one_channel:,} parameters for one channel", sep="\n")

# %% [markdown]
# > **Exercise 3** · core · 10 minutes · importance ★★★
# >
# > Write `forward` of the residual U-Net. `self.f` maps real (batch, 1, height, width) to the same; the result is a complex
# > image with imaginary part 0.
# >
# > <details><summary>Hint 1</summary>`A.H(y).abs().unsqueeze(1)` has the channel that `self.f` wants.</details>
# > <details><summary>Hint 2</summary>`.squeeze(1) + 0j` takes it away again and makes the image complex.</details>


# %% tags=["same:course_lib.methods.restore.sr_unet.SRUNet"]
class MySRUNet(Reconstructor):
    def __init__(self, width=32, depth=3, dims=2):
        super().__init__()
        self.f = UNet(width=width, depth=depth, inside=1, outside=1, dims=dims).silent()

    def forward(self, y, A):
        #: solution
        m = A.H(y).abs().unsqueeze(1)
        x = m + self.f(m)
        return x.squeeze(1) + 0j
        #: end

    def loss(self, sample):
        return (self(sample.kspace, sample.A).real - sample.image.abs()).square().mean()


check.ch10_sr_unet(MySRUNet)

# %%
MySRUNet = use(MySRUNet, check.ch10_sr_unet)

# %% [markdown] tags=["solution"]
# **Analysis.** The last layer starts at zero (`silent`), so training starts at the sinc-interpolated image, and every step is a
# step beyond it. The phase is thrown away, as scanners do before such a network sees the image. With `dims=3` the same class
# takes volumes, as in the paper.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = train[0]
probe = MySRUNet(width=8, depth=3)
optimiser = torch.optim.Adam(probe.parameters(), lr=1e-2)
history = []
for _ in range(150):
    optimiser.zero_grad()
    loss = probe.loss(one)
    loss.backward()
    optimiser.step()
    history.append(loss.item())
print(f"loss {history[0]:.2e} -> {history[-1]:.2e}, {history[0] / history[-1]:.0f} times lower")
assert history[-1] < history[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** By how many decibels will the residual U-Net beat sinc interpolation on an unseen person? And TV, which knows
# > nothing but "edges are rare"? Will SRCNN? Write it down.

# %%
settings = c.card("sr_unet").small | ({"width": 8} if where.name == "ci" else {})
torch.manual_seed(0)
residual = MySRUNet(**settings)
run = c.fit(residual, train, validation, seconds, checks=checks)
print(f"{run.steps} steps")
figures.curves(run, {"tuned TV": baseline})

# %%
torch.manual_seed(0)
first = c.build("srcnn")
run = c.fit(first, train, validation, seconds, checks=checks)
print(f"{run.steps} steps")
figures.curves(run, {"tuned TV": baseline})

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices.

# %%
few = [test[i] for i in range(0, len(test), 3)]
sense = c.build("sense_cg")
methods = {
    "sinc": zero_filled,
    "Hann": Hann(),
    "SENSE": sense,
    "tuned TV": tv,
    "SRCNN": first,
    "residual U-Net": residual,
}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
gain = {name: unseen[name].over(unseen["sinc"]) for name in methods if name != "sinc"}
for name, g in gain.items():
    print(f"{name:16} minus sinc: {g.mean:+.2f} dB [{g.low:+.2f}, {g.high:+.2f}]")
print(
    f"{sum(p.numel() for p in first.parameters()):,} and {sum(p.numel() for p in residual.parameters()):,} parameters"
)
assert gain["Hann"].high < 0 < gain["tuned TV"].low and unseen["residual U-Net"].over(unseen["Hann"]).low > 0

# %% [markdown]
# Predict 2: the networks gain less than most people expect, tenths of a decibel after such short training, or nothing; TV
# gains, without having seen a single head. SENSE has no prior at all: its row shows how much the coils' maps alone know about
# the lines beside the measured ones (chapter 03). After the three seconds of profile `ci` the networks are hardly past
# their start. SRCNN must first learn to pass the image on; the residual network begins with it. Which factors bring how much is
# claim 23 of the review, and whether more elaborate blocks than SRCNN's layers pay at an equal number of parameters is claim 24:
# `python -m course_lib experiments 23 24`.

# %%
order = unseen["residual U-Net"].values["psnr"].argsort()
picked = {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}
for word, i in picked.items():
    s = test[int(i)]
    with torch.no_grad():
        psnr = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in methods.items()}
    print(f"{word:8}slice {int(i)}: " + ", ".join(f"{name} {v:.1f} dB" for name, v in psnr.items()))
s = test[int(picked["median"])]
with torch.no_grad():
    images = {name: methods[name](s.kspace, s.A) for name in ("sinc", "tuned TV", "residual U-Net")}
size = s.image.shape[-1]
figures.images(images, s.image, zoom=(size // 3, size // 4, size // 4, size // 4), error_limit=0.4)

# %% [markdown]
# ## What was measured, and what was guessed
#
# An image can be better in the lines that were measured (less noise) or in those that were not (real super-resolution). One
# number mixes both. Take them apart in the k-space of all coils, $k = FSx$:
#
# $$\text{inside} = \frac{\lVert M(k - k_{true})\rVert}{\lVert M k_{true}\rVert}, \qquad
# \text{outside} = \frac{\lVert (1-M)(k - k_{true})\rVert}{\lVert (1-M)k_{true}\rVert} .$$
#
# Outside, 1 is the score of somebody who says nothing at all.
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★★
# >
# > Write `split(x, truth, A)`: both numbers for each image of the batch. `A.mask` and `A.maps` are what the scan knows.
# >
# > <details><summary>Hint 1</summary>`E = Fourier() @ Coils(A.maps)` is the scan without a mask; it is linear.</details>
# > <details><summary>Hint 2</summary>The norm of each image of a batch: `.flatten(1).norm(dim=1)`.</details>


# %%
def split(x, truth, A):
    """Relative errors (batch,) in the k-space of all coils: where it was measured, and where it was not."""
    #: solution
    E = Fourier() @ Coils(A.maps)
    error, whole = E(x - truth), E(truth)
    norm = lambda k: k.flatten(1).norm(dim=1)
    return tuple(norm(part * error) / norm(part * whole) for part in (A.mask, 1 - A.mask))
    #: end


check.ch10_split(split)

# %%
split = use(split, check.ch10_split)


def errors(model, samples):
    """Mean (inside, outside); a magnitude image gets the phase of the interpolated one."""
    found = []
    for s in samples:
        with torch.no_grad():
            x, u = model(s.kspace, s.A), s.A.H(s.kspace)
        x = x.abs() * torch.sgn(u) if isinstance(model, MySRUNet) else x
        found.append(torch.stack(split(x, s.image, s.A)))
    return torch.cat(found, 1).mean(1).tolist()


print(f"{'':18}{'inside':>8}{'outside':>9}")
parts = {name: errors(model, few) for name, model in methods.items()}
for name, (inside, outside) in parts.items():
    print(f"{name:18}{inside:8.3f}{outside:9.3f}")
assert parts["tuned TV"][1] < parts["sinc"][1] and all(p[0] < p[1] for p in parts.values())
assert min(p[1] for p in parts.values()) > 0.5

# %% [markdown] tags=["solution"]
# **Analysis.** Sinc interpolation is not exactly 1 outside: the coils' maps vary in space, and combining the coils moves energy
# across the border. TV uses the same fact on purpose. Nobody comes near 0 outside: most of the fine structure, and all of the
# noise in it, stays unknown.

# %% [markdown]
# ## Put the data back
#
# The network's image contradicts the data: inside, too, it has an error. So take the image that fits the data and is near
# to the network's,
#
# $$\min_{x'} \lVert Ax' - y\rVert^2 + \mu \lVert x' - x\rVert^2 .$$
#
# > **Exercise 5** · stretch · 15 minutes · importance ★★☆
# >
# > Solve it with `cg` and a small $\mu$ (0.01, 20 iterations) for both networks. **Predict**: which of the two errors
# > falls, inside or outside? (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>$(A^HA + \mu)x' = A^Hy + \mu x$; `A.N` is $A^HA$.</details>
# > <details><summary>Hint 2</summary>A Reconstructor that holds the network can be given to `errors` and `c.evaluate`.
# > </details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**


# %% tags=["solution"]
class Faithful(Reconstructor):
    """The image that fits the data and is near to another method's."""

    first: Reconstructor
    mu = 0.01

    def forward(self, y, A):
        x = self.first(y, A)
        x = x.abs() * torch.sgn(A.H(y)) if isinstance(self.first, MySRUNet) else x
        return cg(lambda v: A.N(v) + self.mu * v, A.H(y) + self.mu * x, x, iterations=20)


for name in ("SRCNN", "residual U-Net"):
    back = Faithful()
    back.first = methods[name]
    after, psnr = errors(back, few), [c.evaluate(m, few).mean("psnr") for m in (methods[name], back)]
    print(f"{name:16}inside {parts[name][0]:.3f} -> {after[0]:.3f}, outside {parts[name][1]:.3f} -> {after[1]:.3f}, "
          f"PSNR {psnr[0]:.2f} -> {psnr[1]:.2f} dB")  # fmt: skip
    assert after[0] < parts[name][0]
print(f"SENSE           inside {parts['SENSE'][0]:.3f}, outside {parts['SENSE'][1]:.3f}, "
      f"PSNR {c.evaluate(sense, few).mean('psnr'):.2f} dB")  # fmt: skip

# %% [markdown] tags=["solution"]
# The error inside falls to what the noise leaves; that was to be expected. The surprise is outside: a solve that only minds the
# measured lines can change the error in lines that were not measured. It is the coils: their maps mix neighbouring lines.
# The last line, SENSE without any network, says how much of the result the network brought. Chapter 15 builds this step into
# the network.

# %% [markdown]
# ## Two people, one scan
#
# Now the answer to the question. Take a head, seen by a single coil, and give it fine stripes that live *outside* the measured
# lines alone. Two different people; the same data, up to rounding.

# %%
alone = one_coil(full, centre(width, factor), noise=0.0)
v, u = grid(width, width)
patch = torch.exp(-(u**2 + v**2) / 0.03) * torch.cos(torch.pi * width / 2 * 0.7 * u)
stripes = ifft2c((1 - alone.mask[0]) * fft2c(0.6 * patch[None] + 0j))
other = replace(alone, image=alone.image + stripes, kspace=alone.A(alone.image + stripes))
person = replace(alone, kspace=alone.A(alone.image))
with torch.no_grad():
    guess = residual(person.kspace, person.A)
    apart = {}
    for name, m in methods.items():
        if name != "SENSE":  # with one coil and no noise it is sinc interpolation
            apart[name] = (m(person.kspace, person.A) - m(other.kspace, other.A)).abs().max().item()
print(
    f"data of the two differ by {(person.kspace - other.kspace).abs().max():.1e}, images by {stripes.abs().max():.2f}"
)
print("reconstructions differ by " + ", ".join(f"{name} {value:.1e}" for name, value in apart.items()))
assert max(apart.values()) < 1e-3 < 0.3 < stripes.abs().max()
figures.images(
    {"another person": other.image, "residual U-Net, of both": guess}, person.image, truth_title="one person"
)

# %% [markdown]
# So the answer is no: resolution is not added, it is *assumed*. What stands outside the measured lines is the most likely
# continuation, given the training set. For people like those of the training set that is a gain; a stripe that nobody had
# cannot come back. With several coils the border is soft: their maps carry something across it, by about the width of a map's
# spectrum, and that is parallel imaging, not a guess.

# %% [markdown]
# ## Break it
#
# The networks saw factor 3 along one direction, the noise of our simulation and one brightness. TV, with its $\lambda$ as it
# is, stands beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))


def broken(mask=None, kspace=full.kspace):
    mask = centre(width, factor) if mask is None else mask
    return c.data.undersample(kspace, full.maps, mask, full.image)


sigma = full.kspace[..., :8, :8].std()  # a corner of k-space: hardly any signal
more = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
usual = broken()
cases = {
    "as trained": usual,
    "factor 2": broken(centre(width, 2)),
    "factor 6": broken(centre(width, 6)),
    "both directions": broken(centre((width, width), factor)),
    "3 times the noise": broken(kspace=full.kspace + 8**0.5 * sigma * more),
    "twice as bright": replace(usual, kspace=2 * usual.kspace, image=2 * usual.image),
}
psnr = {}
methods = {name: model for name, model in methods.items() if name != "Hann"}  # our window is for lines, not for blocks
print(f"{'PSNR (dB)':20}" + "".join(f"{name:>16}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in methods.items()}
    print(f"{case:20}" + "".join(f"{value:16.2f}" for value in psnr[case].values()))
gains = {case: row["residual U-Net"] - row["sinc"] for case, row in psnr.items()}
print("residual U-Net minus sinc: " + ", ".join(f"{case} {g:+.2f} dB" for case, g in gains.items()))
assert psnr["factor 2"]["tuned TV"] > psnr["factor 2"]["residual U-Net"]

# %% [markdown]
# At *factor 2* there is half as much again of data: TV uses every line of it, the network was taught the blur of factor 3, and
# TV is ahead. A network for super-resolution belongs to one resolution. Now small vessels, or lesions: bright
# discs that no training image had. How much of their contrast comes back?

# %%
radii = (1, 2, 4)
print(f"{'radius in pixels':20}" + "".join(f"{r:8d}" for r in radii))
back = {}
for name, model in methods.items():
    back[name] = [sum(recovered(model, s, discs(s.image, r, i)) for i, s in enumerate(few)) / len(few) for r in radii]
    print(f"{name:20}" + "".join(f"{value:8.2f}" for value in back[name]))
assert all(back[name][0] < back[name][-1] for name in ("sinc", "tuned TV"))

# %% [markdown]
# The smaller, the paler: a disc of one pixel is mostly outside the measured lines. In the hearts of
# Steeden and colleagues great vessels had the right diameter, small coronary arteries came out too narrow. The
# table says why.

# %% [markdown]
# ## What the number hides
#
# - PSNR counts what is inside the measured lines, where nearly all energy lies. The resolution is outside.
# - Our low resolution is the full scan with lines taken away. A real short scan has less motion, another contrast, other noise;
#   the authors of the heart study therefore measured 40 patients anew.
# - Sharp is not true: nothing in the image says which edge was measured and which was supposed.
# - A window, sinc, or TV treats everybody alike. A network is best for those who are like the training set.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. A scan is repeated with twice as many lines. What happens to the ringing at a sharp edge?",
    right={"as high, half as wide": "The overshoot stays at about 9 % of the jump."},
    wrong={
        "half as high": "That is what one hopes for; Gibbs showed otherwise.",
        "it vanishes": "Only when the edge itself is not sharp on the scale of the lines.",
    },
)

# %%
quiz.choice(
    "2. All ReLUs are taken out of SRCNN. What can it add beyond the measured lines (far from the border of the image)?",
    right={"nothing": "Three convolutions are one convolution: it multiplies each sample by a number, and 0 stays 0."},
    wrong={
        "less than before": "Less, yes: 0.",
        "as much: the kernels learn it": "A kernel, whatever it learns, only weighs the frequencies that are there.",
    },
)

# %%
quiz.choice(
    "3. Why is TV better than sinc, although it never saw a head?",
    right={
        "its images have few edges, and the coils must agree with the data": "Both say something about lines beside."
    },
    wrong={
        "it interpolates between lines": "There is no gap to interpolate: the lines are missing at the end.",
        "it removes the noise of the outer lines": "They were not measured, so they bring no noise.",
    },
)

# %%
quiz.choice(
    "4. Two people differ only outside the measured lines (one coil). A better network, trained on millions, ...",
    right={"gives the same image for both": "It is a function of the data, and they are equal."},
    wrong={
        "tells them apart": "From what? Its input is the same.",
        "tells them apart if it saw one of them in training": "Then it gives that one's image to both.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
k_true = (Fourier() @ Coils(sample.maps))(sample.image)
share = (((1 - sample.mask) * k_true).norm() / k_true.norm()).item()
quiz.number(
    "5. Which part of the norm of the truth's k-space (`sample.image`, all coils) lies outside the measured lines?",
    share,
    "The part of the energy is its square: small. What makes an image sharp is a small part of its energy.",
    near={share**2: "That is the part of the energy: take the root."},
    tolerance=0.02,
)

# %% [markdown]
# ## Wrap-up
#
# - You **interpolated** with zeros, and **explained** why the image rings.
# - You **traded** ringing for blur with a window.
# - You **wrote** the residual U-Net, and **said** why SRCNN needs its ReLUs.
# - You **compared** both with sinc, Hann and tuned TV on unseen people.
# - You **separated** the error inside and outside of what was measured, and put the data back.
# - You **showed** two truths with one scan: resolution is assumed, not added.
#
# Next: chapter 11 fills the gaps of k-space; chapter 13 learns the transform itself; chapter 15 puts the data into the network.

# %% [markdown]
# ## From text to source

# %%
print(c.show("sr_unet", source=False, verify=False))

# %% [markdown]
# `c.show("srcnn")` shows the source of the other and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils. Nothing else in this chapter changes. What does a training step cost
# on this machine?

# %%
print(f"{'':28}{'parameters':>12}{'seconds a step':>16}")
for name, kept in {"srcnn": ({},), "sr_unet": (c.card("sr_unet").small, {})}.items():
    for values in kept:
        model, begin = c.build(name, **values), time.perf_counter()
        model.loss(one).backward()
        print(
            f"{name + (', small' if values else ', paper'):28}{sum(p.numel() for p in model.parameters()):12,}", end=""
        )
        print(f"{time.perf_counter() - begin:16.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > How narrow do vessels become? Draw bright round vessels of radius 1 to 6 pixels into the heads
# > (`course_lib.experiments.lesions.disc`), train the residual U-Net on such images, and measure diameters.
# >
# > | points | for |
# > |---|---|
# > | 2 | low resolution in both directions (`sampling.centre((height, width), factor)`), whole slices in training |
# > | 2 | a rule for the diameter, written down beforehand, and its error on the full scan |
# > | 3 | bias against radius with intervals over vessels, for sinc, TV and the network, on the unseen person |
# > | 2 | the same for a network that saw only vessels of radius 3 to 6: what does it do with small ones? |
# > | 1 | two vessels closer than the resolution: one or two in the image, and who decides? |
# >
# > <details><summary>Hint 1</summary>Half of the vessel's *own* maximum and half of its *true* contrast are different
# > thresholds, and for small vessels they have opposite signs of bias.</details>
# > <details><summary>Hint 2</summary>`course_lib/clinical.py` holds Bland and Altman's limits of agreement.</details>

# %% [markdown]
# ## References
#
# - Dong C, Loy CC, He K, Tang X. Image super-resolution using deep convolutional networks. *IEEE Trans Pattern Anal Mach
#   Intell* 2016. [doi:10.1109/TPAMI.2015.2439281](https://doi.org/10.1109/TPAMI.2015.2439281)
# - Steeden JA et al. Rapid whole-heart CMR with single volume super-resolution. *J Cardiovasc Magn Reson* 2020.
#   [doi:10.1186/s12968-020-00651-x](https://doi.org/10.1186/s12968-020-00651-x)
# - Masutani EM, Bahrami N, Hsiao A. Deep learning single-frame and multiframe super-resolution for cardiac MRI. *Radiology*
#   2020. [doi:10.1148/radiol.2020192173](https://doi.org/10.1148/radiol.2020192173)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.1.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
