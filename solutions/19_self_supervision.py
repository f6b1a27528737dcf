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
# # 19 Self-supervision: hold out a part of what was measured
#
# ![Three masks of k-space lines: all that were measured, the part that the network sees, and the part that is held out to test it](../docs/19_self_supervision.png)
#
# Chapter 18 taught without a truth, but its targets scatter wildly, and share lines, noise included, with the input. For a
# beating heart, or a film of flowing blood, nobody can measure all of k-space. **How can a network learn to fill in what
# nobody has ever measured?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **split** what was measured, and **write** a loss that needs no truth (exercises 1 and 2, quiz 1),
# 2. **explain** why a loss on all of the data teaches nothing (quiz 2),
# 3. **compare** a network with its twin that was told the truth, with intervals (project),
# 4. **train** on one undersampled scan alone, and **say** when to stop (quiz 3),
# 5. **compute** how far the data may be from the image, and **project** an image there (exercises 3 and 4, the slider, quiz 5),
# 6. **break** it, and **say** what it cannot know (quiz 4).
#
# **You need** chapters 02 (which image fits the data?), 06 (training) and 15 (unrolled networks). Chapter 05 helps.
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from copy import deepcopy

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import AutoEncoder, OnComplex, resnet, silent
from course_lib.losses import normalised
from course_lib.methods import Reconstructor
from course_lib.methods.base import cartesian
from course_lib.muon import Muon
from course_lib.ops import Sense, fft2c, ifft2c
from course_lib.sampling import effective_accelerations, protocol, split
from course_lib.scores import table
from course_lib.solve import alternate, dot, into_ball, noise_norm
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (1.5, 2), "cpu": (20, 4), "gpu": (60, 6)}[where.name]  # of training; validations meanwhile
device = "cuda" if where.name == "gpu" and torch.cuda.is_available() else "cpu"  # where the networks train
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"each network trains for {seconds} s at most on {device}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $\Omega$ | the lines of k-space that were measured | `sample.mask` |
# > | $\Theta$, $\Lambda$ | two parts of $\Omega$: what the network sees, what is held out | `Theta`, `Lambda` |
# > | $\Gamma$ | a third part, to stop training in time | `Gamma` |
# > | $\rho$ | the held-out part of the measured lines | `rho` |
# > | $A_\Theta$ | coil maps, Fourier transform and the mask $\Theta$ (chapter 03) | `Sense(Theta, maps)` |
# > | $D$ | a network, image to image, with one set of weights for all iterations | `D` |
# > | $\sigma$, $\epsilon$ | standard deviation of the noise in a sample; the norm of all noise | `sigma`, `epsilon` |

