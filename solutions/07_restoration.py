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
# # 07 Restoration: from a bad image to a good one
#
# ![A brain at a quarter of its lines: the zero-filled image with its smear, the artefact that a U-Net finds in it, the
# difference of the two, and the full scan](../docs/07_restoration.png)
#
# Photographs are cleaned by networks that never met the camera: a bad image goes in, a good one comes out. The
# zero-filled image of an undersampled scan is a bad image. **Can it be repaired by somebody who sees the image alone, and
# not the data?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **measure** whether an undersampling artefact is noise-like (exercise 1, the slider),
# 2. **write** the forward pass of a U-Net, and **say** what its skip connections carry (exercises 2 and 5, quiz 1),
# 3. **turn** it into a network that learns the artefact (exercise 3, quiz 2),
# 4. **write** a feature loss, and **compare** what losses pay for a lost lesion (exercise 4, quiz 3),
# 5. **compare** restoration with tuned total variation, with intervals, and **explain** who wins (quiz 4),
# 6. **break** it: other masks, noise, brightness, and a lesion (quiz 5).
#
# **You need** chapter 02 (inverse problems), chapter 05 (total variation) and chapter 06 (training).
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from dataclasses import replace

import torch
from IPython.display import display
from torch.nn.functional import avg_pool2d

import course_lib as c
from course_lib import losses
from course_lib.blocks import Encoder, OnComplex, UNet, as_real
from course_lib.experiments.lesions import disc, discs, lesioned, recovered
from course_lib.experiments.scans import one_coil
from course_lib.losses import mse
from course_lib.methods import Reconstructor
from course_lib.sampling import acs, effective_acceleration, protocol, uniform
from course_lib.scores import table
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (3, 2), "cpu": (35, 5), "gpu": (120, 6)}[where.name]  # of training; validations meanwhile
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + \text{noise}$ | the data: k-space of all coils, 0 where nothing was acquired | `y`, `kspace` |
# > | $x_{zf} = A^Hy$ | the zero-filled image, coils combined | `x_zf` |
# > | $e = x_{zf} - x$ | the artefact | `e` |
# > | $f$ | a U-Net, image to image | `f`, `net` |
# > | $\varphi_l$ | the features (outputs) of layer $l$ of an *encoder*, a network that is not trained: *frozen* | `encoder` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject:
# the test person was never seen in training, and nothing is trained on the real scan.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True, strip=where.strip)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
middle = len(test) // 2
sample = test[middle]
width = sample.image.shape[-1]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
print(f"image {tuple(sample.image.shape)}, {sample.kspace.shape[1]} coils, R = {R}, effective "
      f"{effective_acceleration(sample.mask):.2f}")  # fmt: skip

# %% [markdown]
# > **Predict 1.** A quarter of the lines is measured, each time as many: once every fourth line, once lines at random
# > places. Which artefact is larger? Which would you rather give to a program that removes noise from photographs?
#
# The answers are under "Is it noise?".

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
floor = c.evaluate(zero_filled, validation).mean("psnr")
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB, "
      f"zero-filled {floor:.2f} dB")  # fmt: skip
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# Zero-filling smears the head along the phase-encoding direction (left to right). TV (chapter 05), tuned, is the mark to
# beat.

# %% [markdown]
# ## Is it noise?
#
# The first networks for MRI came from denoising: remove what looks random and keep what does not. The review says that
# non-uniform sampling makes artefacts "incoherent and noise-like". That can be measured. White noise is like nothing, not
# even like itself a pixel further: its *autocorrelation*
#
# $$a(s) = \Bigl|\sum_p \overline{e(p)}\; e(p+s)\Bigr| \Big/ \sum_p |e(p)|^2$$
#
# is 1 at shift $s = 0$ and about 0 elsewhere. A ghost, a shifted copy, has a second peak. Summing over all shifts is slow;
# the theorem of Wiener and Khinchin does it at once: the autocorrelation is the inverse Fourier transform of the energy
# spectrum $|E|^2$.
#
# > **Exercise 1** · core · 10 minutes · importance ★★☆
# >
# > Write `alike(e)`: $a(s)$ for every shift, for a complex image (batch, height, width), with shift 0 at `[..., 0, 0]`.
# >
# > <details><summary>Hint 1</summary>`torch.fft.fft2` and `torch.fft.ifft2`, without any shift: shift 0 is then where it
# > should be.</details>
# > <details><summary>Hint 2</summary>$|E|^2$ is `E.abs() ** 2`. Its inverse transform is complex: which part of it is
# > asked?</details>
# > <details><summary>Hint 3</summary>Divide by `a[..., :1, :1]`, so that the shape stays.</details>


