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
# # 08 Restoration in time and phase
#
# ![A frame of a film of a heart: truth, gridded, TV in time and a 3-D U-Net, with their errors](../docs/08_restoration_in_time_and_phase.png)
#
# A heart is filmed so fast that every frame has a few spokes of k-space only. The blood in a vessel leaves its velocity in
# the *phase* of the image. **Can a network borrow from the other frames, and can it leave the phase alone?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **write** a network that sees space and time together (exercise 1, quiz 1),
# 2. **judge** a reconstruction by the volume of a ventricle, with limits of agreement (exercise 2, quiz 2),
# 3. **read** velocity off the phase of two images, and **say** what a magnitude network loses (exercise 3, quiz 3 and 4),
# 4. **build** a complex-valued network and compare it at an equal number of parameters (exercises 4 and 5),
# 5. **break** each of them, and say why (exercise 6).
#
# **You need** chapter 05 (total variation), chapter 06 (training). Chapter 07 (the U-Net) helps.
# **Time**: about 90 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display
from torch.nn.functional import conv2d

import course_lib as c
from course_lib import clinical
from course_lib.blocks import ComplexConv, ModReLU, UNet, complex_net, two_channel
from course_lib.data import cine, moving
from course_lib.methods import Reconstructor
from course_lib.methods.restore.phase_contrast import PhaseContrast
from course_lib.ops import TimeDifference
from course_lib.scores import table
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (2, 2), "cpu": (26, 3), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
SIZE, FRAMES, FILMS, TEST = {"ci": (48, 8, 6, 3), "cpu": (48, 8, 32, 8), "gpu": (96, 16, 64, 8)}[where.name]
ITERATIONS = 15 if where.name == "ci" else 40  # of total variation
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"films of {FRAMES} frames, {SIZE} x {SIZE}; each network trains for {seconds} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + \text{noise}$ | the data of a film: every frame has its own lines or spokes | `y`, `kspace` |
# > | $m = \lvert A^Hy\rvert$ | magnitudes of the gridded (zero-filled) film | `m` |
# > | $f$ | a U-Net | `f` |
# > | $x_0, x_1$ | reference image, velocity-encoded image | `x0`, `x1` |
# > | $v_\text{enc}$ | the velocity that turns the phase by $\pi$ | `venc` |
# > | $R$ | acceleration | `R` |

# %% [markdown]
# ## The data
#
# Clinical numbers need a truth. So we draw *phantoms*: hearts whose ventricle (the chamber that pumps) has a known area in
# every frame, vessels with known velocity, all with texture and shading (flat areas would flatter total variation). One
# film is real: a heartbeat in four-chamber view, a slice through all four chambers of the heart (`data/PROVENANCE.md`
# names source and licence). Nothing is trained on it; its anatomy and motion are real, its phase and its scan are
# simulated. A phantom is drawn from a random seed, and the seed is its "subject": no seed is in two splits.

# %%
SPOKES = 8
hearts = {
    split: [moving.heart(first + i, SIZE, FRAMES) for i in range(count)]
    for split, (first, count) in {
        "train": (1000, FILMS),
        "val": (2000, 1 if where.name == "ci" else 2),
        "test": (3000, TEST),
    }.items()
}
scans = {split: [cine.spokes(h.film, SPOKES, 100 + i) for i, h in enumerate(few)] for split, few in hearts.items()}
real = [cine.spokes(cine.real_film(i, SIZE, FRAMES), SPOKES, 300 + i) for i in range(2 if where.name == "ci" else 4)]
sample, heart = scans["test"][0], hearts["test"][0]
print(
    f"{FILMS} hearts to train on, {TEST} to test, one real heart scanned {len(real)} times with other noise and spokes"
)
print(
    f"{SPOKES} spokes a frame; full sampling needs {round(torch.pi / 2 * SIZE)}: R = {torch.pi / 2 * SIZE / SPOKES:.1f}"
)
print("volume of the ventricle (mL):", ", ".join(f"{v:.0f}" for v in heart.volume.tolist()))

# %% [markdown]
# > **Predict 1.** Frames are noisy in different places. Which helps more: to know the neighbouring *pixels*, or the same pixel
# > in the neighbouring *frames*? What if the heart stood still?
#
# The answer comes with the table.

# %% [markdown]
# ## The naive thing


