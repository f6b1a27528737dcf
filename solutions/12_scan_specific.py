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
# # 12 Scan-specific learning: RAKI
#
# ![A real head from every fifth line, completed by GRAPPA and by RAKI. Below, their errors: fine grain in one, the outlines
# of folded heads in the other](../docs/12_scan_specific.png)
#
# Both images come from the same lines of the same scan, and nobody else's scan was used. One was filled by a weighted sum,
# the other by small networks that were trained on this scan a minute ago. **Can a network learn anything useful from the
# few lines of the very scan that it completes?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **write** one of RAKI's networks, and **count** its weights (exercise 1, quiz 1 and 5),
# 2. **train** it on the calibration lines of one scan, inside the reconstruction (exercise 2),
# 3. **add** a network to a linear method without losing the linear method (exercise 3),
# 4. **separate** noise from structured error in a scan whose truth has noise, too (exercise 4, quiz 3),
# 5. **judge** what the nonlinearity buys, with an ablation that may surprise you (exercise 5, quiz 2),
# 6. **break** a network that was trained on one scan, and **say** why it broke (quiz 4).
#
# **You need** chapter 04 (GRAPPA, pseudo-replicas) and chapter 06 (training).
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d, leaky_relu

import course_lib as c
from course_lib.blocks import REACH, Interpolator, Residual
from course_lib.evaluate import head
from course_lib.experiments.scans import scanned_head
from course_lib.methods import Reconstructor
from course_lib.methods.base import cartesian, combine
from course_lib.ops import Coils, LinearOperator, ifft2c
from course_lib.sampling import acs, effective_acceleration, uniform
from course_lib.scores import table
from course_lib.shapes import Image, KSpace
from course_lib.solve import adam, grappa
from course_lib.teach import check, figures, quiz, slider, training, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    size: int  # pixels along each axis of the real scan
    coils: int
    lines: int  # calibration lines
    accelerations: tuple[int, ...]
    steps: int  # of training, for every scan
    replicas: int  # repetitions that measure the noise
    slices: int  # at most so many slices of each split in the table


where = c.profile()
cfg = {"ci": Settings(64, 4, 20, (2, 3, 4), 100, 20, 2), "cpu": Settings(128, 8, 24, (3, 4, 5, 6), 150, 30, 3),
       "gpu": Settings(224, 13, 40, (3, 4, 5, 6), 1000, 30, 6)}[where.name]  # fmt: skip
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}", cfg, sep="\n")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y$ | k-space of all coils, 0 where nothing was acquired | `y` |
# > | $R$ | every $R$-th line is acquired | `R` |
# > | ACS | calibration lines: the gap-free centre | `cfg.lines` |
# > | $k$, $T$ | the calibration lines, and in them the lines to be guessed | `k`, `T` |
# > | $f$ | the networks of one scan | `f` |
# > | $G$ | a linear guess, GRAPPA's weights | `G` |
# > | $\eta$ | what the linear guess alone weighs in residual RAKI | `eta` |

# %% [markdown]
# ## The data
#
# The real head of chapter 04 (Maier et al. 2020, licence and provenance in `data/PROVENANCE.md`): every line was measured,
# the noise is whitened, so that **1 is one standard deviation of the noise** in each coil and in each pixel of the full
# scan. For the table there are slices of other people, split by subject.

# %%
scan = scanned_head(cfg.size, cfg.coils)
full, maps, truth = scan.kspace, scan.maps, scan.image
inside = head(truth)[0] > 0
combined = lambda k: Coils(maps).H(ifft2c(k))
nrmse = lambda x: c.metrics.nrmse(x, truth).item()
R = 4 if 4 in cfg.accelerations[:2] else 3
mask = uniform(cfg.size, R, cfg.lines)
y = full * mask
first, stop = acs(mask)
print(f"{full.shape[1]} coils of {full.shape[-2]} x {full.shape[-1]} samples; R = {R}, {stop - first} calibration lines, "
      f"effective R = {effective_acceleration(mask):.2f}")  # fmt: skip
print(f"the head is {truth.abs()[0][inside].median():.0f} standard deviations of the noise bright, in the median")

# %% [markdown]
# ## Zeros, GRAPPA, TV
#
# Zeros in the gaps first. Then two methods that were *tuned* on the validation subjects: GRAPPA's kernel and ridge, and the
# $\lambda$ of TV (chapter 05).


# %%
def some(split, R, lines=cfg.lines):
    """At most cfg.slices slices of a split, spread over it."""
    slices = c.data.slices(split, lambda width, seed: uniform(width, R, lines))
    picked = torch.linspace(0, len(slices) - 1, min(cfg.slices, len(slices))).long()
    return [slices[i] for i in picked.tolist()]