# %%
def alike(e):
    """The magnitude of the autocorrelation at every circular shift, 1 at shift 0."""
    #: solution
    a = torch.fft.ifft2(torch.fft.fft2(e).abs() ** 2).abs()
    return a / a[..., :1, :1]
    #: end


check.ch07_alike(alike)

# %%
alike = use(alike, check.ch07_alike)

# %% [markdown] tags=["solution"]
# **Analysis.** Shift 0 holds the energy (Parseval), so one division makes all artefacts comparable, large or small. The
# shifts are circular, and for undersampling that is right: aliasing wraps around, too.

# %% [markdown]
# Now move lines. We begin with every fourth line, as parallel imaging likes it, and a full centre, if asked. Then a share
# of the outer lines jumps to free places. The number of lines stays.


# %%
def moved(share, seed=0, centre=0.08):
    """A mask (1, 1, 1, width): every R-th line and a full `centre`; `share` of the other lines go elsewhere."""
    lines = uniform(width, R, calibration=round(centre * width)).flatten()
    first, last = acs(lines.reshape(1, 1, 1, -1)) if centre else (0, 0)
    outer = [i for i in torch.nonzero(lines).flatten().tolist() if not first <= i < last]
    rng = torch.Generator().manual_seed(seed)
    leaving = [outer[i] for i in torch.randperm(len(outer), generator=rng)[: round(share * len(outer))].tolist()]
    free = torch.nonzero(lines == 0).flatten()
    lines[leaving] = 0
    lines[free[torch.randperm(len(free), generator=rng)[: len(leaving)]]] = 1
    return lines.reshape(1, 1, 1, -1)