# %%
quiz.choice(
    "From chapter 15: A network has learned. The misfit of its image is smaller than that of the true image. Then",
    right={"it fits some of the noise": "The truth misses the data by the noise. Who comes nearer has fitted noise."},
    wrong={
        "it is better than the truth": "It is nearer to the data, and the data are noisy.",
        "nothing follows: the misfit says nothing": "It says nothing on what was not measured, but it bounds what was.",
    },
)

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject:
# the test person was never seen in training. We happen to know the truth of all of them. **The methods of this chapter never
# see it**; we use it to judge them, to tune TV, for the twin that is told, and, note well, to choose among the weights of a run:
# `c.fit` keeps those with the best PSNR on validation persons. Further down we do without that, too.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True, strip=where.strip)
validation = c.data.slices("val", protocol(R))
test = c.data.slices("test", protocol(R))
real = c.data.slices("real", protocol(R))
sample = test[len(test) // 2]
few = [validation[i] for i in range(0, len(validation), 3)]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
print(f"R = {R}, effective R of the test slices (range): {effective_accelerations(s.mask for s in test)}")

# %% [markdown]
# > **Predict 1.** A network is trained to lower $\lVert A x - y\rVert$, the misfit of its image $x$ to *all* of the data $y$
# > that it was given. What will it learn to do? Is there a simple method without any weights that lowers it just as well?

# %% [markdown]
# ## The naive thing: agree with all of the data
#
# Nobody knows the image, but the data are there. So why not ask for an image that agrees with them? CG-SENSE (chapter 03) does
# that, the better the longer it runs. No network can agree better than its limit.

# %%
zero_filled = c.build("zero_filled")
lam = c.tune(lambda v: c.build("cs_tv", lam=v), few, [0.00025, 0.0005, 0.001, 0.002, 0.004])
tv = c.build("cs_tv", lam=lam)
print(f"TV, tuned on {len(few)} validation slices with their truth: lambda = {lam}")


def misfit(x, s=sample):
    """What is left of the data, over what the true image leaves: below 1, noise is fitted."""
    return ((s.A(x) - s.kspace).norm() / (s.A(s.image) - s.kspace).norm()).item()


tried = [1, 2, 4, 8, 16, 64]
longer = {n: c.build("sense_cg", iterations=n)(sample.kspace, sample.A) for n in tried}
for n, x in longer.items():
    print(f"CG-SENSE, {n:2} iterations: misfit {misfit(x):5.2f}, PSNR {c.metrics.psnr(x, sample.image).item():5.2f} dB")
assert misfit(longer[64]) < misfit(longer[4]) and misfit(longer[64]) < 1
figures.images({f"{n} iterations": longer[n] for n in (1, 4, 64)}, truth=sample.image)

# %% [markdown]
# The misfit falls for ever, to below that of the truth; the image is best somewhere on the way, and then drowns in noise.
# **A loss on all of the data is lowest for the image that copies the data**, noise included, and puts anything at all
# where nothing was measured. A network that minimises it need do nothing: the solver inside does the copying.

# %% [markdown]
# ## The idea: cross-validation
#
# How do you find out whether a student has understood? Not by the exercises that were solved on the blackboard. Hold some out.
#
# Split the measured lines $\Omega$ in two. The network sees $\Theta$ and makes an image of it; that image predicts *every* line,
# those of $\Lambda$ among them. They were measured: so we can tell how good the prediction is. Noise cannot be predicted,
# since that of $\Lambda$ has nothing to do with that of $\Theta$; copying does not help. Draw another split at every step,
# and in the end any line may have to be predicted from the others. This is SSDU (Yaman et al. 2020).
#
# > **Exercise 1** · core · 15 minutes · importance ★★★
# >
# > Write `halves(mask, key, rho)`: the pair `(Theta, Lambda)`. `mask` (width,) is 1 where a line was measured, `key` (width,) are
# > random numbers. The four central lines, from $\lfloor\text{width}/2\rfloor - 2$ on, stay in $\Theta$: without them there
# > is no image at all. Of the other *measured* lines those with the largest keys are held out: $\lceil\rho\,|\Omega|\rceil$ of
# > them, where $|\Omega|$ is the number of all measured lines.
# >
# > <details><summary>Hint 1</summary>`free = mask > 0`, then four of them become `False`.</details>
# > <details><summary>Hint 2</summary>`torch.where(free, key, -torch.inf).argsort(descending=True)[:number]` are the lines to
# > hold out. How many are free?</details>
# > <details><summary>Hint 3</summary>$\Theta = \Omega - \Lambda$, as masks of 0 and 1.</details>


# %%
def halves(mask, key, rho):
    """Theta, which the network sees, and Lambda, which is held out; both (width,)."""
    #: solution
    free, middle = mask > 0, len(mask) // 2
    free[middle - 2 : middle + 2] = False
    number = min(int((rho * mask.sum()).ceil()), int(free.sum()))
    Lambda = torch.zeros_like(mask)
    Lambda[torch.where(free, key, -torch.inf).argsort(descending=True)[:number]] = 1
    return mask - Lambda, Lambda
    #: end


check.ch19_halves(halves)

# %%
halves = use(halves, check.ch19_halves)

# %% [markdown] tags=["solution"]
# **Analysis.** If $\Theta$ keeps a line that is in $\Lambda$, that line can be copied, and the loss is the naive one again. The
# paper holds out single *points* of k-space, more of them near the centre, where the signal is; `split` in the library does
# both. We hold out whole lines, all alike: then the rows of the image do not mix, and data consistency is solved exactly.

# %%
key = torch.rand(sample.mask.shape[-1], generator=torch.Generator().manual_seed(0))
Theta, Lambda = (half.reshape(1, 1, 1, -1) for half in halves(sample.mask.flatten(), key, 0.4))
figures.mask({"measured: Omega": sample.mask, "seen: Theta": Theta, "held out: Lambda": Lambda})

# %% [markdown]
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `held_out(reconstruct, y, maps, Theta, Lambda)`: the loss. `reconstruct(y, A)` gives an image; let it see $\Theta$ alone.
# > Predict the lines of $\Lambda$ from the image, $u = A_\Lambda x$, and compare with $v$, what was measured there:
# > $\frac12\frac{\lVert u-v\rVert_2}{\lVert v\rVert_2} + \frac12\frac{\lVert u-v\rVert_1}{\lVert v\rVert_1}$, for each sample, then
# > averaged over the batch. `normalised(u, v)` of the library is just that.
# >
# > <details><summary>Hint 1</summary>`Sense(Theta, maps)` is $A_\Theta$. Which data belong to it?</details>
# > <details><summary>Hint 2</summary>Three lines: the image; what it predicts; the comparison.</details>


# %%
def held_out(reconstruct, y, maps, Theta, Lambda):
    """How badly the image made of Theta predicts the lines of Lambda."""
    #: solution
    x = reconstruct(Theta * y, Sense(Theta, maps))
    return normalised(Sense(Lambda, maps)(x), Lambda * y)
    #: end


check.ch19_held_out(held_out)

# %%
held_out = use(held_out, check.ch19_held_out)

# %% [markdown] tags=["solution"]
# **Analysis.** Both $y$ and the operator must be told of $\Theta$. With the operator of $\Omega$ the solver believes that the
# lines of $\Lambda$ were measured and are 0. Squares see the strong samples near the centre, absolute values the weak
# ones: hence both. And $v$ is noisy: the loss never reaches 0, not even for the truth.

# %% [markdown]
# ## It works without a network
#
# Ask CG-SENSE again. This time the held-out lines tell when to stop. No truth is used for the first column.


# %%
def mean_held_out(method, s, rho=0.4, draws=4):
    """The loss on held-out lines, averaged over some splits of one scan; the same splits for every method."""
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        parts = [split(s.mask, rho=rho, focus=0, rng=rng) for _ in range(draws)]
        return sum(held_out(method, s.kspace, s.maps, *part).item() for part in parts) / draws


found = {n: mean_held_out(c.build("sense_cg", iterations=n), sample) for n in tried}
for n in tried:
    print(f"CG-SENSE, {n:2} iterations: on held-out lines {found[n]:.3f}, PSNR with all lines "
          f"{c.metrics.psnr(longer[n], sample.image).item():5.2f} dB")  # fmt: skip
print(f"the truth on held-out lines: {mean_held_out(lambda y, A: sample.image, sample):.3f}, which is noise alone")
assert min(found.values()) < found[64]

# %% [markdown]
# On held-out lines more iterations do not always help: the error falls, then rises. Its lowest place is a fair guess of the
# best one, though not exactly: it judges lines, not the image, and an image made of fewer lines. So held-out lines can
# *tune*. Can they *teach*?

# %% [markdown]
# ## SSDU
#
# The network is that of MoDL (chapter 15): $z = D(x)$, then the $x$ that minimises $\lVert Ax-y\rVert^2 + \lambda\lVert x-z\rVert^2$, in
# turns. New is the loss, and that is your exercise 2. To reconstruct, after training, it sees all of $\Omega$.


# %% tags=["same:course_lib.methods.unsupervised.ssdu.SSDU"]
class MySSDU(Reconstructor):
    def __init__(
        self, iterations: int = 10, width: int = 64, blocks: int = 15, rho: float = 0.4, focus: float = 4,
        lines: bool = False, lam: float = 0.05,
    ):  # fmt: skip
        super().__init__()
        self.iterations, self.rho, self.focus, self.lines = iterations, rho, focus, lines
        self.artefact, self.log_lam = OnComplex(silent(resnet(width, blocks))), nn.Parameter(torch.tensor(lam).log())

    def D(self, x):
        return x - self.artefact(x)

    def forward(self, y, A):
        return alternate(self.D, A, y, self.log_lam.exp(), self.iterations)

    def loss(self, sample):
        y, maps = sample.kspace, sample.maps
        Theta, Lambda = split(sample.mask, 1 if self.lines else y.shape[-2], self.rho, self.focus)
        x = self(Theta * y, Sense(Theta, maps))
        return normalised(Sense(Lambda, maps)(x), Lambda * y)


# %% [markdown]
# Two twins have the same network and the same formula of the loss. One is told the truth, in all of k-space; the other is the
# naive one, with a loss on all of the data.


# %%
class Supervised(MySSDU):
    def loss(self, sample):
        everywhere = Sense(torch.ones_like(sample.mask), sample.maps)
        return normalised(everywhere(self(sample.kspace, sample.A)), everywhere(sample.image))


class OnAllData(MySSDU):
    def loss(self, sample):
        return normalised(sample.A(self(sample.kspace, sample.A)), sample.kspace)


small = c.card("ssdu").small
blind = c.data.Sample(sample.kspace, sample.mask, sample.maps, sample.image * torch.nan)  # the truth is taken away
for kind in (MySSDU, OnAllData, Supervised):
    print(f"{kind.__name__}: loss {kind(**small).loss(blind).item():.3f} without the truth")

# %% [markdown]
# ## Sanity gate: can the network overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. Told the truth of one, its error must fall at least
# tenfold. (The loss of SSDU cannot do that: noise does not fall.)

# %%
torch.manual_seed(0)
one = train[0]
probe = MySSDU(iterations=2, width=24, blocks=1, lines=True)
optimiser = torch.optim.Adam(probe.parameters(), lr=1e-2)
losses = []
for _ in range(120):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(one.kspace, one.A), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"error {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train
#
# > **Predict 2.** All three train for the same time on the same slices. Order them by their PSNR on the test person, with
# > tuned TV among them. How many decibels is the truth worth?

# %%
trained, baseline = {}, c.evaluate(tv, few).mean("psnr")
for name, kind in {"told the truth": Supervised, "held-out lines": MySSDU}.items():
    torch.manual_seed(0)
    trained[name] = kind(**small).to(device)
    run = c.fit(trained[name], train, few, seconds, checks=checks)
    print(f"{name}: {run.steps} steps")
    display(figures.curves(run, {"tuned TV": baseline}))

# %% [markdown]
# And the naive twin, for half the time. `fit` keeps the best of its weights, by the truth of the validation person; by its
# own loss the last would be the best.

# %%
torch.manual_seed(0)
naive = OnAllData(**small).to(device)
run = c.fit(naive, train, few[:1], seconds / 2, checks=2)
on_the_way = " -> ".join(f"{psnr:.2f}" for _, psnr in run.validation)
print(f"all data: {run.steps} steps, validation PSNR {on_the_way} dB")
print(
    f"loss on all data {sum(run.losses[:20]) / len(run.losses[:20]):.3f} -> {sum(run.losses[-20:]) / len(run.losses[-20:]):.3f}"
)
assert where.name == "ci" or sum(run.losses[-20:]) < sum(run.losses[:20])  # a few steps are few

# %% [markdown]
# The naive loss starts low, below what noise would leave, and goes where it was told to: down. The image has no reason to follow.

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to tuned TV, and its 95 % interval over slices. The intervals hold slices, not seeds:
# each network was trained once.

# %%
methods = {"zero-filled": zero_filled, "tuned TV": tv, "all data": naive, **trained}
tables = {}
for who, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[who] = {name: c.evaluate(model, samples) for name, model in methods.items()}
    print(who, table(tables[who], baseline="tuned TV"), "", sep="\n")
    gap = tables[who]["told the truth"].over(tables[who]["held-out lines"])
    print(f"the truth is worth {gap.mean:+.2f} [{gap.low:+.2f}, {gap.high:+.2f}] dB\n")
unseen = tables["unseen simulated subject"]
assert unseen["held-out lines"].over(unseen["zero-filled"]).low > 0
print(f"{sum(p.numel() for p in naive.parameters()):,} parameters each")
methods = {name: model.cpu() for name, model in methods.items()}  # all below is small
trained = {name: methods[name] for name in trained}

# %% [markdown]
# Predict 2: held-out lines teach, and without a single truth the network comes to within sight of its twin. In so few steps it
# need not reach it on the simulated person: its loss sees fewer lines, and noisy ones. On the real scan, look whether the
# interval of the gap holds 0. With the short training of this chapter tuned TV, whose one number was chosen *with* truths, is
# still a hard baseline, on the real scan most of all. The paper, with days of training, finds both twins
# alike. How large the gap is at *equal steps*, and whether it counts: `python -m course_lib experiments 53 55`.

# %%
size = sample.image.shape[-1]
order = unseen["held-out lines"].values["psnr"].argsort()
for word, index in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
    picked = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](picked.kspace, picked.A) for name in ("tuned TV", *trained)}
    print(f"{word} slice for the network that learned on held-out lines")
    display(figures.images(panels, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## One scan alone
#
# SSDU needs no database either. Take one undersampled real scan, nothing else: hold out lines of *its own*. A network
# of some thousand weights and one image: sooner or later it learns the noise by heart. So a third part of the lines, $\Gamma$, is
# set aside before training starts; when the prediction of $\Gamma$ stops getting better, stop. This is *zero-shot* learning
# (Yaman et al. 2022). The truth is looked at for the second curve only.


# %%
def zero_shot(model, scan, seconds, rows):
    """Train on one scan; keep the weights that predict Gamma best. Returns [(error on Gamma, PSNR)] of each look."""
    known, Gamma = split(scan.mask, rho=0.2, focus=0, rng=torch.Generator().manual_seed(0))
    mine = c.data.Sample(known * scan.kspace, known, scan.maps, scan.image * torch.nan)
    optimiser, looks, best, start = Muon(model), [], None, time.perf_counter()
    while time.perf_counter() - start < seconds or len(looks) < 3:
        with torch.no_grad():
            error = held_out(model, scan.kspace, scan.maps, known, Gamma).item()
            looks.append((error, c.metrics.psnr(model(scan.kspace, scan.A), scan.image).item()))
        if error == min(e for e, _ in looks):
            best = deepcopy(model.state_dict())
        for _ in range(10):
            first = int(torch.randint(mine.kspace.shape[-2] - rows + 1, ()))
            optimiser.zero_grad()
            model.loss(c.data.strip(mine, first, rows)).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    model.load_state_dict(best)
    return looks


# %%
scan, curves, alone = real[len(real) // 2], {}, {}
for name, start in {"from nothing": None, "from the database": trained["held-out lines"]}.items():
    torch.manual_seed(0)
    alone[name] = MySSDU(**small) if start is None else deepcopy(start)
    curves[name] = zero_shot(alone[name], scan, seconds / 3, where.strip or 64)
    errors, psnr = zip(*curves[name])
    stop = errors.index(min(errors))
    print(f"{name}: stopped after {10 * stop} of {10 * len(errors) - 10} steps; PSNR {psnr[0]:.2f} -> {psnr[stop]:.2f} dB"
          f" (best on the way {max(psnr):.2f})")  # fmt: skip
display(figures.lines({name: [e for e, _ in looks] for name, looks in curves.items()}, "ten steps", "error on Gamma"))
figures.lines({name: [p for _, p in looks] for name, looks in curves.items()}, "ten steps", "PSNR (dB)")

# %%
with torch.no_grad():
    panels = {"tuned TV": tv(scan.kspace, scan.A), "database": trained["held-out lines"](scan.kspace, scan.A)}
    panels |= {f"scan, {name}": model(scan.kspace, scan.A) for name, model in alone.items()}
print({name: round(c.metrics.psnr(x, scan.image).item(), 2) for name, x in panels.items()})
figures.images(panels, truth=scan.image, zoom=(size // 3, size // 3, size // 4, size // 4))

# %% [markdown]
# The error on $\Gamma$ chose when to stop, and no truth was needed: a validation without images. It is a noisy judge, a few lines
# of one scan, and need not stop at the very best step. Compare the four numbers: in the course's run (`cpu`) a hundred steps on
# the scan itself do about as well as the database of other heads, and the database as a *start* does best, better than TV. Note
# what the first of the two did *not* need: anybody else's scan.

# %% [markdown]
# ## Another way: know the noise
#
# Deep Basis Pursuit (DBP; Tamir, Yu & Lustig 2019) holds nothing out. It uses what physics tells: how large the noise is. The truth
# misses the data by the noise, so the image should miss them by as much, no more and no less. That is the *discrepancy
# principle*: all images with $\lVert Ax-y\rVert\le\epsilon$, a ball, are equally good to the data; let a network choose among them.
#
# > **Exercise 3** · core · 10 minutes · importance ★★☆
# >
# > Write `radius(sigma, mask, coils, height)`: the root of the expected $\lVert n\rVert^2$. Each measured sample holds complex noise $n$
# > with $E|n|^2=\sigma^2$, independent of all others. `mask` (width,) says which lines were measured; a line has `height`
# > samples in each of `coils` coils. Return a number.
# >
# > <details><summary>Hint 1</summary>Energies add up.</details>
# > <details><summary>Hint 2</summary>How many samples hold noise?</details>


# %%
def radius(sigma, mask, coils, height):
    """The size of all noise in the data."""
    #: solution
    return sigma * (mask.sum().item() * coils * height) ** 0.5
    #: end


check.ch19_radius(radius)

# %%
radius = use(radius, check.ch19_radius)

# %% [markdown] tags=["solution"]
# **Analysis.** $\lVert n\rVert$ hardly varies: with ten thousand samples its relative spread is below a percent. That is why one
# number can bound the misfit. But a *mean* misfit of the right size says nothing about where it lies.

# %% [markdown]
# Who tells $\sigma$? The data: far from the centre of k-space there is little but noise. `noise_norm` reads it there, coil by
# coil. We know the truth, and can check:

# %%
for name, s in {"test": sample, "validation": few[0], "training strip": one}.items():
    coils, height = s.kspace.shape[1], s.kspace.shape[-2]
    epsilon, true = noise_norm(s.kspace, s.mask).item(), (s.A(s.image) - s.kspace).norm().item()
    sigma = true / radius(1.0, s.mask.flatten(), coils, height)
    print(f"{name:15}read {epsilon:6.2f}, misfit of the true image {true:6.2f}: sigma = {sigma:.4f}")

# %% [markdown]
# Near, not exact. The smaller the matrix and the weaker the noise, the more signal stands beside it even in the corners of
# k-space, and then the noise is read too large, as in profile `ci` and on the validation slice.
#
# > **Exercise 4** · core · 15 minutes · importance ★★★
# >
# > One coil with sensitivity 1. Write `nearest(r, y, mask, epsilon)`: the image nearest to the proposal `r` (batch, height, width)
# > with $\lVert M F x - y\rVert\le\epsilon$, sample by sample. `y` is k-space, 0 where nothing was measured, `mask` (1, 1, width).
# >
# > <details><summary>Hint 1</summary>$e = y - MFr$ points from the proposal to the data. If $\lVert e\rVert\le\epsilon$, nothing
# > moves.</details>
# > <details><summary>Hint 2</summary>Else move along $e$ until just $\epsilon$ is left: by which part of $e$?</details>
# > <details><summary>Hint 3</summary>`(1 - epsilon / size).clamp_min(0)`, where `size` is (batch, 1, 1).</details>


# %%
def nearest(r, y, mask, epsilon):
    """The image in the ball around the data that is nearest to r."""
    #: solution
    e = y - mask * fft2c(r)
    size = e.flatten(1).norm(dim=1).reshape(-1, 1, 1)
    return r + ifft2c((1 - epsilon / size).clamp_min(0) * e)
    #: end


check.ch19_into_ball(nearest)

# %%
nearest = use(nearest, check.ch19_into_ball)

# %% [markdown] tags=["solution"]
# **Analysis.** One version of a public implementation of DBP projects and, in the next line, overwrites the result with the
# data: its $\epsilon$ has no effect, and nothing crashes. The library's claim "a larger ball moves a proposal less" is made
# for that. An image inside the ball must not move at all: the data have nothing to object.

# %% [markdown]
# With many coils the samples mix, and the step is no formula any more. It is MoDL's data consistency, with a $\lambda$ that
# nobody tunes or learns: for each scan, the one at which the misfit is $\epsilon$. The library's `into_ball` finds it. For one
# coil it must agree with you:

# %%
one_coil = Sense(sample.mask, torch.ones_like(sample.maps[:, :1]))
y, r = one_coil(sample.image), torch.roll(sample.image, 1, -1)
epsilon = 0.5 * (one_coil(r) - y).norm()
mine, theirs = nearest(r, y[:, 0], sample.mask[:, 0], epsilon.item()), into_ball(r, one_coil, y, epsilon[None])
print(f"formula against the library: {((mine - theirs).norm() / mine.norm()).item():.1e}")
assert (mine - theirs).norm() < 1e-3 * mine.norm()


# %% tags=["same:course_lib.methods.unsupervised.deep_basis_pursuit.DeepBasisPursuit"]
class MyDeepBasisPursuit(Reconstructor):
    def __init__(self, iterations: int = 5, width: int = 64, depth: int = 1, times: float = 1.0):
        super().__init__()
        self.iterations, self.times = iterations, times  # epsilon is so many `times` the noise; 1 is right
        self.D = OnComplex(AutoEncoder(width, depth))

    def steps(self, y, A):  # the last proposal, and the image
        x, epsilon = A.H(y), self.times * noise_norm(y, cartesian(A).mask)
        for _ in range(self.iterations):
            r = self.D(x)
            x = into_ball(r, A, y, epsilon)
        return r, x

    def forward(self, y, A):
        return self.steps(y, A)[1]

    def loss(self, sample):
        e = sample.A(self.steps(sample.kspace, sample.A)[0]) - sample.kspace
        return (dot(e, e) / dot(sample.kspace, sample.kspace)).mean()


# %% [markdown]
# The loss looks at the network's last *proposal*. Behind the projection it would be blind: there the misfit is $\epsilon$,
# whatever the network said. And it looks at all of the data: is that not the naive loss again? Nearly. What must save it is
# the network: an *auto-encoder* squeezes the image through half the pixels and has no detour around them, so that it cannot
# simply hand on what it gets. Its parent without a network proposes nothing ($r=0$): the *smallest* image in the ball.

# %%
torch.manual_seed(0)
dbp = MyDeepBasisPursuit(**c.card("deep_basis_pursuit").small).to(device)
run = c.fit(dbp, train, few, seconds / 2, checks=2)
print(f"{run.steps} steps, validation PSNR " + " -> ".join(f"{psnr:.2f}" for _, psnr in run.validation) + " dB")
parent = MyDeepBasisPursuit(iterations=1, width=1)
parent.D.forward = torch.zeros_like
methods |= {"least norm in the ball": parent, "DBP": dbp.cpu()}
for who, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[who] |= {name: c.evaluate(methods[name], samples) for name in ("least norm in the ball", "DBP")}
    print(who, table(tables[who], baseline="tuned TV"), "", sep="\n")
with torch.no_grad():
    blind_to = misfit(dbp(sample.kspace, sample.A)) / (noise_norm(sample.kspace, sample.mask).item()) * (
        sample.A(sample.image) - sample.kspace).norm().item()  # fmt: skip
print(f"misfit of DBP's image over epsilon: {blind_to:.3f}")
assert blind_to < 1.05

# %% [markdown]
# It keeps its promise: no image leaves the ball. But it hardly beats its own parent, if at all, and stays far from the network that
# learned on held-out lines. Its loss asks for what the data already say; nothing in it rewards a good guess of what is missing. The
# auto-encoder's habits are all that it adds. To know the noise is to know when to *stop*, not what to *fill in*.


# %%
def with_epsilon(times):
    """DBP's image of the sample when epsilon is so many times the noise that was read."""
    dbp.times = times
    with torch.no_grad():
        x = dbp(sample.kspace, sample.A)
    dbp.times = 1.0
    return x


states = {times: with_epsilon(times) for times in (0.25, 0.5, 1.0, 2.0, 4.0)}


def shown(times):
    """The image with a right or wrong epsilon, beside the right one."""
    words = f"epsilon times {times}: misfit {misfit(states[times]):.2f} of the truth's."
    return figures.images({"times 1": states[1.0], f"times {times}": states[times]}, sample.image).saying(words)


shown(0.25)

# %%
shown(4.0)

# %% [markdown]
# The slider answers: what does a wrong $\epsilon$ do to the image, and in which direction is the mistake dearer?

# %%
slider("times", shown, tuple(states))

# %% [markdown]
# Too small, and the noise is fitted; too large, and the network's proposal is believed where the data could have
# corrected it. With so weak a network too large is by far the dearer mistake, and a little too small may even help. Whether
# a factor of two counts, with training under the wrong $\epsilon$: `python -m course_lib experiments 56`.

# %% [markdown]
# ## Break it
#
# All saw R = 4, the noise of our simulation, and right coil maps. Take each away. TV, with its $\lambda$ as it is, stands
# beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))


def broken(kspace=full.kspace, maps=full.maps, acceleration=R):
    return c.data.undersample(kspace, maps, protocol(acceleration)(kspace.shape[-1], 1), full.image)


corner = full.kspace[..., :8, :8].std()  # hardly any signal there
noise = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(acceleration=2),
    "R = 8": broken(acceleration=8),
    "3 times the noise": broken(full.kspace + 8**0.5 * corner * noise),
    "maps shifted by 3 pixels": broken(maps=full.maps.roll(3, -1)),
}
chosen = {"TV": tv, "told": trained["told the truth"], "held-out": trained["held-out lines"], "DBP": dbp}
psnr, alarm = {}, {}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>10}" for name in chosen) + f"{'held-out loss':>16}")
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in chosen.items()}
    alarm[case] = mean_held_out(chosen["held-out"], s)
    print(f"{case:26}" + "".join(f"{value:10.2f}" for value in psnr[case].values()) + f"{alarm[case]:16.3f}")
assert all(psnr["R = 8"][name] < psnr["R = 2"][name] for name in chosen)
assert alarm["maps shifted by 3 pixels"] > alarm["as trained"] < alarm["3 times the noise"]

# %% [markdown]
# The last column needs no truth, and it sounds the alarm: with wrong maps and with more noise the prediction of held-out lines
# gets worse. No other method of this course can tell, at the scanner, that something is amiss. It cannot tell *what*: noise and a
# wrong model look alike to it. And it never sees lines that are missing in *every* scan.

# %% [markdown]
# ## What the number hides
#
# - Held-out lines judge lines. A small lesion hardly changes any of them.
# - What no mask of the training set ever measures is never taught: the masks must differ, or be split so that all parts of k-space
#   get their turn.
# - Wrong coil maps are wrong in $\Theta$ and in $\Lambda$: a network can learn to live with them, and we would not see it.
# - We kept, and tuned TV on, what validation persons with *known* truth said. Without truths there are held-out lines only.
# - Training for the same *time*, once each. The intervals are over slices; another seed gives another network.
# - The truth of the real scan is noisy itself. A PSNR against it punishes whoever removes that noise.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Theta and Lambda share a few lines by mistake. What happens?",
    right={"those lines are copied, and that part of the loss teaches nothing": "It is the naive loss on them."},
    wrong={
        "the network sees more, so it gets better": "What it is given need not be predicted.",
        "data consistency fails": "It uses Theta, whatever else is in it.",
    },
)

# %%
quiz.choice(
    "2. Why does a loss on all of the data over-fit, however many scans there are to train on?",
    right={"copying the data, noise included, is its minimum for every scan": "More scans do not change that."},
    wrong={
        "the network has too many weights": "CG-SENSE has none, and does the same.",
        "the data hold too few lines": "With all lines it would copy the noise of all.",
    },
)

# %%
quiz.choice(
    "3. One scan alone. Why a third part of the lines, beside Theta and Lambda?",
    right={"the weights have seen Lambda, too, in other splits": "Whoever was trained on it is no fair judge."},
    wrong={
        "more lines make a better image": "It takes lines away from training.",
        "it replaces the truth in the loss": "That is what Lambda does.",
    },
)

# %%
quiz.choice(
    "4. In every scan of a hospital the same lines are missing. Can SSDU learn to fill them in?",
    right={"no: nothing ever tells it what belongs there": "It may guess what looks smooth; nobody corrects it."},
    wrong={
        "yes, from the held-out lines": "Those lines are never held out: they are never measured.",
        "yes, since coils measure all lines": "Coils help the solver, as in SENSE. The network is not taught by them.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "5. What is the radius of the noise in test[0] over the norm of its data, by noise_norm? (0 to 1)",
    noise_norm(test[0].kspace, test[0].mask).item() / test[0].kspace.norm().item(),
    "That part of the data is noise. An image that leaves less than it unexplained has explained noise.",
    near={
        noise_norm(sample.kspace, sample.mask).item() / sample.kspace.norm().item(): "That is `sample`; take test[0].",
        noise_norm(test[0].kspace, test[0].mask).item(): "Divide by the norm of the data.",
        (noise_norm(test[0].kspace, test[0].mask).item() / test[0].kspace.norm().item()) ** 2: "That is of the energy.",
    },
    tolerance=0.0005,
)

# %% [markdown]
# ## Wrap-up
#
# - You **split** what was measured, and **wrote** a loss that needs no truth.
# - You **saw** that agreeing with all of the data is no lesson: even a solver without weights does it.
# - You **compared** twins: told the truth, taught by held-out lines, and by all data.
# - You **trained** on one real scan alone, and let a third part of its lines say when to stop.
# - You **projected** onto the ball whose radius is the noise, and met a method that knows when to stop but not what to fill in.
# - You **broke** them, and found an alarm that needs no truth.
#
# Next: chapter 20 learns what images look like, and searches among them for one that fits the data.

# %% [markdown]
# ## From text to source

# %%
print(c.show("ssdu", source=False, verify=False))

# %% [markdown]
# `c.show("ssdu")` shows the source and tests every claim here and now; `c.diff("modl", "ssdu")` compares it with its parent.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix and all coils and trains on the GPU where PyTorch finds one. The paper's sizes are the
# defaults: `c.build("ssdu")` runs ten iterations of a network with 15 blocks of 64 channels and holds out points. What does a
# training step of each cost on this machine?

# %%
there = one.to(device)
print(f"{'on ' + device:30}{'parameters':>12}{'seconds a step':>16}")
for name in ("ssdu", "deep_basis_pursuit"):
    for word, settings in {"small": c.card(name).small, "paper": {}}.items():
        model = c.build(name, **settings).to(device)
        print(f"{name + ', ' + word:30}{sum(p.numel() for p in model.parameters()):12,}", end="")
        start = time.perf_counter()
        model.loss(there).backward()
        print(f"{time.perf_counter() - start:16.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 5** · project · 120 minutes · importance ★★☆
# >
# > Hold out *points* instead of lines (`lines=False`), with the paper's Gaussian density (`focus=4`) and without (`focus=0`).
# > With the same number of steps: which split teaches most at R = 4? At R = 8? How far is the twin that is told the truth?
# >
# > | points | for |
# > |---|---|
# > | 2 | the parts of each split in one figure, and a test that they are disjoint |
# > | 2 | a choice of the weights by held-out lines of the validation persons, not by their images |
# > | 3 | both R: paired differences to the twin with intervals, on the unseen person and the real scan; equal steps, stated |
# > | 2 | one ablation ($\rho$ from 0.1 to 0.6, or two splits of each slice in one step) |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>`for _ in range(steps)` and `c.muon.Muon`, the optimiser of `c.fit` (chapter 13), as in
# > `zero_shot`, which chooses the weights, too.</details>
# > <details><summary>Hint 2</summary>Points mix the rows of a strip, so data consistency runs conjugate gradients: a step takes
# > longer. Count steps, not seconds.</details>

# %% [markdown]
# ## References
#
# - Yaman B, Hosseini SAH, Moeller S, Ellermann J, Uğurbil K, Akçakaya M. Self-supervised learning of physics-guided
#   reconstruction neural networks without fully sampled reference data. *Magn Reson Med* 2020.
#   [doi:10.1002/mrm.28378](https://doi.org/10.1002/mrm.28378)
# - Yaman B, Hosseini SAH, Akçakaya M. Zero-shot self-supervised learning for MRI reconstruction. *ICLR* 2022,
#   [arXiv:2102.07737](https://arxiv.org/abs/2102.07737)
# - Tamir JI, Yu SX, Lustig M. Unsupervised deep basis pursuit: learning inverse problems without ground-truth data. 2019,
#   [arXiv:1910.13110](https://arxiv.org/abs/1910.13110)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 3.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