# %%
def shown(x, step=2):
    """Every `step`-th frame of a film (1, time, height, width), side by side."""
    return torch.cat(list(x[0, ::step].abs()), -1)[None]


gridding = c.build("gridding")
gridded = gridding(sample.kspace, sample.A)
figures.images({"gridded": shown(gridded)}, truth=shown(sample.image), error_limit=1.0)

# %% [markdown]
# Gridding leaves streaks, and they move: every frame has other spokes. So the streaks of one frame can be told from the heart by
# looking at the next.

# %% [markdown]
# ## The classical rivals
#
# Total variation (chapter 05) in space, and **along time**: $\min_x \frac12\lVert Ax-y\rVert^2+\lambda\sum_t|x_{t+1}-x_t|$, the
# idea of GRASP, a method for radial scans of what moves. Both use the data again in each iteration, and both get their
# $\lambda$ on validation hearts.

# %%
LAMBDAS = {"TV in space": [0.004, 0.016, 0.064], "TV in time": [0.008, 0.032, 0.128]}
rivals, lams = {}, {}
for name, D in {"TV in space": None, "TV in time": TimeDifference()}.items():
    build = lambda lam, D=D: c.build("cs_tv", lam=lam, iterations=ITERATIONS, D=D)
    lams[name] = c.tune(build, scans["val"], LAMBDAS[name])
    rivals[name] = build(lams[name])
best = max(rivals, key=lambda name: c.evaluate(rivals[name], scans["val"]).mean("psnr"))
baseline = c.evaluate(rivals[best], scans["val"]).mean("psnr")
print(f"lambda = {lams}; the better on validation: {best}, {baseline:.2f} dB")

# %% [markdown]
# ## The idea
#
# Hauptmann and colleagues give the *whole film* to one U-Net whose kernels are $3\times3\times3$: two axes of space, one of time.
# It sees magnitudes $m=\lvert A^Hy\rvert$ only and finds a correction: $x = m + f(m)$. Pooling halves time as well, so a few
# scales see the whole beat. It is as simple as a denoiser, and it never looks at the data again.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `forward`. `A.H(y)` is the gridded film, complex, (batch, time, height, width). The network wants (batch, 1, time,
# > height, width). Return a complex film whose phase is 0.
# >
# > <details><summary>Hint 1</summary>Three lines: magnitude with a channel axis, correction, back.</details>
# > <details><summary>Hint 2</summary>`unsqueeze(1)` makes the channel axis, `squeeze(1)` takes it away.</details>
# > <details><summary>Hint 3</summary>`real + 0j` is complex.</details>


# %% tags=["same:course_lib.methods.restore.unet_3d.UNet3D"]
class MyUNet3D(Reconstructor):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.f = UNet(width=width, depth=depth, inside=1, outside=1, dims=3).silent()

    def forward(self, y, A):
        #: solution
        m = A.H(y).abs().unsqueeze(1)
        x = m + self.f(m)
        return x.squeeze(1) + 0j
        #: end

    def loss(self, sample):
        return (self(sample.kspace, sample.A).real - sample.image.abs()).square().mean()


check.ch08_unet_3d(MyUNet3D)

# %%
MyUNet3D = use(MyUNet3D, check.ch08_unet_3d)

# %% [markdown] tags=["solution"]
# **Analysis.** The last layer starts at zero (`silent`), so training starts at the gridded film. Magnitudes are enough for
# volumes; the phase is gone for good, which the second half of this chapter cannot afford.

# %% [markdown]
# ## Sanity gate: can it overfit one film?
#
# A small one, of four frames. A network that cannot learn one film by heart will not learn many.

# %%
torch.manual_seed(0)
one, probe = cine.spokes(moving.heart(1000, 24, 4).film, SPOKES, 100), MyUNet3D(width=8, depth=2)
optimiser, losses = torch.optim.Adam(probe.parameters(), lr=1e-2), []
for _ in range(70):
    optimiser.zero_grad()
    loss = probe.loss(one)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train

# %%
torch.manual_seed(0)
unet_3d = MyUNet3D(**c.card("unet_3d").small)
run = c.fit(unet_3d, scans["train"], scans["val"], seconds, lr=3e-3, checks=checks)
figures.curves(run, {best: baseline})

# %% [markdown]
# ## Unseen hearts, and a real one

