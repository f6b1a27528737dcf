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
# # 13 Direct mapping: from k-space to image at once
#
# ![Waves: what one sample of k-space adds to the image, by the inverse Fourier transform, and as a network has learned it](../docs/13_direct_mapping.png)
#
# All methods so far know the Fourier transform. A network that goes from k-space to the image *at once* does not: it is
# shown pairs and must find out. **Can a network learn the Fourier transform itself, and what does it cost?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **count** the weights of a fully connected mapping, and say why 256² is out of its reach (exercise 1, quiz 1 and 5),
# 2. **write** a complex transform as a real layer, and set it to the inverse Fourier transform (exercise 2),
# 3. **write** dAUTOMAP's forward pass (exercise 3), and train AUTOMAP as its paper did,
# 4. **measure** how far a learned transform is from the true one, and see where (exercise 4, the slider, quiz 3),
# 5. **compare** both with tuned TV, with intervals (project),
# 6. **break** them, and **say** what it costs to forget the physics (exercise 5, quiz 4).
#
# **You need** chapter 02 (the forward model) and chapter 06 (training; complex images as two channels).
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import OnComplex, Transform, inverse_fourier, refinement
from course_lib.errors import ShapeError
from course_lib.methods import Reconstructor
from course_lib.ops import fft2c, ifft2c
from course_lib.sampling import effective_acceleration, random
from course_lib.scores import table
from course_lib.shapes import sized
from course_lib.teach import check, figures, quiz, slider, use
from course_lib.train import Run, schedule

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (3, 2), "cpu": (30, 4), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
N = 32  # pixels along each side
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"images of {N} x {N}, each network trains for {seconds} s or less")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y$ | the data: k-space of one coil, 0 where nothing was acquired | `y`, `kspace` |
# > | $n$ | pixels along each side of the image | `n`, `N` |
# > | $F^{-1}$ | the inverse Fourier transform, centred and orthonormal | `ifft2c`, `inverse_fourier` |
# > | $\mathrm{Vec}(y)$ | k-space as one long row of $2n^2$ real numbers | `flatten` |
# > | $R$, $C$ | a learned matrix for all rows, one for all columns | `rows`, `columns` |
# > | $W$ | a learned transform as a whole | `W` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject.
# As in the papers: **one coil** (the coils are compressed to one), **small images** (the centre of k-space, so the pixels are
# large), **one mask** for all. The mask is part of what such a network learns.