def tuned_grappa(R):
    """GRAPPA with the kernel and the ridge that are best on the validation subjects."""
    validation, found = some("val", R), {}
    for kernel in ((5, 2), REACH, (5, 4)):
        if (kernel[1] - 1) * R + 1 <= cfg.lines:
            build = lambda lam, kernel=kernel: c.build("grappa", kernel=kernel, lam=lam)
            lam = c.tune(build, validation, [1e-4, 1e-3, 1e-2, 1e-1, 1.0])
            found[kernel, lam] = c.evaluate(build(lam), validation).mean("nrmse")
    kernel, lam = min(found, key=found.get)
    return c.build("grappa", kernel=kernel, lam=lam)


tuned = {R: tuned_grappa(R) for R in cfg.accelerations}
for acceleration, model in tuned.items():
    print(f"GRAPPA, R = {acceleration}: kernel {model.kernel}, lam = {model.lam:g}")
lam = c.tune(lambda lam: c.build("cs_tv", lam=lam), some("val", R), [0.0005, 0.001, 0.002, 0.004, 0.008])
tv = c.build("cs_tv", lam=lam)
print(f"TV: lambda = {lam}")

# %%
unfilled, by_grappa = combined(y), combined(grappa.grappa(y, mask, tuned[R].kernel, tuned[R].lam))
assert nrmse(by_grappa) < 0.5 * nrmse(unfilled)
figures.images({"zeros": unfilled, "tuned GRAPPA": by_grappa}, truth)

# %% [markdown]
# ## The idea
#
# GRAPPA guesses a missing sample as a weighted **sum** of its neighbours. Large weights make large noise, and a sum can do
# nothing about it: noise and signal are multiplied alike. A *nonlinear* function might treat them differently. So replace
# the sum by a small network and train it where GRAPPA fits its weights: on the calibration lines of this scan.
#
# RAKI (Akçakaya et al. 2019) uses one network for each real channel, the real and the imaginary part of each coil. Each
# sees all channels through three convolutions:
#
# $$f = F_3\,\mathrm{relu}\,F_2\,\mathrm{relu}\,F_1, \qquad F_1: 5\times2,\ 32 \text{ channels}, \quad F_2: 1\times1,\ 8,
# \quad F_3: 3\times2,\ R-1$$
#
# No bias, no padding. Acquired lines are $R$ apart, so all convolutions are *dilated* by $R$ along the lines: neighbouring
# weights of a kernel look at lines that are $R$ apart. The last layer's channels are the $R-1$ lines of a gap.
#
# > **Predict 1.** With 8 coils and $R = 4$ these networks have 88 320 weights; GRAPPA of the same reach has 4 032 complex
# > ones. The calibration block gives some thousand windows. Will the networks fit the block better than GRAPPA does?
# > Will they fit the *missing* lines better?
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `network(k, weights, R)`: one network on real channels `k` (1, channel, rows, lines), with its three `weights`.
# >
# > <details><summary>Hint 1</summary>`conv2d(k, w, dilation=(rows, lines))` has no bias unless you give one.</details>
# > <details><summary>Hint 2</summary>The readout (rows) has no gaps. How far apart are neighbours along it?</details>
# > <details><summary>Hint 3</summary>K-space has both signs. After which layers may a ReLU stand?</details>


# %%
def network(k, weights, R):
    """RAKI's three layers: real (1, channel, rows, lines) -> (1, R - 1, rows - 6, lines - 2 R)."""
    #: solution
    first, second, third = weights
    h = conv2d(k, first, dilation=(1, R)).relu()
    h = conv2d(h, second, dilation=(1, R)).relu()
    return conv2d(h, third, dilation=(1, R))
    #: end


check.ch12_network(network)

# %%
network = use(network, check.ch12_network)

# %% [markdown] tags=["solution"]
# **Analysis.** Without bias, and with ReLU, $f(sk) = s f(k)$ for $s > 0$: a brighter scan gives a brighter guess, nothing
# has to be learned for that. But $f(-k) \neq -f(k)$: remember it under "Break it". The network reaches over 7 rows
# and 3 acquired lines.

# %% [markdown]
# `Interpolator` computes all $2C$ networks of $C$ coils at once, as one large matrix product and two batched ones. Its first
# network must agree with yours:

# %%
f = Interpolator(2, R - 1)
k = torch.randn(1, 2, 20, 24, dtype=torch.complex64)
sizes = [(32, 4, 5, 2), (8, 32, 1, 1), (R - 1, 8, 3, 2)]
mine = network(torch.cat([k.real, k.imag], 1), [w[0].reshape(size) for w, size in zip(f.layers, sizes)], R)
difference = (mine[0] - f(k, R)[0, :, 0].real).abs().max() / mine.abs().max()
print(f"network of the first real channel: relative difference {difference:.1e}")
assert difference < 1e-4
for coils in (8, 16, 32):
    count = sum(p.numel() for p in Interpolator(coils, 3).parameters())
    print(f"{coils} coils, R = 4: {count:,} weights, GRAPPA (5 x 4): {coils * 20 * 3 * coils:,}")

# %% [markdown]
# ## RAKI: training inside the reconstruction
#
# Every method of this course is a function of the data and the forward model. RAKI is one, too: it trains *inside* this
# function, anew for each scan. `grappa.pairs` cuts the examples: calibration lines `k`, and the lines `T` that a network
# must guess when it sees every $R$-th line of `k`. `grappa.scan_by_scan` lets each scan of a batch learn on its own.
#
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > Write `learn`. Divide `k` and `T` by the root mean square of `T`, so that one learning rate serves all scans. Make an
# > `Interpolator`, minimise the mean squared error with `adam(objective, parameters, steps, lr, watch)`, return it.
# >
# > <details><summary>Hint 1</summary>`f(k, R)` guesses from lines `R` apart; it has the shape of `T`.</details>
# > <details><summary>Hint 2</summary>`adam` calls `objective()` without arguments: a `lambda:`. It changes the parameters
# > in place.</details>
# > <details><summary>Hint 3</summary>For complex numbers the squared error is `.abs().square().mean()`.</details>


# %% tags=["same:course_lib.methods.kspace.raki.RAKI"]
class MyRAKI(Reconstructor):
    def __init__(self, widths: tuple[int, int] = (32, 8), steps: int = 1000, lr: float = 3e-3, act=torch.relu):
        super().__init__()
        self.widths, self.steps, self.lr, self.act = widths, steps, lr, act

    def learn(self, y: KSpace, mask: torch.Tensor, watch=None) -> Interpolator:
        """The networks of one scan; `watch` sees the error before each step, over the energy of T."""
        #: solution
        k, T, R = grappa.pairs(y, mask, REACH)
        k, T = (v / T.abs().square().mean().sqrt() for v in (k, T))
        f = Interpolator(y.shape[1], R - 1, self.widths, self.act).to(y.device)
        adam(lambda: (f(k, R) - T).abs().square().mean(), f.parameters(), self.steps, self.lr, watch)
        return f
        #: end

    def kspace(self, y: KSpace, A: LinearOperator) -> KSpace:
        return grappa.scan_by_scan(y, cartesian(A).mask, REACH, self.learn)

    def forward(self, y: KSpace, A: LinearOperator) -> Image:
        return combine(self.kspace(y, A), A)


check.ch12_raki(MyRAKI)

# %%
MyRAKI = use(MyRAKI, check.ch12_raki)

# %% [markdown] tags=["solution"]
# **Analysis.** Nothing outside the calibration block is looked at: no other scan, no image. The evaluation of the course
# runs under `no_grad`, so `adam` switches gradients on for itself. The start is drawn from a fixed seed, so the same scan
# gives the same image.

# %% [markdown]
# ## Train
#
# Watch the loss on the calibration lines: it must fall tenfold, or something is broken. And since the truth is known
# here, look at what the networks would make of the *missing* lines on the way.
#
# > **Predict 2.** The loss falls with every step. What does the error of the image do? And its noise?