# %%
films = {"gridding": gridding, "CG-SENSE": c.build("sense_cg"), **rivals, "3-D U-Net": unet_3d}
tables, restored = {}, {}
for name, few in {"unseen phantoms": scans["test"], "real heart": real}.items():
    tables[name] = {method: c.evaluate(model, few) for method, model in films.items()}
    print(name, table(tables[name], baseline=best), "", sep="\n")
print(f"3-D U-Net: {sum(p.numel() for p in unet_3d.parameters()):,} parameters")
with torch.no_grad():
    restored = {n: [model(s.kspace, s.A) for s in scans["test"]] for n, model in films.items()}
over = tables["unseen phantoms"]["3-D U-Net"].over(tables["unseen phantoms"]["gridding"])
assert over.low > (-0.1 if where.name == "ci" else 0)  # two seconds of training are few

# %% [markdown]
# The network beats gridding in one pass. Against tuned total variation read the last column: in our seconds of training it
# does **not** win. Total variation uses the data again in each iteration, and the four coils with it; a restoration network
# cannot put back a sample that it contradicted. The paper trained on thousands of films, compared at 13 times acceleration, and
# above all compared the *time* of a reconstruction: see the seconds. (The interval of the real heart is over noise and spokes, not
# over people: it is one heart.)
#
# Predict 1: compare "TV in space" with "TV in time". A pixel changes less from frame to frame than to its neighbour, as long as
# the heart does not beat too fast. If the heart stood still, the spokes of all frames would belong to one and the same image.