full = test.prepared(middle)
head = full.image / full.image.abs().max()
point = torch.zeros_like(head)
point[..., width // 2, width // 2] = 1


def artefact(x, mask):
    """What one coil that sees all places alike would make of the image x, minus x: nothing hides the ghosts."""
    return c.ops.ifft2c(mask[0] * c.ops.fft2c(x)) - x


def peak(e):
    """The largest autocorrelation at least an eighth of the image away, from left to right."""
    return alike(e)[..., 0, width // 8 : -(width // 8)].max().item()


# %%
def ghosts(share):
    """The zero-filled image and its error, when so many of the outer lines were moved."""
    mask = moved(share)
    e, dot = artefact(head, mask), artefact(point, mask)
    said = (
        f"{100 * share:.0f} % of the outer lines moved. Peak for a point {peak(dot):.2f}, for the head {peak(e):.2f}; "
    )
    said += f"error {e.norm() / head.norm():.2f}."
    return figures.images({f"{100 * share:.0f} % moved": head + e}, head, error_limit=0.3).saying(said)


ghosts(0.0)

# %%
ghosts(1.0)

# %% [markdown]
# The slider answers: how random must the lines be until no ghost is left? And does the error itself get smaller? Read the
# numbers under the picture.

# %%
slider("share of lines moved", ghosts, (0.0, 0.25, 0.5, 0.75, 1.0))

# %%
noise = torch.randn(head.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
peaks, sizes = {}, {}
print(f"{'peak, mean of 8 masks':24}{'point':>8}{'head':>8}{'error':>8}")
for centre in (0.0, 0.08):
    for share, lines in {0.0: f"every {R}th line", 1.0: "random lines"}.items():
        masks = [moved(share, seed, centre) for seed in range(8)]
        of = {name: sum(peak(artefact(x, m)) for m in masks) / 8 for name, x in {"point": point, "head": head}.items()}
        sizes[share, centre] = sum(float(artefact(head, m).norm() / head.norm()) for m in masks) / 8
        peaks[share, centre] = of
        name = lines + (", centre full" if centre else "")
        print(f"{name:28}{of['point']:4.2f}{of['head']:8.2f}{sizes[share, centre]:8.2f}")
print(f"{'white noise':28}{peak(noise):4.2f}")
assert all(peaks[0.0, centre]["point"] > 1.5 * peaks[1.0, centre]["point"] for centre in (0.0, 0.08))
rest = [of["head"] for key, of in peaks.items() if key != (1.0, 0.08)]
assert 3 * peak(noise) < peaks[1.0, 0.08]["head"] < 0.9 * min(rest)
assert sizes[1.0, 0.08] > 0.8 * sizes[0.0, 0.08]

# %% [markdown]
# Predict 1. With a full centre the artefact is about as large either way: what counts is which energy is missing, not where
# the lines stand. For a *point* the review is right: random lines break the ghosts. For a *head* there is a surprise. Most
# of its energy lies in the middle of k-space, and without a full centre a few missing lines make a smear that is much like
# itself: then chance alone does not help. A full centre *and* random lines do. And nothing here is as random as white
# noise: lines are missing along one direction only, so the smear stays in the row of the pixel that caused it.
# "Noise-like" is a matter of degree, and the network must look along rows.

# %% [markdown]
# ## The idea
#
# Learn the map from bad to good, $x = f(x_{zf})$, from pairs of the two. A pixel of the smear comes from a pixel
# anywhere in its row: $f$ must see far. It must also be sharp to a pixel. The **U-Net** does both: on the way down,
# convolutions and *pooling* (2 x 2 pixels become one, their mean) halve the resolution again and again, so that a 3 x 3
# kernel spans the head; on the way up, each scale gets what comes from below *and*, through a **skip connection**, what
# was kept on the way down, still sharp.
#
# ```
# x ──► down[0] ───────── skip ──────────► merge[-1] ──► last ──► f(x)      128 x 128
#          │ pool                             ▲ up[-1]
#          └► down[1] ─────── skip ───► merge[-2]                            64 x  64
#                │ pool                   ▲ up[-2]
#                └► ...  bottom  ... ─────┘                                  coarse
# ```
#
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > A `UNet` has its layers: `net.down`, `net.bottom`, `net.up`, `net.merge` (lists in the order of use) and `net.last`.
# > Write the walk through them, for an image whose sides can be halved often enough. What comes up stands first, what was
# > kept stands second.
# >
# > <details><summary>Hint 1</summary>Keep a list of skips: append after each scale, before `avg_pool2d(x, 2)`.</details>
# > <details><summary>Hint 2</summary>On the way up the last one kept is needed first: `skips.pop()`.</details>
# > <details><summary>Hint 3</summary>`x = merge(torch.cat([up(x), skips.pop()], dim=1))`, and `net.last` at the
# > end.</details>


# %%
def walk(net, x):
    """The U-Net's output (batch, channels, height, width): down, bottom, up, last."""
    #: solution
    skips = []
    for scale in net.down:
        x = scale(x)
        skips.append(x)
        x = avg_pool2d(x, 2)
    x = net.bottom(x)
    for up, merge in zip(net.up, net.merge):
        x = merge(torch.cat([up(x), skips.pop()], dim=1))
    return net.last(x)
    #: end


check.ch07_walk(walk)

# %%
walk = use(walk, check.ch07_walk)
net = UNet(width=16, depth=3)
with torch.no_grad():
    same = (walk(net, as_real(sample.image)) - net(as_real(sample.image))).abs().max()
print(f"largest difference to the library's: {same:.1e}; {sum(p.numel() for p in net.parameters()):,} parameters")
assert same < 1e-5

# %% [markdown] tags=["solution"]
# **Analysis.** The library's U-Net does the same after it has padded the image to sides that can be halved. Concatenation
# costs channels and leaves the choice to `merge`; adding would save them and force both to mean the same.

# %% [markdown]
# ## Learn the artefact
#
# A U-Net must carry the whole head from its input to its output, although most of it is right already. Lee, Yoo and Ye
# let the network find what is *wrong* instead, and take it away:
#
# $$x = x_{zf} - f(x_{zf}), \qquad \min_f \lVert f(x_{zf}) - (x_{zf} - x)\rVert^2 .$$
#
# > **Exercise 3** · core · 10 minutes · importance ★★★
# >
# > Write `forward` of the residual U-Net. It gets the data and the forward model; the network sees the zero-filled image.
# >
# > <details><summary>Hint 1</summary>`A.H(y)` is the zero-filled image; `self.f` maps complex images to complex
# > images.</details>
# > <details><summary>Hint 2</summary>What is the result when all weights of the network are zero?</details>


# %% tags=["same:course_lib.methods.restore.residual_unet.ResidualUNet"]
class MyResidualUNet(Reconstructor):
    def __init__(self, width=32, depth=4, loss=mse):
        super().__init__()
        self.f = OnComplex(UNet(width=width, depth=depth))
        self.distance = loss

    def forward(self, y, A):
        #: solution
        x_zf = A.H(y)
        return x_zf - self.f(x_zf)
        #: end

    def loss(self, sample):
        return self.distance(self(sample.kspace, sample.A), sample.image)


check.ch07_residual(MyResidualUNet)

# %%
MyResidualUNet = use(MyResidualUNet, check.ch07_residual)
print(c.diff("unet", "residual_unet"))

# %% [markdown] tags=["solution"]
# **Analysis.** The loss of the image is the loss of the artefact: $x_{zf} - f - x = (x_{zf} - x) - f$. Only the start
# differs, and with it how far the weights have to go: a network that says nothing already returns the zero-filled image,
# where the direct one returns nothing.

# %% [markdown]
# `diff` shows where the two classes of the library differ: `-` is the direct U-Net, `+` the residual one. Both take the
# loss as a function, so any of `course_lib.losses` trains them: `c.build("unet", loss=losses.ssim)`.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
one = train[0]
probe = MyResidualUNet(width=8, depth=3)
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
# > **Predict 2.** The same U-Net trains twice for the same time with the same loss, once to find the image, once to find
# > the artefact. Which is ahead after a quarter of the time? At the end? Does either beat tuned TV? Write it down.

# %%
small = c.card("unet").small | ({"width": 8} if where.name == "ci" else {})
torch.manual_seed(0)
direct = c.build("unet", **small, loss=losses.l1)
run = c.fit(direct, train, validation, seconds, checks=checks)
print(f"{run.steps} steps")
figures.curves(run, {"zero-filled": floor, "tuned TV": baseline})

# %%
torch.manual_seed(0)
residual = MyResidualUNet(**small, loss=losses.l1)
run = c.fit(residual, train, validation, seconds, checks=checks)
print(f"{run.steps} steps")
figures.curves(run, {"zero-filled": floor, "tuned TV": baseline})

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices.

# %%
few = [test[i] for i in range(0, len(test), 3)]
methods = {"zero-filled": zero_filled, "tuned TV": tv, "U-Net": direct, "residual U-Net": residual}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
gain = unseen["residual U-Net"].over(unseen["U-Net"])
print(f"residual minus direct: {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}]")
print(f"each U-Net has {sum(p.numel() for p in direct.parameters()):,} parameters")
beaten = "U-Net" if where.name == "ci" else "zero-filled"  # three seconds of training are few
assert unseen["residual U-Net"].over(unseen[beaten]).low > 0
assert all(rows["residual U-Net"].over(rows["tuned TV"]).high < 0 for rows in tables.values())

# %% [markdown]
# Predict 2: the residual network is ahead early, for it starts near the zero-filled image; how much of that is left at
# the end is the line above. (With the three seconds of profile `ci` it is hardly past its start.)
# `python -m course_lib experiments 16` asks the same with several starts, few and many slices, random and regular lines
# (claim 16 of the review). Compare the curves with the table, too: on the validation persons the networks end near the
# zero-filled image, or below it, and on the test person they gain decibels. Who is asked matters as much as what was
# learned, and a mean over two kinds of people would hide it. And both lose to TV by decibels, whatever the target. Longer
# training narrows that, slowly. There is a reason that no training removes.

# %% [markdown]
# ## Why TV wins
#
# TV sees the data of every coil, and asks of each candidate image whether the coils would have measured *that*. The
# network sees one image, $A^Hy$: what the coils know about who folded onto whom went when they were summed. So take the
# coils from TV. We simulate one coil that sees everything alike, with the same lines, and tune $\lambda$ again.

# %%
alone = {name: [one_coil(s.prepared(i), protocol(R)(width, i)) for i in range(0, len(s), max(1, len(s) // 4))]
         for name, s in {"val": validation, "test": test}.items()}  # fmt: skip
lam_alone = c.tune(lambda v: c.build("cs_tv", lam=v), alone["val"], [0.001, 0.002, 0.004, 0.008, 0.016])
tv_alone = c.evaluate(c.build("cs_tv", lam=lam_alone), alone["test"]).mean("psnr")
print(f"{sample.kspace.shape[1]} coils: TV {unseen['tuned TV'].mean('psnr'):.2f} dB, "
      f"residual U-Net {unseen['residual U-Net'].mean('psnr'):.2f} dB")  # fmt: skip
print(f"one coil: TV {tv_alone:.2f} dB (lambda = {lam_alone})")
assert tv_alone < unseen["tuned TV"].mean("psnr") - 1

# %% [markdown]
# Without its coils TV falls by decibels, to about where restoration stands. That is the lesson of the chapter: **the data are
# worth more than the prior**, and a method that looks at them once, through the adjoint, gives them away. Later chapters look
# again; chapter 15 keeps the CNN and adds one line.
#
# Does a restored image at least agree with what was measured?


# %%
def misfit(x, s=sample):
    return ((s.A(x) - s.kspace).norm() / s.kspace.norm()).item()


with torch.no_grad():
    disagree = {name: misfit(m(sample.kspace, sample.A)) for name, m in methods.items()}
disagree["truth"] = misfit(sample.image)
print("misfit |A x - y| / |y|:", ", ".join(f"{name} {value:.3f}" for name, value in disagree.items()))
assert min(disagree["U-Net"], disagree["residual U-Net"]) > disagree["tuned TV"]

# %%
order = unseen["residual U-Net"].values["psnr"].argsort()
for word, index in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", "U-Net", "residual U-Net")}
    print(f"{word} slice for the residual U-Net")
    display(figures.images(panels, truth=picked.image, zoom=(width // 4, width // 3, width // 4, width // 4)))

# %% [markdown]
# Look at the row of errors: TV's are fine grain, the networks' follow the edges and what is left of the smear. A network
# that is not sure answers with the mean of what may be there, and the mean of many sharp images is smooth.

# %% [markdown]
# ## What does a loss pay for?
#
# Both networks learned what their loss asked for. Let us ask the losses themselves: four errors of **equal mean squared
# error**, and a small bright lesion that one of them takes away.

# %%
shape = disc(width, width, width // 2, width // 2, 2)[None]
ill = lesioned(sample, shape)
truth = ill.image
level = (truth - sample.image).norm()
k = c.ops.fft2c(truth)
middle_columns = ((torch.arange(width) - width // 2).abs() < width // 3).float()
errors = {
    "noise": noise,
    "blur": c.ops.ifft2c(k * middle_columns) - truth,
    "aliasing": ill.A.H(ill.kspace) - truth,
    "lesion lost": sample.image - truth,
}
spoiled = {name: truth + e * (level / e.norm()) for name, e in errors.items()}
figures.images(spoiled, truth=truth, error_limit=0.1, zoom=(width * 3 // 8, width * 3 // 8, width // 4, width // 4))

# %% [markdown]
# The first three look like the truth. In the last one the patient is well. A *feature loss* compares what an encoder sees
# in the two images:
#
# $$L(x, x_0) = \sum_l \frac{\lVert \varphi_l(|x|) - \varphi_l(|x_0|)\rVert^2}{\lVert \varphi_l(|x_0|)\rVert^2}.$$
#
# Elsewhere $\varphi$ is VGG, a network that learned from a million photographs to name what is on them. Ours,
# `Encoder()`, is six convolutions that nobody trained: the kernels are drawn from a seed, orthogonal, those of the first
# layer with mean 0. Random features are a weaker yardstick than VGG's: they know edges and textures, not things. They
# need no download, and everybody has the same.
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★☆
# >
# > Write `perceptual(encoder, x, ref)`. `encoder` maps real images (batch, 1, height, width) to a list of features; `x` and
# > `ref` are complex (batch, height, width). The gradient must reach `x`.
# >
# > <details><summary>Hint 1</summary>`x.abs()[:, None]` has the shape that the encoder wants.</details>
# > <details><summary>Hint 2</summary>For each layer `((f - w) ** 2).sum() / (w ** 2).sum()`, with $w$ the truth's
# > features.</details>
# > <details><summary>Hint 3</summary>`zip(encoder(a), encoder(b))` walks through the layers of both.</details>


# %%
def perceptual(encoder, x, ref):
    """The sum over layers of the relative squared error of the features of the magnitudes."""
    #: solution
    found, wanted = encoder(x.abs()[:, None]), encoder(ref.abs()[:, None])
    return sum(((f - w) ** 2).sum() / (w**2).sum() for f, w in zip(found, wanted))
    #: end


check.ch07_feature(perceptual)

# %%
perceptual = use(perceptual, check.ch07_feature)
encoder = Encoder().requires_grad_(False)
feature = losses.feature(encoder)  # the library's, which freezes its encoder
assert torch.allclose(perceptual(encoder, spoiled["blur"], truth), feature(spoiled["blur"], truth), rtol=1e-4)

# %% [markdown] tags=["solution"]
# **Analysis.** The weights must not be trained by the loss: an encoder that may change learns to see nothing, and every
# image is perfect. And the loss is blind to phase, and to whatever its features do not show; it is added to a pixel loss,
# not put in its place.

# %% [markdown]
# What does each loss charge for the four errors, relative to the noise?

# %%
asked = {"mse": losses.mse, "l1": losses.l1, "1 - SSIM": losses.ssim, "features": feature}
prices = {name: {e: float(L(x, truth)) for e, x in spoiled.items()} for name, L in asked.items()}
print(f"{'relative to noise':20}" + "".join(f"{e:>14}" for e in spoiled))
for name, row in prices.items():
    print(f"{name:20}" + "".join(f"{value / row['noise']:14.2f}" for value in row.values()))
lost = {name: row["lesion lost"] / row["noise"] for name, row in prices.items()}
assert abs(lost["mse"] - 1) < 1e-3 and lost["l1"] < 0.2 and lost["features"] > 3 * max(lost["l1"], lost["1 - SSIM"])

# %% [markdown]
# To the squared error all four are the same: a lost lesion is as dear as noise that nobody sees. The absolute error charges
# a small fraction for it: few pixels are wrong, and it does not care that they are very wrong. SSIM charges little, too: it
# is a mean over windows, and in nearly all of them nothing happened. The features weigh contrast, and charge much more. That
# is the loss, not yet the network: whether training with it brings lesions back is claim 13, `python -m course_lib
# experiments 13`.

# %% [markdown]
# ## Look inside: what do the skip connections carry?
#
# > **Exercise 5** · core · 15 minutes · importance ★★☆
# >
# > Switch off one skip connection of the *trained* networks: put zeros in its place. **Predict**: which costs more, the
# > finest or the coarsest? Is it the same for the direct and the residual network? (Nobody checks this one; the solution
# > is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>Change your `walk`, and call it in place of the network: `model.f.net.forward =
# > lambda x: ...`; `del model.f.net.forward` undoes it.</details>
# > <details><summary>Hint 2</summary>`c.evaluate(model, few).mean("psnr")` before and after.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**


# %% tags=["solution"]
def walk_without(net, x, off):
    """The walk with zeros in the place of skip connection `off`; 0 is the finest."""
    skips = []
    for level, scale in enumerate(net.down):
        x = scale(x)
        skips.append(0 * x if level == off else x)
        x = avg_pool2d(x, 2)
    x = net.bottom(x)
    for up, merge in zip(net.up, net.merge):
        x = merge(torch.cat([up(x), skips.pop()], dim=1))
    return net.last(x)


psnr = {}
for name, model in {"U-Net": direct, "residual U-Net": residual}.items():
    psnr[name], net = [c.evaluate(model, few).mean("psnr")], model.f.net
    for off in range(len(net.down)):
        net.forward = lambda x, net=net, off=off: walk_without(net, x, off)
        psnr[name].append(c.evaluate(model, few).mean("psnr"))
        del net.forward
    print(f"{name:16} whole {psnr[name][0]:.2f} dB; without skip " + ", ".join(
        f"{i}: {value:.2f}" for i, value in enumerate(psnr[name][1:])))  # fmt: skip
assert psnr["U-Net"][1] < psnr["U-Net"][-1] and psnr["residual U-Net"][1] > psnr["U-Net"][1]

# %% [markdown] tags=["solution"]
# The finest skip connection carries nearly everything of the direct network's image: without it the head falls apart. The
# residual network loses far less, because the subtraction is a skip connection itself, the largest of all. The surprise is
# the other end: the coarsest skip may go, and little happens. (Networks that were *trained* without it would have found
# another way; switching off what was trained is a look inside, not an ablation.)

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, random lines, the noise of our simulation, and images of one brightness. Take each away. TV, with
# its $\lambda$ as it is, stands beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))


def broken(mask=None, kspace=full.kspace):
    mask = protocol(R)(width, 1) if mask is None else mask
    return c.data.undersample(kspace, full.maps, mask, full.image)


sigma = full.kspace[..., :8, :8].std()  # a corner of k-space: hardly any signal
more = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
usual = broken()
cases = {
    "as trained": usual,
    "R = 2": broken(protocol(2)(width, 1)),
    "R = 8": broken(protocol(8)(width, 1)),
    "every fourth line": broken(moved(0.0)),
    "3 times the noise": broken(kspace=full.kspace + 8**0.5 * sigma * more),
    "twice as bright": replace(usual, kspace=2 * usual.kspace, image=2 * usual.image),
}
psnr = {}
print(f"{'PSNR (dB)':20}" + "".join(f"{name:>16}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in methods.items()}
    print(f"{case:20}" + "".join(f"{value:16.2f}" for value in psnr[case].values()))
change = {case: {name: values[name] - psnr["as trained"][name] for name in methods} for case, values in psnr.items()}
assert change["3 times the noise"]["tuned TV"] < 2 * change["3 times the noise"]["residual U-Net"] - 2
assert change["twice as bright"]["U-Net"] < min(v for m, v in change["twice as bright"].items() if m != "U-Net") - 1
assert change["R = 2"]["tuned TV"] > 1 and psnr["R = 2"]["tuned TV"] > psnr["R = 2"]["residual U-Net"] + 3

# %% [markdown]
# *Twice as bright* is the oddest: for TV a larger number in the same image, for the direct U-Net a catastrophe. Its
# normalisation layers divide every feature by its size, so the output has one brightness, that of the training data. (Our
# data are scaled before any method sees them; somebody who forgets that gets this row.) And at *R = 2* there is twice as
# much data: TV uses every sample of it. The networks were taught to remove the smear of R = 4.
#
# *3 times the noise* turns the table: TV keeps its $\lambda$, lets the noise through, and falls to where the networks are. They
# see one image whose errors are dominated by aliasing anyway, and lose little. And *every fourth line*, of which the
# networks saw no example: are they lost there, as one who believes in noise-like artefacts must expect? Their row says that
# they are not. Claim 15 (`python -m course_lib experiments 15`) trains one network on random and one on regular lines.
#
# Last, a lesion that no training image had. How much of its contrast comes back?

# %%
sizes = (1, 2, 4)
print(f"{'radius in pixels':20}" + "".join(f"{r:8d}" for r in sizes))
back = {}
for name, model in methods.items():
    back[name] = [sum(recovered(model, s, discs(s.image, r, i)) for i, s in enumerate(few)) / len(few) for r in sizes]
    print(f"{name:20}" + "".join(f"{value:8.2f}" for value in back[name]))
assert back["tuned TV"][0] > max(back["U-Net"][0], back["residual U-Net"][0]) + 0.1
assert all(row[0] < row[-1] for name, row in back.items() if name != "U-Net")

# %% [markdown]
# Small structures come back paler than large ones, and with both networks paler than with TV: the zero-filled image shows
# them pale, and a network that never saw a lesion has no reason to undo that. The direct U-Net treats even the largest as
# something that should not be there. A radiologist who knows this reads the image differently; the PSNR, a mean over
# thousands of pixels, hardly notices.

# %% [markdown]
# ## What the number hides
#
# - A restored image may look clean, and be wrong where it looks clean: what the network removes or invents was never held
#   against the data. The misfit above says how much it contradicts them.
# - PSNR and the loss are the same question asked twice. A network trained with the squared error is trained for the table.
# - The review notes that pixel losses "do not reflect a radiologist's perspective well". In the reading
#   study that it cites (Mason et al.) SSIM was no better than the root mean squared error: our lost lesion shows why.
# - The authors of residual learning argue that the residual is simpler for *coherent* artefacts; the review cites them for
#   random sampling. What our data say is claim 16.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Why does a U-Net for restoration need skip connections?",
    right={"pooling loses where things are to the pixel": "The skip hands on the features before they were pooled."},
    wrong={
        "without them the gradient cannot reach the first layer": "It does, through the bottom; it is about detail.",
        "they save parameters": "They cost some: `merge` sees twice as many channels.",
    },
)

# %%
quiz.choice(
    "2. All weights of a residual U-Net are set to zero. What does it return?",
    right={"the zero-filled image": "It takes no artefact away."},
    wrong={
        "zero": "That is the direct U-Net.",
        "the truth": "It would have to know the artefact.",
    },
)

# %%
quiz.choice(
    "3. Two errors have the same mean squared error: a lost lesion, and noise everywhere. Which does l1 find worse?",
    right={"the noise": "For equal energy the absolute sum is largest when the error is spread evenly."},
    wrong={
        "the lesion": "Few pixels, each with a large error: their sum of magnitudes is small.",
        "neither, since l1 and l2 rank alike": "The table above has them far apart.",
    },
)

# %%
quiz.choice(
    "4. What would help a restoration network most against tuned TV with many coils?",
    right={"to look at the data again": "What the coils know is in y and A, not in the sum of the coil images."},
    wrong={
        "twice the width": "It still sees one image, in which the coils are summed.",
        "the artefact as its target": "That helps the start; the input stays the same.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
with torch.no_grad():
    y, A = usual.kspace, usual.A
    brighter = {name: (m(2 * y, A).norm() / m(y, A).norm()).item() for name, m in methods.items()}
assert brighter["U-Net"] < 1.1 < brighter["residual U-Net"]
quiz.number(
    "5. The data `usual.kspace` are doubled. By which factor does the norm of the direct U-Net's image grow?",
    brighter["U-Net"],
    "Instance normalisation divides the brightness out; a linear method would say 2.",
    near={
        brighter["zero-filled"]: "That is the zero-filled image: the adjoint is linear.",
        brighter["residual U-Net"]: "That is the residual U-Net: its subtraction passes the brightness on.",
    },
    tolerance=0.01,
)

# %% [markdown]
# ## Wrap-up
#
# - You **measured** how noise-like an artefact is: random lines break the ghosts, along one direction.
# - You **wrote** the walk through a U-Net, and **saw** what its skip connections carry.
# - You **turned** it into a network that learns the artefact: one line.
# - You **wrote** a feature loss, and **compared** what four losses charge for a lost lesion.
# - You **compared** restoration with tuned TV, and **explained** its loss: the coils.
# - You **broke** it with masks, noise, brightness and a lesion.
#
# Next: chapter 08 restores in time and in phase; chapter 15 puts the data into the network.

# %% [markdown]
# ## From text to source

# %%
print(c.show("residual_unet", source=False, verify=False))

# %% [markdown]
# `c.show("residual_unet")` shows the source and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes images at full size and all coils. The defaults, called *paper* below, are fastMRI's
# baseline: `c.build("unet")` has width 32 and four scales. Nothing else in this chapter changes. What does a training
# step cost on this machine?

# %%
print(f"{'':28}{'parameters':>12}{'seconds a step':>16}")
for name in ("unet", "residual_unet"):
    for word, settings in {"small": c.card(name).small, "paper": {}}.items():
        model, begin = c.build(name, **settings), time.perf_counter()
        model.loss(one).backward()
        print(f"{name + ', ' + word:28}{sum(p.numel() for p in model.parameters()):12,}", end="")
        print(f"{time.perf_counter() - begin:16.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Can a loss bring lesions back? Train the residual U-Net with `losses.l1`, with `losses.ssim`, and with
# > `lambda x, ref: losses.l1(x, ref) + w * feature(x, ref)`, on images *with* lesions
# > (`course_lib.experiments.lesions.Lesioned`), and measure the contrast that comes back against the radius.
# >
# > | points | for |
# > |---|---|
# > | 2 | three networks with equal seconds, stated, each past the gate "overfit one slice" |
# > | 2 | `w` chosen on validation subjects, by a rule written down beforehand |
# > | 3 | contrast against radius with intervals over slices, beside PSNR and HFEN, on the unseen person |
# > | 2 | an encoder of your own (trained on the training subjects, to tell truth from zero-filled, say) against the random one |
# > | 1 | a lesion that is made up: search the images of healthy people for structures that only the network sees |
# >
# > <details><summary>Hint 1</summary>Choose `w` so that both parts cost the same for the zero-filled image, then vary
# > it tenfold.</details>
# > <details><summary>Hint 2</summary>`course_lib/experiments/lesions.py` holds what the course's own experiment uses.
# > </details>

# %% [markdown]
# ## References
#
# - Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. *MICCAI* 2015.
#   [doi:10.1007/978-3-319-24574-4_28](https://doi.org/10.1007/978-3-319-24574-4_28)
# - Lee D, Yoo J, Ye JC. Deep artifact learning for compressed sensing and parallel MRI. 2017.
#   [arXiv:1703.01120](https://arxiv.org/abs/1703.01120)
# - Johnson J, Alahi A, Fei-Fei L. Perceptual losses for real-time style transfer and super-resolution. *ECCV* 2016.
#   [doi:10.1007/978-3-319-46475-6_43](https://doi.org/10.1007/978-3-319-46475-6_43)
# - Wang Z, Bovik AC, Sheikh HR, Simoncelli EP. Image quality assessment: from error visibility to structural similarity.
#   *IEEE Trans Image Process* 2004. [doi:10.1109/TIP.2003.819861](https://doi.org/10.1109/TIP.2003.819861)
# - Mason A et al. Comparison of objective image quality metrics to expert radiologists' scoring of diagnostic quality of MR
#   images. *IEEE Trans Med Imaging* 2020. [doi:10.1109/TMI.2019.2930338](https://doi.org/10.1109/TMI.2019.2930338)
# - Zbontar J et al. fastMRI: an open dataset and benchmarks for accelerated MRI. 2018.
#   [arXiv:1811.08839](https://arxiv.org/abs/1811.08839)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, sections 2 and 2.1.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