# %%
small = {**c.card("raki").small, "steps": cfg.steps}
residual = c.build("rraki", steps=cfg.steps // 2)
checkpoints = [cfg.steps // 15, cfg.steps // 5, cfg.steps]
losses, on_the_way = [], {}
begin = time.perf_counter()
for steps in checkpoints:
    losses = []
    f = MyRAKI(steps=steps, lr=small["lr"]).learn(y, mask, watch=losses.append)
    with torch.no_grad():
        on_the_way[steps] = combined(grappa.between(y, mask, REACH, f))
print(f"{sum(checkpoints)} steps in {time.perf_counter() - begin:.0f} s")
print(f"loss on the calibration lines {losses[0]:.3f} -> {losses[-1]:.4f}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10
k, T, _ = grappa.pairs(y, mask, REACH)
linear = grappa.predict(k, grappa.calibrate(y, mask, REACH, tuned[R].lam), R)
level = ((linear - T).abs().square().mean() / T.abs().square().mean()).item()
print(f"GRAPPA of the same reach: {level:.4f}")
training.losses({"RAKI": losses}, "step", "error of the calibration lines", {"GRAPPA, same reach": level})


# %%
def after(steps):
    """The image after so many steps of training, beside tuned GRAPPA's."""
    shown = {f"RAKI, {steps} steps": on_the_way[steps], "tuned GRAPPA": by_grappa}
    words = f"NRMSE {nrmse(on_the_way[steps]):.3f} after {steps} steps, tuned GRAPPA {nrmse(by_grappa):.3f}."
    return figures.images(shown, truth, error_limit=0.15 * float(truth.abs().max())).saying(words)


after(checkpoints[0])

# %%
after(checkpoints[-1])

# %% [markdown]
# The slider answers: what does training remove first, folding or grain? And what is still there at the end?

# %%
slider("steps", after, tuple(checkpoints))

# %%
errors = [nrmse(on_the_way[steps]) for steps in checkpoints]
print("NRMSE: " + ", ".join(f"{e:.3f} after {n}" for n, e in zip(checkpoints, errors)))
print(f"tuned GRAPPA {nrmse(by_grappa):.3f}")
assert errors[-1] < errors[0]

# %% [markdown]
# Predict 1: look at the two levels above. In the calibration block the networks come close to GRAPPA or pass it; outside,
# the number under the images decides. The block is the bright centre of k-space; the gaps lie outside, where signal is
# weak and noise rules.
#
# Predict 2: the error of the image falls with the loss, yet (profile `cpu`) it ends above that of tuned GRAPPA, whose loss on
# the block is larger. The noise is measured under "Noise or structure?".

# %% [markdown]
# ## A network beside the linear guess
#
# If a network alone is worse than a sum, keep the sum. *Residual RAKI* (Zhang et al. 2019, 2022) guesses
# $G k + f(k)$: a linear guess like GRAPPA's, and a network for what it leaves. Both are trained together:
#
# $$\min_{G, f}\ \lVert G k + f(k) - T\rVert^2 + \eta\,\lVert G k - T\rVert^2.$$
#
# The second term demands that $G$ be good on its own: what is linear stays with $G$, and can be understood.
#
# > **Exercise 3** · core · 10 minutes · importance ★★☆
# >
# > Write `objective(linear, correction, T, eta)` from $Gk$, $f(k)$ and $T$, with means instead of sums.
# >
# > <details><summary>Hint 1</summary>All three are complex tensors of one shape; the answer is one real number.</details>
# > <details><summary>Hint 2</summary>$f$ alone is never compared with $T$.</details>


# %%
def objective(linear, correction, T, eta):
    """What residual RAKI lowers, as means over all entries."""
    #: solution
    off = lambda guess: (guess - T).abs().square().mean()
    return off(linear + correction) + eta * off(linear)
    #: end


check.ch12_residual(objective)

# %%
objective = use(objective, check.ch12_residual)
print(c.diff("raki", "rraki"))

# %% [markdown] tags=["solution"]
# **Analysis.** With $\eta = 0$ the split between $G$ and $f$ is arbitrary: $f$ may take over a linear part and $G$ becomes
# meaningless. With $\eta\to\infty$, $G$ is GRAPPA, fitted first, and $f$ learns what is left.

# %% [markdown]
# The library starts $G$ at GRAPPA's ridge solution and the last layer of $f$ at 0: before the first step, residual RAKI *is*
# GRAPPA. Here is its training with your objective:

# %%
G = grappa.calibrate(y, mask, REACH, 1e-3)
both, start = Residual(G, Interpolator(cfg.coils, R - 1)), []
k, T = (v / T.abs().square().mean().sqrt() for v in (k, T))
adam(
    lambda: objective(grappa.predict(k, both.weights, R), both.f(k, R), T, 1.0), both.parameters(), cfg.steps // 2, 3e-3
)
library = residual.learn(y, mask)
with torch.no_grad():
    by_hand, by_library = (combined(grappa.between(y, mask, REACH, guess)) for guess in (both, library))
print(f"residual RAKI: NRMSE {nrmse(by_hand):.4f} by hand, {nrmse(by_library):.4f} by the library")
print(f"before the first step: {nrmse(combined(grappa.fill(y, mask, G))):.4f}")
assert abs(nrmse(by_hand) - nrmse(by_library)) < 0.02 * nrmse(by_library)

# %% [markdown]
# ## Noise or structure?
#
# RAKI's promise is *less noise* than GRAPPA at high $R$. A blurred image has little noise, too. So two numbers are needed:
# the noise, and what is left when noise is taken away.
#
# Noise is measured with replicas: new noise on the acquired samples, again and again. But which part is repeated? A network
# is *trained* on noisy lines. We keep the trained weights fixed and send new noise through them, as is done for GRAPPA's:
# this is the noise of the image that the scanner shows. Repeating the training as well adds what the weights owe to the
# noise of the calibration lines. A nonlinear network has no one gain, so the replicas are made around *this* scan,
# never with noise alone.
#
# The structured error needs care, because our truth is a measurement: it has noise. Add the new noise to the *full* scan and
# look at $d = $ reconstruction $-$ full scan of each replica. Its mean holds the structured error, **plus** once the noise
# that the scan itself brought along, which went through the same weights and has the same variance.
#
# > **Exercise 4** · stretch · 15 minutes · importance ★★★
# >
# > Write `split(d)` for complex differences `d` (replicas, height, width): the squared structured error of each pixel,
# > unbiased, and the noise variance.
# >
# > <details><summary>Hint 1</summary>Variance: $\sum|d - \bar d|^2 / (n-1)$.</details>
# > <details><summary>Hint 2</summary>$|\bar d|^2$ is too large by the variance once, for the scan's own noise, and by
# > $1/n$ of it, for what $n$ replicas leave.</details>
# > <details><summary>Hint 3</summary>It may come out negative in a pixel. Leave it: the mean over pixels counts.</details>


# %%
def split(d):
    """|structured error|^2 and the noise variance, (height, width) each, from differences (replicas, height, width)."""
    #: solution
    mean = d.mean(0)
    variance = (d - mean).abs().square().sum(0) / (len(d) - 1)
    return mean.abs().square() - (1 + 1 / len(d)) * variance, variance
    #: end


check.ch12_split(split)

# %%
split = use(split, check.ch12_split)

# %% [markdown] tags=["solution"]
# **Analysis.** Clipping negative pixels at 0 would bias the mean upwards, exactly where the structured error is small. The
# subtraction assumes that the scan's own noise is like the new one: whitened, and small enough for the network to be
# nearly linear along it.


# %%
def replicas(guess, mask, kernel):
    """Images of a trained guess from the scan with new noise, and of the full scan with the same noise."""
    rng, found = torch.Generator().manual_seed(1), []
    with torch.no_grad():
        for _ in range(cfg.replicas):
            k = full + torch.randn(full.shape, dtype=full.dtype, generator=rng)
            found.append(torch.cat([combined(grappa.between(k * mask, mask, kernel, guess)), combined(k)]))
    return torch.stack(found, 1)


def measured(guess, mask, kernel):
    """Root mean squares over the head: structured error, and noise over the full scan's and sqrt(R); and the maps."""
    x, whole = replicas(guess, mask, kernel)
    structure = split(x - whole)[0]
    noise = split(x)[1].sqrt() / effective_acceleration(mask) ** 0.5
    return {
        "structure": structure[inside].mean().clamp_min(0).sqrt().item(),
        "noise": noise[inside].square().mean().sqrt().item(),
        "map": noise.where(inside, torch.nan),
    }


# %%
results = {}
for acceleration in cfg.accelerations:
    lines = uniform(cfg.size, acceleration, cfg.lines)
    data, model = full * lines, tuned[acceleration]
    weights = grappa.calibrate(data, lines, model.kernel, model.lam)
    guesses = {
        "tuned GRAPPA": (lambda k, weights=weights: grappa.predict(k, weights), model.kernel),
        "RAKI": (MyRAKI(**small).learn(data, lines), REACH),
        "residual RAKI": (residual.learn(data, lines), REACH),
    }
    for name, (guess, kernel) in guesses.items():
        results[name, acceleration] = measured(guess, lines, kernel)
print(f"{'':16}" + "".join(f"{f'R = {r}':>18}" for r in cfg.accelerations))
print(f"{'':16}" + f"{'noise structure':>18}" * len(cfg.accelerations))
for name in guesses:
    row = "".join(f"{results[name, r]['noise']:10.2f}{results[name, r]['structure']:8.2f}" for r in cfg.accelerations)
    print(f"{name:16}{row}")
for r in cfg.accelerations:
    less, more = (results["RAKI", r][what] / results["tuned GRAPPA", r][what] for what in ("noise", "structure"))
    print(f"R = {r}: RAKI has {less:.2f} times the noise of tuned GRAPPA and {more:.2f} times its structured error")
assert more > 1.1
assert results["residual RAKI", r]["noise"] > results["RAKI", r]["noise"]

# %% [markdown]
# Both columns are in standard deviations of the full scan's noise; noise is divided by $\sqrt R$ (effective), so that it is
# a $g$-factor. Read both numbers at once: a method that lowers one and raises the other has *traded*. RAKI's promise is kept
# where the ratio of noise is below 1, and it is paid for with structured error: the networks learned from few lines.
# Residual RAKI keeps the noise of its linear branch, whose ridge is weak, and takes away little of it. `python -m course_lib
# experiments 28 31` measures more sizes of the calibration block (with many lines the price falls), and what it costs to
# bring GRAPPA's noise down to RAKI's with nothing but a larger ridge.

# %%
top = cfg.accelerations[-1]
figures.heat({name: results[name, top]["map"] for name in guesses}, f"noise at R = {top}, over sqrt(R)", window=(0, 4))

# %% [markdown]
# > **Exercise 5** · core · 10 minutes · importance ★★★
# >
# > What does the *nonlinearity* buy? Train RAKI at the largest $R$ three times: with ReLU, with a leaky ReLU of slope 0.3
# > (`lambda v: leaky_relu(v, 0.3)`), and with the identity (`lambda v: v`), which makes $f$ linear. **Predict** the order
# > of their structured errors, and of their noise. (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`measured(MyRAKI(act=..., **small).learn(data, lines), lines, REACH)`</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
acts = {"leaky ReLU": lambda v: leaky_relu(v, 0.3), "identity": lambda v: v}
ablation = {"ReLU": results["RAKI", top]}
for name, act in acts.items():
    ablation[name] = measured(MyRAKI(act=act, **small).learn(data, lines), lines, REACH)
ablation["tuned GRAPPA"] = results["tuned GRAPPA", top]
for name, found in ablation.items():
    print(f"R = {top}, {name:12} noise {found['noise']:.2f}, structure {found['structure']:.2f}")
assert ablation["identity"]["structure"] < ablation["ReLU"]["structure"]
assert ablation["identity"]["noise"] > 1.1 * ablation["ReLU"]["noise"]

# %% [markdown] tags=["solution"]
# The surprise: take the nonlinearity out, and the structured error does *not* grow, it falls a little, while the noise rises.
# ReLU did not find structure that a sum cannot find; it held noise down, as a ridge does. What is left with the identity is a
# linear interpolation in three layers, GRAPPA with a bottleneck of 8 channels, trained by Adam and stopped early.

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to tuned TV, and its 95 % interval over slices. RAKI is trained for every slice anew:
# look at the seconds.

# %%
methods = {
    "zero-filled": c.build("zero_filled"),
    "tuned TV": tv,
    "tuned GRAPPA": tuned[R],
    "RAKI": MyRAKI(**small),
    "residual RAKI": residual,
}
tables = {}
for name, split_name in {"unseen simulated subject": "test", "real scan": "real"}.items():
    slices = some(split_name, R)
    tables[name] = {method: c.evaluate(model, slices) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
    assert all(tables[name][m].over(tables[name]["zero-filled"]).mean > 0 for m in methods if m != "zero-filled")
    assert tables[name]["RAKI"].over(tables[name]["tuned TV"]).mean < -0.5
seconds = {name: tables["real scan"][name].seconds for name in methods}
print(f"{sum(p.numel() for p in f.parameters()):,} weights are trained for each scan, none before it")
assert seconds["RAKI"] > 3 * seconds["tuned GRAPPA"]

# %%
slices = some("test", R)
order = tables["unseen simulated subject"]["RAKI"].values["psnr"].argsort()
picked = slices[int(order[0])]
with torch.no_grad():
    panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", "tuned GRAPPA", "RAKI")}
print("the worst of these slices for RAKI")
figures.images(panels, picked.image)

# %% [markdown]
# GRAPPA fits its weights in a blink; RAKI trains for every scan, every slice. It **loses to tuned TV**, on the simulated subject
# and on the real scan. TV was told the coil maps and may touch the whole image; GRAPPA and RAKI know a few windows of k-space,
# and learn from them in the bright centre what they use in the dark outside.

# %% [markdown]
# ## Break it
#
# A network that was trained on one scan knows one scan. We use its weights on others: the same k-space made brighter, or
# multiplied by $-1$ or $i$, which changes nothing physical; with three times the noise; and the same head with another
# flip angle, so another contrast. TV and GRAPPA stand beside it; GRAPPA keeps its weights, too. The last column trains RAKI
# anew.

# %%
weights = grappa.calibrate(y, mask, tuned[R].kernel, tuned[R].lam)
other = scanned_head(cfg.size, cfg.coils, angle=0)
noise = torch.randn(full.shape, dtype=full.dtype, generator=torch.Generator().manual_seed(2))
cases = {  # k-space, maps, reference
    "as trained": (full, maps, truth),
    "10 times brighter": (10 * full, maps, 10 * truth),
    "times -1": (-full, maps, -truth),
    "times i": (1j * full, maps, 1j * truth),
    "3 times the noise": (full + 8**0.5 * noise, maps, truth),
    "another flip angle": (other.kspace, other.maps, other.image),
}


def errors_of(k, its_maps, reference):
    """NRMSE of tuned TV, GRAPPA and RAKI with the weights of `y`, and RAKI trained on this k-space."""
    sample = c.data.undersample(k, its_maps, mask, reference)
    by_tv = c.metrics.nrmse(tv(sample.kspace, sample.A), sample.image).item()
    with torch.no_grad():
        filled = [grappa.fill(k * mask, mask, weights)]
        filled += [grappa.between(k * mask, mask, REACH, each) for each in (f, MyRAKI(**small).learn(k * mask, mask))]
    return [by_tv, *(c.metrics.nrmse(Coils(its_maps).H(ifft2c(x)), reference).item() for x in filled)]


broken = {}
print(f"{'NRMSE':20}{'tuned TV':>10}{'GRAPPA':>10}{'RAKI':>10}{'RAKI, trained anew':>20}")
for case, what in cases.items():
    broken[case] = errors_of(*what)
    print(f"{case:20}" + "".join(f"{e:{w}.3f}" for e, w in zip(broken[case], (10, 10, 10, 20))))
asked = broken["as trained"]
for case in ("times -1", "times i"):
    changes = [abs(broken[case][i] / asked[i] - 1) for i in (1, 2)]
    print(f"{case}: the error of GRAPPA changes by {100 * changes[0]:.3f} %, that of RAKI by {100 * changes[1]:.3f} %")
    assert changes[0] < 1e-4 < 1e-3 < changes[1]
assert abs(broken["10 times brighter"][2] / asked[2] - 1) < 1e-3 and broken["3 times the noise"][2] > asked[2]

# %% [markdown]
# Multiplying all of k-space by $-1$ or $i$ is a choice of phase that no patient notices. GRAPPA is linear and does not notice
# either. RAKI's answer changes, before and after training anew: $f(-k) \ne -f(k)$, and real and imaginary parts have networks
# of their own. It changes by little, since the windows of the block come with all phases, but no physics decides by how much.
# Brightness is no problem: $f(sk) = sf(k)$. With more noise, and on another contrast, compare the last two columns: training
# anew need not be better, when the new scan is the noisier one.
#
# Now take calibration lines away.

# %%
blocks = [n for n in (12, 16, 24, 40) if 2 * R + 1 < n < cfg.lines] + [cfg.lines]
over_lines = {"tuned GRAPPA": [], "RAKI": []}
for n in blocks:
    few = uniform(cfg.size, R, n)
    data = full * few
    kernel = tuned[R].kernel if (tuned[R].kernel[1] - 1) * R < n else (5, 2)
    over_lines["tuned GRAPPA"].append(nrmse(combined(grappa.grappa(data, few, kernel, tuned[R].lam))))
    with torch.no_grad():
        over_lines["RAKI"].append(nrmse(combined(grappa.between(data, few, REACH, MyRAKI(**small).learn(data, few)))))
for name, values in over_lines.items():
    print(f"{name}: " + ", ".join(f"{e:.3f} with {n}" for n, e in zip(blocks, values)) + " lines")
assert over_lines["RAKI"][0] > over_lines["RAKI"][-1]
figures.lines(over_lines, "calibration lines", "NRMSE", x=blocks)

# %% [markdown]
# ## What the number hides
#
# - A noise map alone flatters every method that blurs: read it with the structured error.
# - Replicas with fixed weights leave out what the weights owe to the noise in the calibration lines.
# - The truth of the real scan has noise; acquired samples agree with it by construction.
# - "No training data" is not "no choices": layers, steps, learning rate and $\eta$ were chosen by somebody, on some scans.
# - Calibration lines are scan time. Compare at equal *effective* $R$.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Why are RAKI's convolutions dilated by R along the lines?",
    right={
        "in the scan, acquired neighbours are R lines apart": "In training the block has all lines; f sees every R-th."
    },
    wrong={
        "to see more lines with few weights": "The number of lines is the kernel's; the dilation says where they are.",
        "because the image folds R times": "It does, but the convolution works in k-space, where lines are missing.",
    },
)

# %%
quiz.choice(
    "2. RAKI with the identity instead of ReLU is",
    right={"a linear interpolation, like GRAPPA with a bottleneck": "Three linear layers are one, of limited rank."},
    wrong={
        "GRAPPA exactly": "8 channels between the layers limit the rank, and Adam stops before the least squares solution.",
        "still nonlinear, since it was trained": "Training chooses the weights; as a function of the data it is linear.",
    },
)

# %%
quiz.choice(
    "3. A method has half the noise of GRAPPA in the replicas. What do you ask next?",
    right={"how large its structured error is": "Zero-filling has even less noise."},
    wrong={
        "nothing: it is better": "An image of zeros has no noise at all.",
        "whether the replicas were many enough": "Thirty give the noise within ten percent; a factor of two is real.",
    },
)

# %%
quiz.choice(
    "4. Under which change of the data does the guess of a trained RAKI not simply change along?",
    right={"multiplication by -1": "Without bias, ReLU networks keep positive factors only."},
    wrong={
        "multiplication by 10": "f(s k) = s f(k) for s > 0.",
        "other samples far from the gap": "A guess depends on 7 rows and 3 acquired lines.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "5. How many weights has RAKI for 12 coils and R = 5?",
    sum(p.numel() for p in Interpolator(12, 4).parameters()),
    "24 networks of 10 * 24 * 32 + 32 * 8 + 6 * 8 * 4 weights.",
    near={
        12 * (10 * 24 * 32 + 32 * 8 + 6 * 8 * 4): "There is one network for the real and one for the imaginary part.",
        24 * (10 * 12 * 32 + 32 * 8 + 6 * 8 * 4): "Each network sees real and imaginary parts of all coils.",
        24 * (10 * 24 * 32 + 32 * 8 + 6 * 8 * 5): "Between two acquired lines R - 1 are missing.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** one of RAKI's networks and **counted** the weights of all.
# - You **trained** it inside the reconstruction, on nothing but the scan's own calibration lines.
# - You **added** a network to a linear guess; before the first step it was GRAPPA.
# - You **separated** noise from structured error, although the truth has noise.
# - You **judged** the nonlinearity by taking it out.
# - You **broke** trained weights with another sign, contrast, more noise, and few lines.
#
# Next: chapter 13 learns the Fourier transform itself.

# %% [markdown]
# ## From text to source

# %%
print(c.show("rraki", source=False, verify=False))

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the whole scan, 13 coils of 224 x 224, with 40 calibration lines. The card's defaults are the
# authors' (1000 steps). What does a step cost on this machine, and the whole training?

# %%
for coils, size in dict.fromkeys([(4, 64), (8, 96), (cfg.coils, cfg.size)]):
    begin, k = time.perf_counter(), torch.randn(1, coils, size, size, dtype=torch.complex64)
    MyRAKI(steps=5).learn(k, uniform(size, R, cfg.lines))
    step = (time.perf_counter() - begin) / 5
    print(f"{coils:2d} coils, {size:3d} x {size:3d}: {1000 * step:6.1f} ms a step, {1000 * step:5.0f} s for 1000 steps")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Calibration lines can be used better. Choose one: (a) stop the training by held-out rows of the block; (b) train on
# > rotated phases, $e^{i\varphi}k$ with random $\varphi$, so that `times i` no longer breaks it; (c) complex weights instead
# > of real ones. Does it lower the structured error at the largest $R$?
# >
# > | points | for |
# > |---|---|
# > | 2 | a `learn` that passes the check of exercise 2 when your change is switched off |
# > | 3 | noise **and** structured error at two R and two sizes of the calibration block, beside tuned GRAPPA |
# > | 2 | one choice tuned on validation subjects, and the test subjects untouched until the end |
# > | 2 | the breaking cases of this chapter, with your method as one more column |
# > | 1 | a sentence on what it costs in seconds |
# >
# > <details><summary>Hint 1</summary>`watch` sees the loss only; for (a) call `adam` for a few steps at a time.</details>
# > <details><summary>Hint 2</summary>For (b) draw the phase inside the objective, from a generator with a seed.</details>

# %% [markdown]
# ## References
#
# - Akçakaya M, Moeller S, Weingärtner S, Uğurbil K. Scan-specific robust artificial-neural-networks for k-space interpolation
#   (RAKI) reconstruction. *Magn Reson Med* 2019. [doi:10.1002/mrm.27420](https://doi.org/10.1002/mrm.27420)
# - Zhang C et al. Scan-specific residual convolutional neural networks for fast MRI using residual RAKI. *Asilomar* 2019;
#   and: Residual RAKI: a hybrid linear and non-linear approach for scan-specific k-space deep learning. *NeuroImage* 2022.
# - Griswold MA et al. Generalized autocalibrating partially parallel acquisitions (GRAPPA). *Magn Reson Med* 2002.
#   [doi:10.1002/mrm.10171](https://doi.org/10.1002/mrm.10171)
# - Robson PM et al. Comprehensive quantification of signal-to-noise ratio and g-factor. *Magn Reson Med* 2008.
#   [doi:10.1002/mrm.21728](https://doi.org/10.1002/mrm.21728)
# - Maier O et al. PyQMRI. *J Open Source Softw* 2020. [doi:10.21105/joss.02727](https://doi.org/10.21105/joss.02727)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.2.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