# %%
order = tables["unseen phantoms"]["3-D U-Net"].values["psnr"].argsort()
for word, index in {"best": order[-1], "median": order[len(order) // 2], "worst": order[0]}.items():
    picked = scans["test"][int(index)]
    panels = {n: restored[n][int(index)][:, 3] for n in ("gridding", best, "3-D U-Net")}
    print(f"{word} heart for the 3-D U-Net, frame 4")
    display(figures.images(panels, truth=picked.image[:, 3].abs() + 0j, error_limit=0.5))

# %% [markdown]
# ## The number that a clinician wants
#
# Nobody treats a PSNR. The *ejection fraction* is (largest - smallest volume) / largest volume. `clinical.ventricle_area`
# counts bright blood inside the outer wall; the ventricle is taken for a bullet, whose volume is 5/6 area × length. How far
# from the truth may one patient lie? Bland and Altman: the mean of the differences is the **bias**, and 95 % of them lie
# within the **limits of agreement**, bias ± 1.96 standard deviations.
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `agreement(measured, truth)` that returns bias, lower and upper limit, from one number a patient.
# >
# > <details><summary>Hint 1</summary>Work on `measured - truth`. A positive bias is too large.</details>
# > <details><summary>Hint 2</summary>Standard deviation with n - 1, as `torch.std` has it; not divided by the root of
# > n.</details>


# %%
def agreement(measured, truth):
    """Bias, lower limit, upper limit."""
    #: solution
    difference = measured - truth
    width = 1.96 * difference.std()
    return difference.mean(), difference.mean() - width, difference.mean() + width
    #: end


check.ch08_agreement(agreement)

# %%
agreement = use(agreement, check.ch08_agreement)

# %% [markdown] tags=["solution"]
# **Analysis.** A correlation would say nothing: two scales that differ by a factor of two correlate perfectly. The standard
# *error* would shrink with every patient measured; the limits do not.


# %%
def volumes(images):
    """Volumes (heart, time) in mL, measured on films of the test hearts."""
    areas = [clinical.ventricle_area(x, h.region, h.pixel)[0] for x, h in zip(images, hearts["test"])]
    return torch.stack([clinical.volume(area, h.length) for area, h in zip(areas, hearts["test"])])


true, fraction = torch.stack([h.volume for h in hearts["test"]]), {}
print(f"{'':14}{'largest volume (mL)':>28}{'ejection fraction (%)':>30}")
images = {"true images": [s.image for s in scans["test"]], **restored}
for name in images:
    found = volumes(images[name])
    largest = agreement(found.amax(-1), true.amax(-1))
    fraction[name] = agreement(100 * clinical.ejection_fraction(found), 100 * clinical.ejection_fraction(true))
    row = "      ".join(f"{bias:+8.1f} ({low:+6.1f} to {high:+6.1f})" for bias, low, high in (largest, fraction[name]))
    print(f"{name:14}{row}")
assert (volumes(images["true images"]) / true - 1).abs().max() < 0.15  # the measure itself is within some percent
assert fraction["TV in time"][0] < fraction["TV in space"][0] - 2 and best == "TV in time"

# %% [markdown]
# The first row is the measure on perfect images: its own error. A method whose bias is no larger, and whose limits are no
# wider, has lost nothing that the measure could see. Now compare the two kinds of total variation. "TV in time" has by far
# the better PSNR, and an ejection fraction that is *too small*: it smooths the beat away. "TV in space" has the lower PSNR
# and is the better cardiologist. **No PSNR shows such a bias**, and a $\lambda$ that is tuned for PSNR chooses it.

# %% [markdown]
# ## Phase: velocity
#
# A gradient turns the phase of moving blood in proportion to its velocity. Two images are taken, without and with it:
# $x_0 = \rho e^{i\varphi}$ and $x_1=\rho e^{i\varphi + i\pi v/v_\text{enc}}$.
#
# > **Predict 2.** A perfect magnitude network gives you the true $\lvert x_0\rvert$ and $\lvert x_1\rvert$, without any error. How
# > good is the velocity?
#
# > **Exercise 3** · core · 10 minutes · importance ★★★
# >
# > Write `velocity(x0, x1, venc)`, in the unit of `venc`, between -venc and venc.
# >
# > <details><summary>Hint 1</summary>A difference of two angles can be as large as $2\pi$. A product of one image with the
# > conjugate of the other has the difference as its angle, wrapped.</details>
# > <details><summary>Hint 2</summary>$\pi$ is `venc`.</details>


# %%
def velocity(x0, x1, venc):
    """venc / pi times the phase of x1 relative to x0."""
    #: solution
    return venc / torch.pi * (x1 * x0.conj()).angle()
    #: end


check.ch08_velocity(velocity)

# %%
velocity = use(velocity, check.ch08_velocity)

# %% [markdown] tags=["solution"]
# **Analysis.** The object's own phase drops out, whatever it is; that is why two images are taken. A velocity beyond `venc` wraps, and
# nothing in the two images shows it.

# %%
vessels = {
    split: [moving.vessels(first + i, SIZE, FRAMES // 2) for i in range(count)]
    for split, (first, count) in {"train": (5000, FILMS), "val": (6000, 3), "test": (7000, TEST)}.items()
}
RATES = (2, 3, 5)
flows = {
    split: [cine.lines(v.film, RATES[i % 3], 400 + i, coils=1) for i, v in enumerate(vessels[split])]
    for split in ("train", "val")
}
tests = {R: [cine.lines(v.film, R, 500 + i, coils=1) for i, v in enumerate(vessels["test"])] for R in RATES}
v, s = vessels["test"][0], tests[3][0]
inside = v.part.sum(0) > 0.99
error = (velocity(s.image[:, 0], s.image[:, 1], v.venc)[0] - v.velocity)[:, inside].abs().max()
print(
    f"{len(v.radius)} vessels of radius {', '.join(f'{r:.1f}' for r in v.radius.tolist())} cm, venc {v.venc:.0f} cm/s"
)
print(f"largest error of the velocity on true images, inside the vessels: {error:.2f} cm/s")
assert error < 1

# %% [markdown]
# One receiver coil, random lines, other ones in each frame, R = 2, 3 and 5 as in the study that the review cites (Nath et al.
# 2020). Its data were undersampled afterwards, as ours. The network sees both complex images and is trained with the modulus
# of the *complex* error, so the phase counts: `c.show("phase_contrast")`.

# %% [markdown]
# ## Complex kernels
#
# A two-channel network may treat real and imaginary part as it likes. A complex kernel $w_r+iw_i$ can scale and turn, nothing else:
#
# $$(a+ib)*(w_r+iw_i) = (a*w_r-b*w_i)+i\,(a*w_i+b*w_r).$$
#
# > **Exercise 4** · core · 10 minutes · importance ★★☆
# >
# > Write `convolve(x, real, imag)`: complex images (batch, inside, height, width), two real kernels (outside, inside, 3, 3), the same
# > height and width afterwards.
# >
# > <details><summary>Hint 1</summary>Four calls of `conv2d(..., padding=1)` on real tensors.</details>
# > <details><summary>Hint 2</summary>`torch.complex(real part, imaginary part)` joins them.</details>


# %%
def convolve(x, real, imag):
    """x convolved with the kernel real + i imag."""
    #: solution
    a, b = x.real, x.imag
    part = lambda image, kernel: conv2d(image, kernel, padding=1)
    return torch.complex(part(a, real) - part(b, imag), part(a, imag) + part(b, real))
    #: end


check.ch08_convolve(convolve)

# %%
convolve = use(convolve, check.ch08_convolve)
layer, x = ComplexConv(2, 3), s.image.movedim(1, 2).flatten(0, 1)
with torch.no_grad():
    same = (convolve(x, layer.real, layer.imag) - layer(x)).abs().max()
print(f"yours against the library's single real convolution with the kernel [[w_r, -w_i], [w_i, w_r]]: {same:.1e}")
assert same < 1e-4

# %% [markdown]
# > **Exercise 5** · stretch · 10 minutes · importance ★★☆
# >
# > ReLU on real and imaginary part (CReLU) would push every phase into one quadrant. *modReLU* keeps the phase and shrinks the size:
# > $\max(\lvert z\rvert+b, 0)\; z/\lvert z\rvert$ with one learned $b$ a channel. Write `mod_relu(z, b)`; `z` (batch, channel,
# > height, width), `b` (channel,).
# >
# > <details><summary>Hint 1</summary>`b[:, None, None]` fits the channel axis.</details>
# > <details><summary>Hint 2</summary>`torch.polar(size, angle)`, or z over its size.</details>


# %%
def mod_relu(z, b):
    """The size shrunk or grown by b, down to 0; the phase stays."""
    #: solution
    size = z.abs()
    return z / size.clamp_min(1e-12) * (size + b[:, None, None]).relu()
    #: end


check.ch08_mod_relu(mod_relu)

# %%
mod_relu = use(mod_relu, check.ch08_mod_relu)

# %% [markdown] tags=["solution"]
# **Analysis.** Kernels, normalisation by the modulus and modReLU all commute with a turn of the phase, so the whole network does:
# $f(e^{i\alpha}x) = e^{i\alpha}f(x)$. It need not *learn* that the absolute phase means nothing.

# %%
torch.manual_seed(0)
nets = {"two channels": PhaseContrast(10, 2, two_channel), "complex": PhaseContrast(7, 2, complex_net)}
turn = torch.polar(torch.ones(()), torch.tensor(1.0))
for name, net in nets.items():
    for p in net.parameters():
        if not p.any():  # the last layers, which start at zero
            torch.nn.init.normal_(p, std=0.1)
    with torch.no_grad():
        change = (net(turn * s.kspace, s.A) - turn * net(s.kspace, s.A)).norm() / net(s.kspace, s.A).norm()
    print(
        f"{name:14}{sum(p.numel() for p in net.parameters()):8,} parameters; turned input, turned output up to {change:.1e}"
    )
    assert (change < 1e-3) == (name == "complex")
assert isinstance(nets["complex"].f.down[0][2], ModReLU)

# %% [markdown]
# ## Train both, as long, with as many parameters

# %%
velocity_nets = {}
for name, (width, net) in {"two channels": (10, two_channel), "complex": (7, complex_net)}.items():
    torch.manual_seed(0)
    velocity_nets[name] = PhaseContrast(width, 2, net)
    run = c.fit(velocity_nets[name], flows["train"], flows["val"], seconds, checks=checks)
    print(f"{name}: {run.steps} steps, validation PSNR {max(p for _, p in run.validation):.2f} dB")


# %%
def perfect_magnitude(y, A, truth):
    """What no magnitude network can beat: the true magnitudes, and the phase of the zero-filled images."""
    return truth.abs() * A.H(y).sgn()


build = lambda lam: c.build("cs_tv", lam=lam, iterations=ITERATIONS)
lam = c.tune(build, flows["val"], [0.002, 0.006, 0.018])
pairs = {"zero-filled": c.build("zero_filled"), "tuned TV": build(lam), **velocity_nets}
errors, net_flow = {}, {}
true_flow = torch.cat([v.flow.mean(-1) for v in vessels["test"]])
for R in RATES:
    for name in ("magnitudes only", "perfect magnitudes", *pairs):
        found, passed = [], []
        for s, v in zip(tests[R], vessels["test"]):
            with torch.no_grad():
                if name == "magnitudes only":
                    x = s.image.abs() + 0j
                elif name == "perfect magnitudes":
                    x = perfect_magnitude(s.kspace, s.A, s.image)
                else:
                    x = pairs[name](s.kspace, s.A)
            found.append(clinical.velocity_error(x, v.velocity, v.part.sum(0), v.venc))
            speed = clinical.velocity(x, v.venc)[0]
            passed += [clinical.flow(speed, part, v.pixel).mean() for part in v.part]
        errors[name, R], net_flow[name, R] = torch.cat(found), torch.stack(passed)

# %%
print(f"{'velocity error (cm/s)':22}" + "".join(f"{f'R = {R}':>10}" for R in RATES) + "     net flow at R = 5 (mL/s)")
for name in ("magnitudes only", "perfect magnitudes", *pairs):
    bias, low, high = agreement(net_flow[name, 5], true_flow)
    row = "".join(f"{errors[name, R].mean():10.1f}" for R in RATES)
    print(f"{name:22}{row}     {bias:+6.1f} ({low:+6.1f} to {high:+6.1f})")
for R in RATES:
    gap = c.scores.bootstrap(errors["two channels", R] - errors["complex", R])
    over = c.scores.bootstrap(errors["tuned TV", R] - errors["two channels", R])
    print(f"R = {R}: two channels - complex {gap.mean:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}] cm/s; "
          f"TV - two channels {over.mean:+.2f} [{over.low:+.2f}, {over.high:+.2f}]")  # fmt: skip
for R in RATES:
    assert errors["magnitudes only", R].mean() > 2 * errors["zero-filled", R].mean()
    assert (errors["perfect magnitudes", R] - errors["zero-filled", R]).abs().max() < 1e-2
assert errors["zero-filled", 5].mean() > errors["zero-filled", 2].mean()
assert errors["tuned TV", 5].mean() < errors["zero-filled", 5].mean()

# %% [markdown]
# Predict 2: perfect magnitudes have no velocity at all; with the phase of the zero-filled images put back, the velocity is *exactly*
# that of the zero-filled images. **A magnitude network cannot improve flow by any amount of training.** A complex one can. Whether
# it does within our seconds, the table says; tuned total variation, which uses the data again, is hard to beat here as well. All
# errors grow with R.
#
# The last column: alias cancels partly in a sum over a vessel, so the net flow is better than any pixel's velocity.

# %%
s, v = tests[3][0], vessels["test"][0]
frame = int(v.velocity.abs().amax((1, 2)).argmax())
body = (s.image[0, 0, frame].abs() > 0.1).float()
panels = {"truth": v.velocity[frame]}
with torch.no_grad():
    for name, model in pairs.items():
        panels[name] = clinical.velocity(model(s.kspace, s.A), v.venc)[0, frame] * body
figures.heat({k: x[None] for k, x in panels.items()}, "velocity (cm/s)", (-150, 150), scale=figures.SIGNED)

# %% [markdown]
# The slider answers: from which acceleration on can you no longer see the smallest vessel?


# %%
def at(R):
    """The velocity at one acceleration, by zero-filling and by the two networks."""
    s, seen = tests[R][0], {"truth": v.velocity[frame][None]}
    with torch.no_grad():
        for name in ("zero-filled", "two channels", "complex"):
            seen[name] = clinical.velocity(pairs[name](s.kspace, s.A), v.venc)[:, frame] * body
    said = ", ".join(f"{n} {errors[n, R][0]:.1f}" for n in list(seen)[1:])
    return figures.heat(seen, "velocity (cm/s)", (-150, 150), scale=figures.SIGNED).saying(
        f"R = {R}, error: {said} cm/s."
    )


at(5)

# %%
slider("R", at, RATES)

# %% [markdown]
# > **Exercise 6** · core · 15 minutes · importance ★★☆
# >
# > Does the 3-D U-Net use *time*? Give it the frames in another order: `y[:, :, order]` with the operator of the shuffled spokes, and put
# > the result back in order. **Predict**: does its PSNR fall a little, or to that of gridding? And that of TV in space? (Nobody
# > checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>The film is all that the network sees: shuffle `A.H(y).abs()` and call `unet_3d.f`.</details>
# > <details><summary>Hint 2</summary>`back = order.argsort()` undoes the order.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 6.**

# %% tags=["solution"]
shuffled = torch.randperm(FRAMES, generator=torch.Generator().manual_seed(0))
rows = {"in order": torch.arange(FRAMES), "shuffled": shuffled, "one frame, repeated": torch.zeros(FRAMES).long()}
for name, moved in rows.items():
    psnr = []
    for s in scans["test"]:
        m = s.A.H(s.kspace).abs()[:, moved]
        with torch.no_grad():
            x = m + unet_3d.f(m[:, None])[:, 0]
        psnr.append(c.metrics.psnr(x, s.image.abs()[:, moved]).item())
    print(f"{name:22}{sum(psnr) / len(psnr):6.2f} dB")

# %% [markdown] tags=["solution"]
# Shuffling costs little: most of the body stands still, and its streaks change from frame to frame in any order. To TV in
# space it costs nothing: each frame is on its own there. Repeating *one* frame costs the network more: now the streaks stand
# still too, and nothing tells them from the heart. What the network borrows from other frames is, first of all, *other
# spokes*.

# %% [markdown]
# ## Break it
#
# Fewer spokes; an irregular heart, which is another one from frame to frame; flow above $v_\text{enc}$. Tuned TV stands beside.

# %%
jumpy = torch.cat([hearts["test"][i % TEST].film[:, i : i + 1] for i in range(FRAMES)], 1)
cases = {
    "as trained": sample,
    "4 spokes": cine.spokes(heart.film, 4, 100),
    "16 spokes": cine.spokes(heart.film, 16, 100),
    "another heart each frame": cine.spokes(jumpy, SPOKES, 100),
}
psnr = {}
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = [c.metrics.psnr(m(s.kspace, s.A), s.image).item() for m in films.values()]
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>13}" for name in films))
for case, values in psnr.items():
    print(f"{case:26}" + "".join(f"{value:13.2f}" for value in values))
names = list(films)
drop = [a - b for a, b in zip(psnr["as trained"], psnr["another heart each frame"])]
assert psnr["4 spokes"][names.index("TV in space")] < psnr["16 spokes"][names.index("TV in space")]
assert drop[names.index("TV in time")] > drop[names.index("TV in space")]  # what time gave, it takes

fast = moving.vessels(7000, SIZE, FRAMES // 2, peak=1.6)
wrapped = clinical.velocity_error(fast.film, fast.velocity, fast.part.sum(0), fast.venc).item()
print(f"peak of 1.6 venc: velocity error of the TRUE images {wrapped:.0f} cm/s")
assert wrapped > 5

# %% [markdown]
# What is smooth in time gains from time, and loses when the heart jumps. Above $v_\text{enc}$ the error is not the network's: the
# velocity wraps in the true images. No reconstruction can repair an encoding.

# %% [markdown]
# ## What the number hides
#
# - Phantoms have no breathing, no eddy currents, no turbulence. Their truth is exact and too simple.
# - The volume is measured with the outer wall known; a reader has to draw it on the reconstruction.
# - The rivals got their $\lambda$ from the same kind of phantom on which the networks trained; on the real heart both are strangers.
# - A PSNR of magnitudes says nothing about phase. A velocity error says nothing about how the image looks.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. What makes the 3-D U-Net see more than a 2-D U-Net on each frame?",
    right={"other spokes in other frames": "Streaks change from frame to frame, tissue hardly does."},
    wrong={
        "more parameters": "At an equal number it sees more, too: its kernels have a third axis.",
        "it uses the data again": "It sees gridded magnitudes once, and never the data.",
    },
)

# %%
quiz.choice(
    "2. Bias -1 mL, limits -21 to +19 mL. What do you tell the clinician?",
    right={"right on average, of little use for one patient": "The next patient may lie 20 mL off."},
    wrong={
        "an excellent method: the bias is 1 mL": "The bias is a mean; a patient is one number.",
        "nothing: correlation is missing": "Correlation says nothing about agreement.",
    },
)

# %%
quiz.choice(
    "3. A network with perfect magnitudes, the phase taken from the zero-filled images: the velocity error is",
    right={"that of the zero-filled images": "Velocity is an angle; magnitudes do not enter."},
    wrong={
        "zero": "The phase is still aliased.",
        "a little smaller": "The angle of a number does not change with its size.",
    },
)

# %%
quiz.choice(
    "4. Which layer would break f(turned x) = turned f(x)?",
    right={"CReLU": "It cuts real and imaginary part on their own: the quadrants are not alike."},
    wrong={
        "a complex kernel without bias": "It is linear over complex numbers.",
        "modReLU": "It changes the size by the size alone.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
largest = heart.volume.amax().item()
quiz.number(
    "5. What is the true ejection fraction of `heart`, in percent?",
    100 * clinical.ejection_fraction(heart.volume).item(),
    "(largest - smallest) / largest of heart.volume.",
    near={
        100
        * (largest - heart.volume.amin().item())
        / heart.volume.amin().item(): "Over the largest volume, not the smallest.",
        largest - heart.volume.amin().item(): "That is the stroke volume, in mL.",
        100
        * clinical.ejection_fraction(heart.area).item(): "That is the change of the area: the heart also gets shorter.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** a network that sees space and time together, and saw what it borrows from other frames.
# - You **judged** it by volumes, with bias and limits of agreement.
# - You **read** velocity off the phase, and showed that no magnitude network can improve it.
# - You **built** complex kernels and modReLU, and compared them at equal numbers of parameters.
# - You **broke** both: jumps in time, fewer spokes, flow beyond $v_\text{enc}$.
#
# Next: chapter 09 asks what a network should be *rewarded* for. Chapter 17 puts the data back into films.

# %% [markdown]
# ## From text to source

# %%
print(c.show("phase_contrast", source=False, verify=False))
print(c.diff("unet_3d", "phase_contrast"))

# %% [markdown]
# `c.show("unet_3d")` shows the source and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes larger films of more frames. The papers' sizes are the defaults of `c.build("unet_3d")` and
# `c.build("phase_contrast")`. What does a training step of each cost on this machine?

# %%
print(f"{'':24}{'parameters':>12}{'seconds a step':>16}")
for name, s in {"unet_3d": scans["train"][0], "phase_contrast": flows["train"][0]}.items():
    for word, settings in {"small": c.card(name).small, "half the paper's width": {"width": 16}}.items():
        model, began = c.build(name, **settings), time.perf_counter()
        model.loss(s).backward()
        print(f"{name}, {word}".ljust(38) + f"{sum(p.numel() for p in model.parameters()):12,}", end="")
        print(f"{time.perf_counter() - began:8.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 7** · project · 120 minutes · importance ★★☆
# >
# > Haji-Valizadeh and colleagues de-alias the *complex difference* $x_1 - x_0$ instead of the pair: it is zero wherever nothing moves.
# > Build it from `PhaseContrast`, with as many parameters. Is the net flow better at R = 5?
# >
# > | points | for |
# > |---|---|
# > | 2 | a class that passes the gate "overfit one film" |
# > | 3 | velocity error and net flow with intervals, against `PhaseContrast` and tuned TV, equal seconds, R = 2, 3, 5 |
# > | 2 | one ablation (two channels or complex, number of frames), tuned on validation phantoms |
# > | 2 | how you get a velocity from the difference, with its assumptions |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>Send $(x_0, x_1 - x_0)$ through the network and add $x_0$ afterwards.</details>
# > <details><summary>Hint 2</summary>The loss can stay: it is about the pair.</details>

# %% [markdown]
# ## References
#
# - Hauptmann A, Arridge S, Lucka F, Muthurangu V, Steeden JA. Real-time cardiovascular MR with spatio-temporal artifact suppression
#   using deep learning: proof of concept in congenital heart disease. *Magn Reson Med* 2019.
#   [doi:10.1002/mrm.27480](https://doi.org/10.1002/mrm.27480)
# - Haji-Valizadeh H et al. Highly accelerated free-breathing real-time phase contrast cardiovascular MRI via complex-difference deep
#   learning. *Magn Reson Med* 2021. [doi:10.1002/mrm.28750](https://doi.org/10.1002/mrm.28750)
# - Nath R et al. Accelerated phase contrast magnetic resonance imaging via deep learning. *IEEE Int Symp Biomed Imaging* 2020.
# - Trabelsi C et al. Deep complex networks. *ICLR* 2018. arXiv 1705.09792
# - Cole EK, Cheng JY, Pauly JM, Vasanawala SS. Analysis of deep complex-valued convolutional neural networks for MRI reconstruction.
#   arXiv 2004.01738
# - Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical measurement. *Lancet* 1986.
#   [doi:10.1016/S0140-6736(86)90837-8](https://doi.org/10.1016/S0140-6736(86)90837-8)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, sections 2.1, 4 and 5.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