# %%
mask = random(N, 3, 0.16, seed=3)
split = {
    name: c.data.slices(name, lambda width, seed: mask, coils=1, size=(N, N))
    for name in ("train", "val", "test", "real")
}
train, validation, test, real = split.values()
sample = test[len(test) // 2]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of other people, {len(real)} real slices")
print(f"{int(mask.sum())} of {N} lines, effective R = {effective_acceleration(mask):.2f}")

# %% [markdown]
# A few hundred slices are few for millions of weights. The papers had tens of thousands. `Pairs` moves, mirrors and turns the
# training images, and computes what one coil would have measured: a new batch at every access.

# %%
images = c.data.coil_images([train[i] for i in range(len(train))])
small_batches, large_batches = (c.data.Pairs(images, mask, batch) for batch in (8, 16))
drawn = small_batches[0]
figures.images({f"pair {i + 1}": drawn.image[i : i + 1] for i in range(5)})

# %% [markdown]
# > **Predict 1.** A network with one weight for each pair of a k-space number and a pixel needs some 50 million weights for
# > 64 x 64 pixels. How many for 256 x 256? Do they fit into the memory of your machine?
#
# The answer is under "Out of reach".

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
tuning = [validation[i] for i in range(len(validation))]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016])
tv = c.build("cs_tv", lam=lam)
baseline = {
    name: c.evaluate(m, validation).mean("psnr") for name, m in (("zero-filled", zero_filled), ("tuned TV", tv))
}
print(f"TV, tuned on {len(tuning)} validation slices: lambda = {lam}, validation PSNR {baseline['tuned TV']:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# Zero-filling costs nothing: the inverse Fourier transform is known. One coil leaves TV little to work with; still, it is the
# mark to beat. Whoever learns the transform must first come as far as the zero-filled image.

# %% [markdown]
# ## The idea
#
# Why learn what is known? Because it is known only for a perfect scanner. The field is not homogeneous, gradients come late,
# the trajectory is not where it should be: then $F^{-1}$ is wrong, and pairs $(y, x)$ may teach the right inverse.
#
# **AUTOMAP** takes the most general map there is. Every pixel sees every sample: two fully connected layers with tanh, then
# convolutions that refine the image.
#
# $$h = \tanh\big(W_2 \tanh(W_1\,\mathrm{Vec}(y) + b_1) + b_2\big), \qquad x = \text{convolutions}(h).$$
#
# It makes a *real* image; a complex one takes two networks. What does generality cost?
#
# **dAUTOMAP** remembers one thing about the transform: the rows and the columns can be treated one after the other,
# $F^{-1}_{2D}\,y = F^{-1}\, y\, F^{-T}$. It learns a matrix $R$ for all rows and a matrix $C$ for all columns, twice, with tanh
# after each pair. Complex numbers are pairs of real ones, so $R$ is $2n \times 2n$.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `count(n)`: two numbers, the parameters of AUTOMAP's two fully connected layers ($2n^2$ real numbers to $n^2$, then
# > $n^2$ to $n^2$, each layer with a bias), and those of dAUTOMAP's two transforms (each one $R$ and one $C$, no bias).
# >
# > <details><summary>Hint 1</summary>A layer from $a$ to $b$ numbers has $ab$ weights and $b$ biases.</details>
# > <details><summary>Hint 2</summary>How many matrices $2n\times 2n$ does dAUTOMAP have in all?</details>
# > <details><summary>Hint 3</summary>For $n = 64$: 50,339,840 and 65,536.</details>


# %%
def count(n):
    """(parameters of the fully connected layers of one AUTOMAP network, of dAUTOMAP's two transforms)."""
    #: solution
    return 3 * n**4 + 2 * n**2, 16 * n**2
    #: end


check.ch13_count(count)

# %%
count = use(count, check.ch13_count)

# %% [markdown] tags=["solution"]
# **Analysis.** With $p = n^2$ pixels: $3p^2 + 2p$ and $16p$. The weights of AUTOMAP grow *exactly* with the square of the
# pixels, dAUTOMAP's exactly with the pixels; only the biases bend the first line a little, and less so the larger $n$ is.

# %% [markdown]
# ## Out of reach
#
# Is it true for the library's networks? `torch.device("meta")` builds a network without its numbers, so that it can be counted
# at any size.

# %%
sizes = [16, 32, 64, 128, 256]
counted = {name: [] for name in ("AUTOMAP, connected", "dAUTOMAP, transforms", "AUTOMAP, all", "dAUTOMAP, all")}


def parameters(part):
    return sum(p.numel() for p in part.parameters())


for n in sizes:
    with torch.device("meta"):
        one, two = c.build("automap", size=(n, n)).real, c.build("dautomap", size=(n, n))
    for name, part in zip(counted, (one.h, two.transforms, one, two)):
        counted[name].append(parameters(part))
    assert count(n) == (parameters(one.h), parameters(two.transforms))
print(f"{'n':24}" + "".join(f"{n:>15}" for n in sizes) + "   slope at the end")
slopes = {}
for name, values in counted.items():
    slopes[name] = torch.tensor(values[-1] / values[-2]).log2().item() / 2  # twice n is four times the pixels
    print(f"{name:24}" + "".join(f"{v:15,}" for v in values) + f"{slopes[name]:10.4f}")
gigabytes = 4 * counted["AUTOMAP, connected"][-1] / 1e9
print(f"AUTOMAP at 256 x 256: {gigabytes:.1f} GB for the weights of one network, four times that to train it with Adam")
assert abs(slopes["AUTOMAP, connected"] - 2) < 1e-4 and slopes["dAUTOMAP, transforms"] == 1

# %%
pixels = [float(n * n) for n in sizes]
exponents = {name: [torch.tensor(v).log10().item() for v in values] for name, values in counted.items()}
figures.lines(exponents, "log10 of pixels", "log10 of parameters", x=[torch.tensor(p).log10().item() for p in pixels])

# %% [markdown]
# Predict 1: sixteen times the pixels, 256 times the weights. So AUTOMAP stopped at 128 x 128. And look at "dAUTOMAP, all": for
# small images most of its parameters sit in the *convolutions*, which do not grow. "Linear" is true of the transforms.
#
# The number also says how much there is to learn. At 64 x 64 one network has 50 million weights, each used once an image: a
# minute on two cores is far from enough to turn noise into a transform. We stay at 32 x 32.
#
# > **Exercise 2** · core · 10 minutes · importance ★★☆
# >
# > A real layer gets $n$ complex numbers as $2n$ real ones: all real parts, then all imaginary parts. Write `real_form(m)`: the
# > real matrix that does to them what the complex matrix `m` (rows, columns) does to the complex numbers.
# >
# > <details><summary>Hint 1</summary>$(a + ib)(u + iv) = (au - bv) + i(bu + av)$.</details>
# > <details><summary>Hint 2</summary>Four blocks: which stand in the upper row, that makes the real parts?</details>
# > <details><summary>Hint 3</summary>`torch.cat([upper, lower], 0)`, each of them `torch.cat([left, right], 1)`.</details>


# %%
def real_form(m):
    """Complex (rows, columns) -> real (2 rows, 2 columns)."""
    #: solution
    upper, lower = torch.cat([m.real, -m.imag], 1), torch.cat([m.imag, m.real], 1)
    return torch.cat([upper, lower], 0)
    #: end


check.ch13_real(real_form)

# %%
real_form = use(real_form, check.ch13_real)

# %% [markdown] tags=["solution"]
# **Analysis.** Four blocks, two of them free: a complex matrix uses half of what the real layer can do. The other half is maps
# that treat $u$ and $iu$ differently, such as "keep the real part". dAUTOMAP's layers have all four blocks free.

# %% [markdown]
# Now the transform of dAUTOMAP with our matrix. With the inverse Fourier matrices it is the inverse Fourier transform: the
# network *can* be right. Whether training finds it is another question.

# %%
transform, k = Transform(N, N), fft2c(sample.image)
with torch.no_grad():
    transform.rows.weight.copy_(real_form(inverse_fourier(N)))
    transform.columns.weight.copy_(real_form(inverse_fourier(N)))
    difference = (transform(k) - ifft2c(k)).abs().max() / ifft2c(k).abs().max()
print(f"{parameters(transform):,} numbers; largest difference to the inverse FFT {difference:.1e}")
assert difference < 1e-5

# %% [markdown]
# ## dAUTOMAP, from nothing
#
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > The class has its parts. Write `forward`: k-space goes through each transform and its tanh (`self.act`), then through
# > `self.refine`. Several coils are combined first: `fft2c(A.H(y))`, which for one coil is the data themselves.
# > `sized("dAUTOMAP", image, self.size)` returns the image, or says in one line that it has another size.
# >
# > <details><summary>Hint 1</summary>What goes into the first transform: an image, or k-space?</details>
# > <details><summary>Hint 2</summary>`for transform in self.transforms:` one line.</details>
# > <details><summary>Hint 3</summary>tanh comes after *each* transform; without it two transforms would be one.</details>


# %% tags=["same:course_lib.methods.direct.dautomap.DAUTOMAP"]
class MyDAUTOMAP(Reconstructor):
    def __init__(self, size=(128, 128), width=64, act=nn.Tanh):
        super().__init__()
        self.size, self.act = size, OnComplex(act())
        self.transforms = nn.ModuleList(Transform(*size) for _ in range(2))
        self.refine = OnComplex(refinement(2, width))

    def forward(self, y, A):
        #: solution
        x = fft2c(sized("dAUTOMAP", A.H(y), self.size))
        for transform in self.transforms:
            x = self.act(transform(x))
        return self.refine(x)
        #: end


check.ch13_dautomap(MyDAUTOMAP)

# %%
MyDAUTOMAP = use(MyDAUTOMAP, check.ch13_dautomap)

# %% [markdown] tags=["solution"]
# **Analysis.** $A$ appears once, to combine the coils. After that nothing is known: no Fourier transform, no mask, no data
# consistency. Whatever the network says about a sample that was measured, nobody checks it.

# %% [markdown]
# And AUTOMAP, as it stands in the library. Compare `features` with the equation above.

# %%
print(c.show("automap", verify=False))

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The loss must fall at least tenfold.

# %%
torch.manual_seed(0)
probe = MyDAUTOMAP(size=(N, N), width=16)
optimiser = torch.optim.Adam(probe.parameters(), lr=3e-3)
losses = []
for _ in range(100):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(sample.kspace, sample.A), sample.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** Both networks train for the same time. AUTOMAP can learn *any* map; dAUTOMAP only separable ones, with less
# > than a hundredth of the parameters. Which is better on the test subjects? Does either beat the zero-filled image? Tuned TV?
#
# `c.fit` trains with Muon, which turns the gradient of each matrix into an orthogonal one. For a transform, itself close to
# orthogonal, that is just right; each item of `Pairs` is a batch already.

# %%
torch.manual_seed(0)
dautomap = MyDAUTOMAP(**c.card("dautomap").small)
run = c.fit(dautomap, small_batches, validation, seconds, lr=3e-2, checks=checks)
print(f"{parameters(dautomap):,} parameters, {run.steps} steps")
figures.curves(run, baseline)

# %% [markdown]
# For AUTOMAP's matrices, 1024 x 2048, Muon would take seconds a step. The paper's optimiser is RMSprop: each weight moves by its
# gradient over the root mean square of its past ones. This is the whole loop:


# %%
def with_rmsprop(model, batches, seconds, lr=3e-4):
    optimiser, run = torch.optim.RMSprop(model.parameters(), lr=lr), Run(best={})
    start, step = time.monotonic(), 0
    while run.seconds < seconds:
        optimiser.param_groups[0]["lr"] = lr * schedule(run.seconds / seconds)
        loss = model.loss(batches[step % len(batches)])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        run.losses.append(loss.item())
        run.seconds, step = time.monotonic() - start, step + 1
        if run.seconds > seconds * (len(run.validation) + 1) / (checks + 1):
            run.validate(model, validation)
    run.validate(model, validation)
    model.load_state_dict(run.best)
    return run


torch.manual_seed(0)
automap = c.build("automap", **c.card("automap").small)
run = with_rmsprop(automap, large_batches, seconds)
print(f"{parameters(automap):,} parameters, {run.steps} steps")
figures.curves(run, baseline)

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to tuned TV, and its 95 % interval over slices.

# %%
methods = {"zero-filled": zero_filled, "tuned TV": tv, "AUTOMAP": automap, "dAUTOMAP": dautomap}
tables = {}
for name, samples in {"unseen simulated subjects": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
for name in ("AUTOMAP", "dAUTOMAP"):
    print(f"{name}: {parameters(methods[name]):,} parameters")
unseen = tables["unseen simulated subjects"]
ahead = unseen["dAUTOMAP"].over(unseen["AUTOMAP"])
print(f"dAUTOMAP minus AUTOMAP: {ahead.mean:+.2f} dB [{ahead.low:+.2f}, {ahead.high:+.2f}]")
assert parameters(automap) > 50 * parameters(dautomap)
if where.name != "ci":  # three seconds of training are few
    assert ahead.mean > 0

# %% [markdown]
# Predict 2: with three seconds of profile `ci` neither network has found the transform, and even the zero-filled image wins. In
# half a minute (`cpu`) the small network comes further than the large one: what AUTOMAP *could* learn in addition does not help,
# and what it must learn is more than a hundred times as much. Whether it reaches tuned TV depends on how many
# steps your machine manages: read the last column. Where the interval of the last column holds 0, these slices cannot tell a method
# from TV. The papers trained for hours, on tens of thousands of images; the count above says why they had to.

# %%
order = unseen["dAUTOMAP"].values["psnr"].argsort()
for word, index in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: m(picked.kspace, picked.A) for name, m in methods.items()}
    print(f"{word} slice for dAUTOMAP")
    display(figures.images(panels, truth=picked.image))

# %% [markdown]
# Look at how they fail. Undersampling leaves *folded* edges in the zero-filled image; a network that has not yet learned the high
# frequencies leaves a *blur*, and a background that is not dark.

# %% [markdown]
# ## Has it learned the Fourier transform?
#
# With tanh there is no matrix to look at. So we take the same network without its non-linearities and convolutions, give it
# *all* of k-space, and train it on the same images. The best answer is known: $F^{-1}$. What remains is linear, so its matrix can
# be read off: send in one sample of k-space at a time.
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★☆
# >
# > Write `distance(W, F)`, 0 if `W` is a multiple of `F`, 1 if the two have nothing in common: $\min_s \lVert W - sF\rVert /
# > \lVert W\rVert$ over all complex numbers $s$. (Scale and phase can move from one layer to the next, so they do not count.)
# >
# > <details><summary>Hint 1</summary>The best $s$ is a projection: $s = \langle F, W\rangle / \langle F, F\rangle$.</details>
# > <details><summary>Hint 2</summary>$\langle F, W\rangle$ is `(F.conj() * W).sum()`.</details>
# > <details><summary>Hint 3</summary>`.norm()` of a matrix is the root of the sum of its squares: Frobenius' norm.</details>


# %%
def distance(W, F):
    """The least ||W - s F|| / ||W|| over complex numbers s."""
    #: solution
    s = (F.conj() * W).sum() / F.abs().square().sum()
    return (W - s * F).norm() / W.norm()
    #: end


check.ch13_distance(distance)

# %%
distance = use(distance, check.ch13_distance)

# %% [markdown] tags=["solution"]
# **Analysis.** This is the sine of the angle between two vectors. A distance of 0.1 means that 1 % of the energy of $W$ is
# something else than $F^{-1}$; random matrices of this size have a distance close to 1.

# %%
torch.manual_seed(0)
linear = MyDAUTOMAP(size=(N, N), act=nn.Identity)
linear.refine = nn.Identity()
everything = torch.ones_like(mask)


def waves(model):
    """What each sample of k-space adds to the image: (sample, row, column), rows of W's transpose."""
    with torch.no_grad():
        unit = torch.eye(N * N, dtype=torch.complex64).reshape(-1, N, N)
        first, second = model.transforms
        return second(first(unit))


true = ifft2c(torch.eye(N * N, dtype=torch.complex64).reshape(-1, N, N))
fully = c.data.Pairs(images, everything, 8)
stages = {"before training": waves(linear)}
for word, time_for_it in {
    "after a moment": seconds / 40,
    "a little later": seconds / 10,
    "at the end": seconds / 2,
}.items():
    run = c.fit(linear, fully, validation, time_for_it, lr=3e-2, checks=0, progress=False)
    print(f"{word}: {run.steps} more steps")
    stages[word] = waves(linear)
left = {word: distance(W, true).item() for word, W in stages.items()}
print("distance to the inverse transform: " + ", ".join(f"{word} {value:.3f}" for word, value in left.items()))
assert left["before training"] > 0.9 and left["at the end"] < left["before training"]
assert where.name == "ci" or left["at the end"] < 0.5  # measured: about 0.01

# %%
away = (torch.arange(N) - N // 2).abs()
radius = torch.maximum(away[:, None], away).flatten()
energy = fft2c(images).abs().square().mean(0).flatten()
rings = list(range(N // 2))


def each_wave(W):
    """Relative error of every wave, scale and phase apart."""
    s = (true.conj() * W).sum() / true.abs().square().sum()
    return (W - s * true).flatten(1).norm(dim=1) / W.flatten(1).norm(dim=1)


shown = {word: [each_wave(W)[radius == r].mean().item() for r in rings] for word, W in stages.items()}
shown["signal there"] = [(energy[radius == r].mean() / energy.max()).sqrt().item() for r in rings]
figures.lines(shown, "distance from the centre of k-space", "relative error of the wave", x=[float(r) for r in rings])

# %% [markdown]
# After a moment hardly anything is found. A few seconds later the linear network has found **all of it**, from pairs alone, to
# less than a percent in profile `cpu` (the two seconds of `ci` are only the beginning). What is left stands at the edge of k-space,
# where images have the least signal: errors there cost little, so they go last. A learned transform *can* find $F^{-1}$. Then
# why is the image of dAUTOMAP, with its tanh and its convolutions, so far from the truth? Because a third of k-space is not
# all of it: of lines that were never measured nothing can be learned, and what the network must add in their place is not a
# transform.


# %%
def wave(offset):
    """The real part of what one sample adds, `offset` columns right of the centre of k-space and half as many rows down."""
    at = (N // 2 + offset // 2) * N + N // 2 + offset
    panels, said = {"inverse Fourier transform": true[at].real}, []
    for word, W in list(stages.items())[1:]:
        s = (true.conj() * W).sum() / true.abs().square().sum()
        panels[word] = (W[at] * s.conj() / s.abs()).real
        said.append(f"{word} {each_wave(W)[at].item():.2f}")
    picture = figures.heat(panels, "real part", (-1.5 / N, 1.5 / N), scale=figures.SIGNED)
    return picture.saying(f"Sample {offset} columns from the centre, relative error: " + ", ".join(said) + ".")


wave(2)

# %%
wave(12)

# %% [markdown]
# The slider answers: which waves has the network begun to find after a moment, and which are missing at the end?

# %%
slider("columns from the centre", wave, (0, 1, 2, 3, 4, 6, 8, 10, 12, 14))

# %% [markdown]
# > **Exercise 5** · core · 15 minutes · importance ★★☆
# >
# > **Predict**: how much is it worth to *know* the transform? Start dAUTOMAP at the inverse Fourier transform:
# > `model.transforms[0].become(inverse_fourier(N), inverse_fourier(N))`, the second transform at the identity, and train for
# > half the time. Better or worse than from nothing in all the time? (Nobody checks this one; the solution is in
# > `solutions/`.)
# >
# > <details><summary>Hint 1</summary>The identity is `torch.eye(N) + 0j`: `become` takes complex matrices.</details>
# > <details><summary>Hint 2</summary>`c.fit(model, small_batches, validation, seconds / 2, lr=3e-2, checks=1)`, then
# > `c.evaluate`.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
torch.manual_seed(0)
knowing = MyDAUTOMAP(**c.card("dautomap").small)
knowing.transforms[0].become(inverse_fourier(N), inverse_fourier(N))
knowing.transforms[1].become(torch.eye(N) + 0j, torch.eye(N) + 0j)
c.fit(knowing, small_batches, validation, seconds / 2, lr=3e-2, checks=1)
scores = {"from nothing": unseen["dAUTOMAP"], "from the inverse transform, half the time": c.evaluate(knowing, test)}
print(table(scores | {"tuned TV": unseen["tuned TV"]}, baseline="tuned TV"))
gain = c.evaluate(knowing, test).over(unseen["dAUTOMAP"])
print(f"knowing minus learning: {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}]")
assert gain.mean > 0

# %% [markdown] tags=["solution"]
# Knowing the transform is worth more than half of the training time: what is left to learn is how to remove aliasing, and a
# small convolutional network does that quickly. The last line says how many decibels it is ahead, after half the time, of the
# same network that started from nothing; the table says how far from tuned TV it is. So why learn the transform? Only where
# it is *not* known. Chapters 14 and 15 keep $F$, and need not learn it.

# %% [markdown]
# ## Break it
#
# The networks saw one mask, upright heads at the centre, and the scanner as it is. Take each away. TV, which knows $A$, stands
# beside them. The median slice of the test subjects:

# %%
full = test.prepared(int(order[len(order) // 2]))
other = random(N, 3, 0.16, seed=2)
noise = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
level = 0.01 * full.kspace.abs().max()


def broken(kspace=full.kspace, lines=mask, image=full.image):
    return c.data.undersample(kspace, full.maps, lines, image)


moved = torch.roll(full.image, (10, 6), (-2, -1))
cases = {
    "as trained": broken(),
    "another mask": broken(lines=other),
    "all of k-space": broken(lines=everything),
    "noise added": broken(full.kspace + level * noise),
    "head moved by 10 pixels": broken(fft2c(moved)[:, None], image=moved),
}
psnr = {}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>12}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = [c.metrics.psnr(m(s.kspace, s.A), s.image).item() for m in methods.values()]
    print(f"{case:26}" + "".join(f"{value:12.2f}" for value in psnr[case]))
gains = [after - before for before, after in zip(psnr["as trained"], psnr["all of k-space"])]
assert min(gains[:2]) > max(gains[2:]) and min(gains[:2]) > 3
try:
    dautomap(sample.kspace[..., 2:], type(sample.A)(sample.mask[..., 2:], sample.maps[..., 2:]))
except ShapeError as error:
    print(error)

# %% [markdown]
# The row to remember is "all of k-space": *more* data, all that there is. Zero-filling and TV become almost perfect; the networks
# gain far less, or lose. They cannot be told which samples were acquired, so lines that were always 0 are new numbers to them. An
# image with another number of columns they cannot take at all.

# %% [markdown]
# ## What the number hides
#
# - The networks compete at 32 x 32 with one coil. At the sizes of a clinic AUTOMAP does not exist.
# - The claim for direct mapping is *wrong models*: here the model was right, and that favours TV. `python -m course_lib
#   experiments 33` asks the other question: late gradients, seen and unseen delays.
# - PSNR of the magnitude is blind to phase; AUTOMAP's two networks learn phase apart from each other.
# - Equal *time* favours cheap steps. With an hour and 50,000 images the order may change.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. From 64 x 64 to 128 x 128: by how much do the weights of AUTOMAP's fully connected layers grow?",
    right={"16 times": "4 times the pixels, squared."},
    wrong={
        "4 times": "That is dAUTOMAP: as the pixels.",
        "2 times": "That is the side of the image.",
        "not at all": "That is a convolution: its weights do not depend on the size.",
    },
)

# %%
quiz.choice(
    "2. Why may dAUTOMAP treat rows and columns apart?",
    right={"the 2-D Fourier transform is one matrix for rows and one for columns": "F y F^T: it is separable."},
    wrong={
        "every linear map of images is separable": "Most are not: a field that varies with both directions, for one.",
        "the mask takes whole columns": "It does here, but the transform is separable for any mask.",
    },
)

# %%
quiz.choice(
    "3. Where in k-space is a transform learned last?",
    right={"far from the centre": "Images have little energy there, so errors cost little in training."},
    wrong={
        "at the centre": "Most of the energy is there: it is learned first.",
        "everywhere alike": "The loss weighs each sample by the energy that images have in it.",
    },
)

# %%
quiz.choice(
    "4. At test time you acquire all lines instead of a third. What does AUTOMAP do with them?",
    right={
        "it treats them as the numbers they never were: its weights know one mask": "It was trained with zeros there."
    },
    wrong={
        "it gives the exact image": "The inverse transform would. The network has learned another map.",
        "it ignores lines that were not in its mask": "Their weights are what training left there: not zero.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "5. How many gigabytes (10^9 bytes) do the two fully connected layers of one AUTOMAP network take at 192 x 192 in float32?",
    4 * count(192)[0] / 1e9,
    "Four bytes a parameter.",
    near={
        count(192)[0] / 1e9: "Those are parameters; each takes four bytes.",
        8 * count(192)[0] / 1e9: "Either float64, or both networks.",
        4 * count(192)[1] / 1e9: "Those are dAUTOMAP's transforms.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **counted**: 2 and 1 are the exponents of AUTOMAP and dAUTOMAP, exactly, and convolutions hide the second at small sizes.
# - You **wrote** complex matrices as real ones, and set a layer to the inverse Fourier transform.
# - You **wrote** dAUTOMAP, and **trained** AUTOMAP with its paper's optimiser.
# - You **measured** that a linear network finds the inverse transform from pairs alone, the edge of k-space last.
# - You **compared** with tuned TV on unseen people and a real scan.
# - You **broke** both with *more* data, since they cannot be told what was acquired.
#
# Next: chapter 14 keeps the Fourier transform and lets networks work on both sides of it.

# %% [markdown]
# ## From text to source

# %%
print(c.diff("automap", "dautomap"))

# %% [markdown]
# `c.show("dautomap")` shows the source and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `N = 64` at the top is AUTOMAP's first size. The papers' sizes are the defaults: `c.build("automap")`, `c.build("dautomap")`.
# What does a training step of each cost on this machine?

# %%
print(f"{'':20}{'parameters':>12}{'ms for a step of 8 images':>28}")
for name in ("automap", "dautomap"):
    for n in (16, 32):
        batch = c.data.undersample(fft2c(drawn.image)[:, None, :n, :n], torch.ones(8, 1, n, n) + 0j,
                                   torch.ones(1, 1, 1, n), drawn.image[:, :n, :n])  # fmt: skip
        model, start = c.build(name, size=(n, n)), time.perf_counter()
        model.loss(batch).backward()
        print(f"{name}, {n} x {n}".ljust(20) + f"{parameters(model):12,}{1e3 * (time.perf_counter() - start):28.0f}")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Direct mapping was made for scanners that are *not* as the model says. Choose one error: gradients that come late (every other
# > line moved by part of a sample), or a field that adds a phase while lines are read. Simulate it for `Pairs`, train dAUTOMAP on
# > it, and compare with the inverse transform that does not know, and with one that does.
# >
# > | points | for |
# > |---|---|
# > | 2 | a forward model with the error, and a test that it is right (its adjoint, or a case with a known answer) |
# > | 2 | the gate "overfit one slice" with that model |
# > | 3 | error of the image against the size of the perturbation, with intervals, for the three methods |
# > | 2 | sizes of the perturbation that were *not* in training |
# > | 1 | the case in which you would use it, and why not in the others |
# >
# > <details><summary>Hint 1</summary>A line of k-space moved by $d$ samples is the image times $e^{2\pi i d u/n}$ ($u$: the
# > column): chapter 01's shift theorem.</details>
# > <details><summary>Hint 2</summary>`course_lib/experiments/direct.py` holds one way to do it.</details>

# %% [markdown]
# ## References
#
# - Zhu B, Liu JZ, Cauley SF, Rosen BR, Rosen MS. Image reconstruction by domain-transform manifold learning. *Nature* 2018.
#   [doi:10.1038/nature25988](https://doi.org/10.1038/nature25988)
# - Schlemper J, Oksuz I, Clough JR, Duan J, King AP, Schnabel JA, Hajnal JV, Rueckert D. dAUTOMAP: decomposing AUTOMAP to achieve
#   scalability and enhance performance. *Proc ISMRM* 2019, 658. [arXiv:1909.10995](https://arxiv.org/abs/1909.10995)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.3.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
