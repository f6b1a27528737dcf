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
# # 20 Generative priors: ask a painter which of its pictures fits
#
# ![An image with a small bright lesion, tuned total variation, the picture of a generator that fits the data best, and that of the generator adapted to the data, each with its error](../docs/20_generative_priors.png)
#
# Most networks of this course learned from pairs: data and their image. Sometimes there are only images, from other
# scanners and other patients; sometimes only data. **Can a network that has only ever seen whole images be asked which
# one fits our data?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **hold** the slope of a critic at 1, as a Wasserstein GAN needs it (exercise 1, quiz 1),
# 2. **search** the picture of a generator that fits the data (exercise 2, quiz 2),
# 3. **measure** what a generator cannot draw, and **adapt** it to one scan (exercise 3, quiz 3, the slider),
# 4. **stop** an adaptation before it learns the noise (exercise 5),
# 5. **train** a network whose critic has never seen a whole image (exercise 4, quiz 4),
# 6. **show** what becomes of a lesion that no picture holds (project, quiz 5).
#
# **You need** chapter 02 (the inverse problem), chapter 06 (training) and chapter 09 (a critic). Chapter 05 helps.
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time
from copy import deepcopy

import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib import blocks, ops
from course_lib.blocks import Critic, Generator
from course_lib.data.sample import scale
from course_lib.losses import critic_of_wgan_gp, wasserstein
from course_lib.methods import Reconstructor
from course_lib.methods.base import cartesian
from course_lib.ops import Sense, fft2c
from course_lib.sampling import effective_acceleration, random, redrawn
from course_lib.scores import table
from course_lib.shapes import sized
from course_lib.solve.latent import misfit, scans, search
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, tries, most = {"ci": (2, 30, 2), "cpu": (25, 100, 6), "gpu": (120, 400, 12)}[where.name]
N = 32  # pixels along each side
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"two networks train for {seconds} s each; images of {N} x {N}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + \text{noise}$ | the data of one coil; $A = MF$: Fourier transform, then mask | `y`, `A`, `mask` |
# > | $z$ | a few random numbers, the *latent* | `z` |
# > | $G$, $G_\theta$ | the generator, numbers to image; $\theta$: its weights | `G`, `theta` |
# > | $D$ | the critic: image to one score, high for real | `critic` |
# > | $M'$, $A'$ | another random mask; the forward model with it | `other` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by
# subject. A generator draws images of one size, and must learn to draw in a minute: **small images** (the centre of
# k-space) and **one coil** (the coils are compressed to one). The masks are random lines, drawn anew for each scan, with
# a full centre.

# %%
R = 3


def lines(width, seed):
    return random(width, R, 0.16, seed)


train, validation, test, real = (
    c.data.slices(split, lines, coils=1, size=(N, N), training=split == "train")
    for split in ("train", "val", "test", "real")
)
tested = [test[i] for i in torch.linspace(0, len(test) - 1, min(most, len(test))).long().tolist()]
scanned = [real[i] for i in range(min(most, len(real)))]
few = [validation[i] for i in range(0, len(validation), 3)]
sample = tested[len(tested) // 2]
assert not set(train.files) & set(test.files)
print(f"{len(train)} training slices, {len(tested)} test slices of another person, {len(scanned)} real slices")
print(f"R = {R}, effective {effective_acceleration(sample.mask):.2f}, one coil")

# %% [markdown]
# > **Predict 1.** A generator turns 32 numbers into an image of 32 x 32 pixels. It learned from images of two people. Can
# > it draw the image of a third, exactly, if we may choose the 32 numbers?
#
# The answer is under "The range of G".

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
lam = c.tune(lambda v: c.build("cs_tv", lam=v), few, [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, few).mean("psnr")
print(f"TV, tuned on {len(few)} validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# Total variation (chapter 05), tuned, is the mark to beat. Its prior is one sentence: images are flat between edges.

# %% [markdown]
# ## The idea
#
# Let a network know images instead. A *generator* $G$ turns random numbers $z$ into an image. A critic compares what it
# draws with whole images of other people, and $G$ learns to draw such images. No data, no mask, no coil is involved: the
# training knows nothing of how we shall measure. Then comes a scan, $G$ is held fixed, and we ask for the numbers whose
# picture fits it (*latent* in the fraction: how many numbers $z$ has):
#
# $$\hat z = \arg\min_z \frac{\lVert A\,G(z) - y\rVert^2}{\lVert y\rVert^2} + \frac{\lambda}{\text{latent}}\lVert z\rVert^2,
# \qquad \hat x = G(\hat z).$$
#
# The prior is *implicit*: nobody writes it down. It is the set of all pictures that $G$ can draw, its **range**.
#
# First the training. Chapter 09 had three losses; here the Wasserstein one, $\max_D \text{mean}\,D(x) -
# \text{mean}\,D(G(z))$. It needs a critic that is not too steep, or the difference would have no end. WGAN-GP (a Wasserstein
# GAN with a gradient penalty, Gulrajani et al. 2017) asks for a slope of 1, at random points between real and made images.
#
# > **Exercise 1** · core · 15 minutes · importance ★★☆
# >
# > Write `penalty(critic, real, fake, part)`: the mean over the batch of $(\lVert g\rVert - 1)^2$. $g$ is the gradient of
# > the image's score with respect to the image, taken at `(1 - part) * real + part * fake`, one `part` (batch,) for each
# > image. Images are complex, (batch, height, width). The critic must learn from your number.
# >
# > <details><summary>Hint 1</summary>`x = (...).detach().requires_grad_()`, then `torch.autograd.grad(critic(x).sum(),
# > x)` returns a tuple.</details>
# > <details><summary>Hint 2</summary>A number that was computed by `grad` forgets how, unless you say
# > `create_graph=True`.</details>
# > <details><summary>Hint 3</summary>The norm of each image: `g.flatten(1).abs().square().sum(1).sqrt()`.</details>


# %%
def penalty(critic, real, fake, part):
    """How far the slope of the critic is from 1, between real (part = 0) and made images (part = 1)."""
    #: solution
    part = part[:, None, None]
    x = ((1 - part) * real + part * fake).detach().requires_grad_()
    g = torch.autograd.grad(critic(x).sum(), x, create_graph=True)[0]
    return (g.flatten(1).abs().square().sum(1).sqrt() - 1).square().mean()
    #: end


check.ch20_penalty(penalty)

# %%
penalty = use(penalty, check.ch20_penalty)

# %% [markdown] tags=["solution"]
# **Analysis.** The score of a step from a made image to a real one rises by at most the slope times the distance. With a
# slope of 1 the critic's lead is a distance between the two sets of images, and its gradient tells $G$ where to go, even
# while the critic is right every time. `create_graph` makes the penalty a function of the critic's weights: a gradient of
# a gradient.

# %% [markdown]
# The method is the library's, line by line. `draw` makes random $z$, `search` is the descent, the critic never sees data:


# %% tags=["same:course_lib.methods.unsupervised.gan_prior.GANPrior"]
class MyGANPrior(Reconstructor):
    clean_images = True  # it learns from whole images, and from nothing else of a sample

    # fmt: off
    def __init__(self, size=(128, 128), latent=128, width=512, depth=5,
                 steps=1600, restarts=5, lr=0.1, lam=1e-3):
        # fmt: on
        super().__init__()
        self.steps, self.restarts, self.lr, self.lam = steps, restarts, lr, lam
        self.G, self.critic = Generator(size, latent, width, depth), Critic((16, 32, 64))

    def find(self, y, A, watch=None):
        return search(self.G, y, A, self.G.latent, self.restarts, self.steps, self.lr, self.lam, watch)

    def forward(self, y, A):
        sized("GAN prior", y, self.G.size)
        return torch.cat([self.G(self.find(*scan)) for scan in scans(y, cartesian(A))])

    def loss(self, sample):
        return wasserstein(self.critic(self.G(self.G.draw(len(sample.image)))), 1)

    def critic_loss(self, sample):
        return critic_of_wgan_gp(self.critic, sample.image, self.G(self.G.draw(len(sample.image))).detach())


# %% [markdown]
# ## Sanity gate: can it learn one slice by heart?
#
# Not by its critic, just by its weights: the error of one picture of $G$ must fall at least tenfold.

# %%
torch.manual_seed(0)
small = c.card("gan_prior").small | {"size": (N, N), "steps": tries}
one, probe, z = train[0], Generator((N, N), 32, 64, 3), torch.randn(1, 32)
optimiser, losses = torch.optim.Adam(probe.parameters(), lr=3e-3), []
for _ in range(150):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(z), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Train the generator
#
# `c.fit` plays the rounds of chapter 09. `checks=0`: no validation in between, since the PSNR of a search says little
# about a painter in training; the last weights stay. Poison all data first, to be sure that none is used:

# %%
torch.manual_seed(0)
prior = MyGANPrior(**small)
blind = c.data.Sample(one.kspace * torch.nan, one.mask, one.maps, one.image)
assert prior.critic_loss(blind).isfinite() and prior.loss(blind).isfinite()
run = c.fit(prior, train, few[:1], seconds, lr=3e-3, critic_lr=3e-3, batch=8, checks=0)
print(f"{run.steps} rounds, {sum(p.numel() for p in prior.own()):,} parameters")

# %%
with torch.no_grad():
    pictures = prior.G(torch.randn(5, 32, generator=torch.Generator().manual_seed(3)))
figures.images({f"G(z), z number {i + 1}": pictures[i : i + 1] for i in range(5)})

# %% [markdown]
# Five draws. In so short a time the painter learns about where a head is and how bright; the papers' generators trained
# for days, and draw folds of the cortex. Keep this in mind for all that follows: **the prior is as good as the
# pictures.**

# %% [markdown]
# ## The search
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `cost(G, z, y, A, lam)`: for each scan of a batch the relative misfit of $G(z)$, plus `lam` times the mean
# > square of the numbers of its $z$. `z` (batch, latent), `y` (batch, coil, height, width). Return (batch,).
# >
# > <details><summary>Hint 1</summary>`A(G(z)) - y` is the residual, in k-space; its energy is a sum of squared
# > magnitudes.</details>
# > <details><summary>Hint 2</summary>`.abs().square().flatten(1).sum(1)` keeps the scans apart.</details>


# %%
def cost(G, z, y, A, lam):
    """What the search lowers, one number a scan."""
    #: solution
    energy = (A(G(z)) - y).abs().square().flatten(1).sum(1)
    return energy / y.abs().square().flatten(1).sum(1) + lam * z.square().mean(1)
    #: end


check.ch20_cost(cost)

# %%
cost = use(cost, check.ch20_cost)

# %% [markdown] tags=["solution"]
# **Analysis.** Only the data speak: nothing is compared where nothing was measured. Mask, coils, trajectory enter through
# $A$ alone, so the same trained $G$ serves every scan. The second term keeps $z$ where $G$ was trained: far from 0 the
# painter has never been, and what it draws there is anybody's guess.

# %% [markdown]
# The problem is not convex: where the descent ends depends on where it starts. Six starts on one scan:


# %%
def descend(start, s=sample, steps=2 * tries, lr=0.1):
    """z after so many steps of Adam, and the cost on the way."""
    z = start.clone().requires_grad_()
    optimiser, way = torch.optim.Adam([z], lr), []
    for _ in range(steps):
        value = cost(prior.G, z, s.kspace, s.A, prior.lam)
        optimiser.zero_grad()
        value.sum().backward()
        optimiser.step()
        way.append(value.item())
    return z.detach(), way


rng = torch.Generator().manual_seed(1)
ways = {f"start {i + 1}": descend(torch.randn(1, 32, generator=rng))[1] for i in range(6)}
print("cost at the end:", ", ".join(f"{way[-1]:.3f}" for way in ways.values()))
assert all(way[-1] < way[0] for way in ways.values())
figures.lines(ways, "step", "cost", log=True)

# %% [markdown]
# They need not meet. `search` draws many $z$, follows the best few, and keeps the best end: *restarts*.

# %% [markdown]
# ## The range of G
#
# Give the search everything: all of k-space, no noise. What it finds is the nearest picture in the range, and what is
# left is the **representation error**. No number of samples can take that away. Beside it, a picture of $G$ itself,
# measured through a third of the lines.

# %%
everything = Sense(torch.ones_like(sample.mask), sample.maps)
own = pictures[:1]
with torch.no_grad():
    nearest = prior(everything(sample.image), everything)
    found = prior(sample.kspace, sample.A)
    again_own = prior(sample.A(own), sample.A)
error = {
    "a head, from all of k-space": c.metrics.nrmse(nearest, sample.image),
    "the head, from its data": c.metrics.nrmse(found, sample.image),
    "a picture of G, from a third of the lines": c.metrics.nrmse(again_own, own),
}
for name, value in error.items():
    print(f"NRMSE of {name}: {value.item():.3f}")
assert misfit(found, sample.kspace, sample.A) < 1  # it explains something
figures.images({"nearest picture": nearest, "found from the data": found}, truth=sample.image)

# %% [markdown]
# **Predict 1**: no. 32 numbers make a surface of 32 dimensions in a space of 1024 complex pixels, and a third person's
# head does not lie on it. A picture that does lie on it comes back much better, although two thirds of the lines are
# missing: inside its range the prior is strong. Outside it is stubborn.

# %% [markdown]
# ## Adapt the painter
#
# Then change the painter. After the search the weights may move, too, for this one scan:
#
# $$\min_{z,\,\theta}\; \lVert A\,G_\theta(z) - y\rVert^2, \qquad \text{from the } \hat z \text{ found and the trained } \theta.$$
#
# With 58 thousand weights $G_\theta$ can draw *anything* that the data say. What is left of the prior is where we start, and
# that we stop early.
#
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `adapt(G, z, y, A, steps, lr)`: plain gradient descent ($p \leftarrow p - \text{lr}\, g$) on the relative
# > misfit, $z$ and all weights together, so many steps; return the image, detached. The next patient is waiting: `G` and
# > `z` must be the same as before. `misfit(x, y, A)` is the library's.
# >
# > <details><summary>Hint 1</summary>`mine = deepcopy(G)`, and a `z` of your own: `z.clone().requires_grad_()`.</details>
# > <details><summary>Hint 2</summary>`torch.optim.SGD([z, *mine.parameters()], lr)` does the step.</details>


# %%
def adapt(G, z, y, A, steps, lr):
    """The image of a copy of G whose weights, and z, have followed the data."""
    #: solution
    mine, z = deepcopy(G), z.clone().requires_grad_()
    optimiser = torch.optim.SGD([z, *mine.parameters()], lr)
    for _ in range(steps):
        optimiser.zero_grad()
        misfit(mine(z), y, A).sum().backward()
        optimiser.step()
    return mine(z).detach()
    #: end


check.ch20_adapt(adapt)

# %%
adapt = use(adapt, check.ch20_adapt)

# %% [markdown] tags=["solution"]
# **Analysis.** Without the copy everything looks right for the first scan. The second starts from a painter who has just
# learned the first by heart; after a day of patients nobody knows what the prior is, and results depend on the order of
# scans. The library's claims ask for the first scan twice, with another one between.

# %% [markdown]
# The library's `adapted_gan` does the same with Adam. It takes the trained weights as they are. How do misfit and error
# move with the steps? Once with the noise of the scan, once with much more:

# %%
adapted = c.build("adapted_gan", **small)
adapted.load_state_dict(prior.state_dict())
steps = [0, 10, 30, 100, 300] if where.name != "ci" else [0, 10, 30]
noise = torch.randn(sample.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
level = 0.15
datasets = {"as it came": sample.kspace, "much noise": sample.kspace + level * sample.mask * noise}
states, errors = {}, {}
for name, y in datasets.items():
    for adapted.adaptation in steps:
        with torch.no_grad():
            x = states[name, adapted.adaptation] = adapted(y, sample.A)
        off = misfit(x, y, sample.A).item()
        errors.setdefault(name, []).append(c.metrics.nrmse(x, sample.image).item())
        print(f"{name}, {adapted.adaptation:4} steps: misfit {off:.4f}, NRMSE {errors[name][-1]:.3f}")
for name, y in datasets.items():
    ends = [misfit(states[name, n], y, sample.A).item() for n in (steps[0], steps[-1])]
    assert ends[1] < ends[0]  # agreement always improves
figures.lines(errors, "steps of adaptation", "NRMSE", x=steps)

# %% [markdown]
# The misfit falls from row to row. The error need not: noise in the data is drawn, too, if one waits. More agreement is
# not a better image; chapter 02 met the same with iterations of CG.


# %%
def after(n):
    """The image after n steps of adaptation, from the noisy data."""
    x = states["much noise", n]
    said = f"After {n} steps: misfit {misfit(x, datasets['much noise'], sample.A).item():.4f}."
    return figures.images({f"after {n} steps": x}, truth=sample.image, error_limit=0.8).saying(said)


after(0)

# %% [markdown]
# The slider answers: when do details appear, and when the noise?

# %%
slider("n", after, tuple(steps))

# %% [markdown]
# > **Exercise 5** · core · 15 minutes · importance ★★☆
# >
# > When should one stop, without the truth? If the noise has standard deviation $\sigma$ in each sample, the truth itself
# > has a misfit of about $\sigma^2 m / \lVert y\rVert^2$, with $m$ measured samples. Adapt to the noisy data with more
# > and more steps, and stop as soon as the misfit is below that. **Predict**, then print: is it the best of the steps
# > above? (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`level` is $\sigma$, up to the noise that the scan had before.
# > $m$ is `sample.mask.sum() * N`.</details>
# > <details><summary>Hint 2</summary>`states["much noise", n]` holds the images.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
noisy = datasets["much noise"]
limit = (level**2 * sample.mask.sum() * N / noisy.abs().square().sum()).item()
print(f"misfit of the noise {limit:.4f}, of the truth {misfit(sample.image, noisy, sample.A).item():.4f}")
stop = next((n for n in steps if misfit(states["much noise", n], noisy, sample.A) < limit), steps[-1])
best = steps[min(range(len(steps)), key=lambda i: errors["much noise"][i])]
print(f"stopped after {stop} steps; the best of these would have been {best}")

# %% [markdown] tags=["solution"]
# It is Morozov's *discrepancy principle*: agree with the data as well as the truth does, and no better. If no step
# reaches the limit, the generator cannot draw the scan yet, and noise is not the trouble. The principle needs an honest
# $\sigma$: chapter 03 measures it.

# %% [markdown]
# ## And if there are no whole images?
#
# For a beating heart or a film of flowing blood nobody has them. A critic still can help, if it looks at what *is* known:
# undersampled images. Let a network $x = f(y)$ reconstruct, and **measure its image again**, with another random mask $M'$.
# If $x$ is right, then $A'^HA'x$ looks just like the zero-filled image of some other scan. If $x$ still holds the holes of
# $M$, they show:
#
# $$\min_f \max_D\; \text{mean}\,D(A^Hy) - \text{mean}\,D(A'^HA'\,f(y)).$$
#
# > **Exercise 4** · core · 10 minutes · importance ★★★
# >
# > Write `again(x, mask, maps)`: the zero-filled image of a scan of `x` (batch, height, width) with this mask (batch or
# > 1, 1, 1, width) and these coils.
# >
# > <details><summary>Hint 1</summary>Forward, then the adjoint; `Sense(mask, maps)` has both.</details>
# > <details><summary>Hint 2</summary>`A.N` is the two in one.</details>


# %%
def again(x, mask, maps):
    """What another scan would have shown of the image x, zero-filled."""
    #: solution
    A = Sense(mask, maps)
    return A.H(A(x))
    #: end


check.ch20_again(again)

# %%
again = use(again, check.ch20_again)

# %% [markdown] tags=["solution"]
# **Analysis.** Why another mask? With the same one, a network that returns the zero-filled image would be perfect:
# measured again, it gives exactly the data. The next cell shows it. (Nearly all energy lies in the centre of k-space, which
# every mask holds, so another mask changes little more than the details.)

# %%
other = redrawn(sample.mask)
data_image = sample.A.H(sample.kspace)
lost = {
    "the same mask": again(data_image, sample.mask, sample.maps),
    "another mask": again(data_image, other, sample.maps),
}
for name, x in lost.items():
    change = (x - data_image).norm() / data_image.norm()
    print(f"zero-filled, measured again with {name}: it changes by {100 * change.item():.2f} % of its length")
    assert (change < 1e-4) == (name == "the same mask")
figures.images({"A^H y": data_image} | lost)


# %% [markdown]
# The network is unrolled, as in section 2.5 of the review: a step towards the data, a residual network, a few times; in the
# end acquired samples are put back.


# %% tags=["same:course_lib.methods.unsupervised.unsupervised_gan.UnsupervisedGAN"]
class MyUnsupervisedGAN(Reconstructor):
    def __init__(self, iterations=5, width=128, depth=2):
        super().__init__()
        nets = [blocks.resnet(width, depth) for _ in range(iterations)]
        self.f = nn.ModuleList(blocks.OnComplex(net) for net in nets)
        self.t, self.critic, self.other = nn.Parameter(torch.ones(iterations)), blocks.Critic((16, 32, 64)), redrawn
        for p in (p for net in nets for p in net[-1].parameters()):
            nn.init.zeros_(p)

    def forward(self, y, A):
        x = AHy = A.H(y)
        for f, t in zip(self.f, self.t):
            x = x - t * (A.N(x) - AHy)
            x = x + f(x)
        return x + AHy - A.N(x)

    def measured_again(self, sample):
        A = ops.Sense(self.other(sample.mask), sample.maps)
        y = A(self(sample.kspace, sample.A))
        return A.H(y) / scale(y, A).detach()[:, None, None]

    def loss(self, sample):
        return wasserstein(self.critic(self.measured_again(sample)), 1)

    def critic_loss(self, sample):
        return critic_of_wgan_gp(self.critic, sample.A.H(sample.kspace), self.measured_again(sample).detach())


# %% [markdown]
# > **Predict 2.** Order by PSNR on the unseen person: zero-filled, tuned TV, the GAN prior, the adapted GAN, the network
# > that never saw an image. And on the real scan?

# %%
torch.manual_seed(0)
unpaired = MyUnsupervisedGAN(**c.card("unsupervised_gan").small)
hidden = c.data.Sample(one.kspace, one.mask, one.maps, one.image * torch.nan)
assert unpaired.critic_loss(hidden).isfinite() and unpaired.loss(hidden).isfinite()
run = c.fit(unpaired, train, few, seconds, lr=3e-4, batch=4, checks=4)
figures.curves(run, {"tuned TV": baseline})

# %% [markdown]
# We did cheat once: `fit` keeps the weights with the best PSNR on validation subjects, and a PSNR needs their images. Who
# has none must stop by other means.

# %% [markdown]
# ## Unseen people, and a real scan
#
# One metric code, the paired difference to the best classical method, and its 95 % interval over slices.

# %%


def stopped_after(n):
    adapted.adaptation = n
    return adapted


adapted.adaptation = c.tune(stopped_after, few, [10, 30, 100])
print(f"steps of adaptation, chosen on validation slices as lambda is for TV: {adapted.adaptation}")
methods = {
    "zero-filled": zero_filled, "tuned TV": tv, "GAN prior": prior, "adapted GAN": adapted, "unsupervised GAN": unpaired
}  # fmt: skip
tables = {}
for name, samples in {"unseen simulated subject": tested, "real scan": scanned}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
unseen = tables["unseen simulated subject"]
assert unseen["adapted GAN"].mean("psnr") > unseen["GAN prior"].mean("psnr")

# %% [markdown]
# Read the last column. Where the interval lies below 0, tuned TV wins. Here it has an easy time: one true sentence about
# images is worth more than a painter of half a minute. The prior alone cannot leave its range; adapted, it comes back to
# the data, about as far as the zero-filled image, which is a humbling neighbour. And the network with a critic that knows
# only holes? The curve above shows a game, not a descent: at first it walks away from the zero-filled image that it starts
# from. The authors had eight coils, and far more training.

# %%
order = unseen["adapted GAN"].values["psnr"].argsort()
for word, index in {"worst": order[0], "best": order[-1]}.items():
    s = tested[int(index)]
    with torch.no_grad():
        panels = {name: m(s.kspace, s.A) for name, m in methods.items() if name != "zero-filled"}
    print(f"{word} slice for the adapted GAN")
    display(figures.images(panels, truth=s.image))

# %% [markdown]
# ## With how few lines does a prior pay?
#
# A prior that is wrong by a fixed amount is a bad one when data are plenty, and may be a good one when there are hardly
# any. The same trained generator, fewer and fewer lines; TV with its $\lambda$ as it is.

# %%
full = c.data.slices("test", lines, coils=1, size=(N, N)).prepared(len(test) // 2)
amounts, psnr = [16, 12, 8, 6, 4], {name: [] for name in ("zero-filled", "tuned TV", "GAN prior", "adapted GAN")}
for count in amounts:
    chosen = torch.zeros(N)
    middle = N // 2 - min(4, count) // 2
    chosen[middle : middle + min(4, count)] = 1
    outer = (chosen == 0).nonzero()[torch.randperm(N - 4, generator=torch.Generator().manual_seed(2))]
    chosen[outer[: count - 4]] = 1
    s = c.data.undersample(full.kspace, full.maps, chosen[None, None, None], full.image)
    for name in psnr:
        with torch.no_grad():
            psnr[name].append(c.metrics.psnr(methods[name](s.kspace, s.A), s.image).item())
for name, values in psnr.items():
    print(f"{name:14}" + "".join(f"{value:8.2f}" for value in values))
assert psnr["tuned TV"][0] > psnr["tuned TV"][-1]
figures.lines(psnr, "lines that were measured, of 32", "PSNR (dB)", x=amounts)

# %% [markdown]
# TV lives on the data; with few lines it ends where zero-filling is. The curves of the generator are flatter: most of its
# error is its own. Where they cross that of TV, if they do, depends on how well it draws; in the course's run (`cpu`) that of
# the adapted one does. (Bora et al. see the prior win where samples are few.)

# %% [markdown]
# ## Break it: a lesion that nobody has drawn
#
# A small bright spot is put into the image before it is measured. No training image has one. Does it come back? Its
# *contrast* is the mean inside minus the mean around, over that of the truth: 1 is as bright as it was.

# %%
image = full.image / full.image.abs().quantile(0.99)
rows, columns = torch.meshgrid(torch.arange(N), torch.arange(N), indexing="ij")
distance = ((rows - 0.45 * N) ** 2 + (columns - 0.6 * N) ** 2).sqrt()
spot, around = distance < 2, (distance > 2.5) & (distance < 5)


def contrast(x):
    return (x.abs()[0][spot].mean() - x.abs()[0][around].mean()).item()


def scan(x, acceleration=R, spoil=0.0):
    """One coil's data of the image x."""
    k = fft2c(x)[:, None] + spoil * noise
    mask = random(N, acceleration, 0.16, 5)
    return c.data.undersample(k, torch.ones_like(k), mask, x)


bright = image * (1 + 1.0 * spot)
lesion, healthy = scan(bright), scan(image)
with torch.no_grad():
    panels = {name: m(lesion.kspace, lesion.A) for name, m in methods.items()}
    without = {name: m(healthy.kspace, healthy.A) for name, m in methods.items()}
added = {name: contrast(panels[name]) - contrast(without[name]) for name in panels}
whole = contrast(lesion.image) - contrast(healthy.image)
print("contrast of the lesion that came back:", ", ".join(f"{name} {v / whole:.2f}" for name, v in added.items()))
figures.images({name: panels[name] for name in ("tuned TV", "GAN prior", "adapted GAN")}, truth=lesion.image)

# %% [markdown]
# The generator draws the healthy head that fits best, and nothing in its picture says that something is missing: it
# *looks* like one of its heads. That is a hallucination by omission. The data know: look at the misfit of the two.

# %%
cases = {
    "as trained": healthy, "a lesion": lesion, "R = 6": scan(image, 6), "much noise": scan(image, spoil=0.1),
    "upside down": scan(image.flip(-2)),
}  # fmt: skip
print(f"{'PSNR (dB)':14}" + "".join(f"{name:>18}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        values = {name: m(s.kspace, s.A) for name, m in methods.items()}
    print(f"{case:14}" + "".join(f"{c.metrics.psnr(x, s.image).item():18.2f}" for x in values.values()))
    off = {name: misfit(values[name], s.kspace, s.A).item() for name in ("GAN prior", "adapted GAN")}
    assert off["adapted GAN"] < off["GAN prior"]
    print(f"{'':14}misfit: GAN prior {off['GAN prior']:.3f}, adapted GAN {off['adapted GAN']:.3f}")

# %% [markdown]
# A large misfit is a warning that the range is too small. Turn the head upside down: TV does not care, and a painter who
# knew heads would be out of its depth. Is yours? In the course's run it is not: it has learned where a head is bright, and not
# yet which way up it stands.

# %% [markdown]
# ## What the number hides
#
# - A picture of $G$ looks plausible *everywhere*, also where it is wrong. TV's errors look like errors.
# - The time: a network answers in milliseconds; here every scan is an optimisation of its own, with hundreds or thousands
#   of evaluations of $G$.
# - "Unsupervised" is not "without images": the GAN prior needs clean ones, though not of the same scans.
# - Images that differ in contrast, size or field of view from those of the training lie outside the range.
# - We trained for seconds at 32 x 32. The papers' generators are far better, and their ranges are still too small.
# - One GAN, one seed. `python -m course_lib experiments 58` measures adaptation inside and outside the range.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. Without a penalty or another bound on its slope, the critic of a Wasserstein GAN",
    right={"can raise its lead without end by multiplying all its scores": "So its size would say nothing."},
    wrong={
        "cannot tell real from made": "It can, and all too well.",
        "makes the generator draw averages": "That is what a pixel loss does.",
    },
)

# %%
quiz.choice(
    "2. The trained generator is used with another mask and 12 coils. What must be trained again?",
    right={"nothing": "Mask and coils enter the search through A alone."},
    wrong={
        "the generator": "It has never seen a mask or a coil.",
        "the critic": "Nobody asks the critic after training.",
    },
)

# %%
quiz.choice(
    "3. All of k-space is measured, without noise, and the error of the GAN prior is large. Why?",
    right={"the image is not in the range of G": "The representation error: no datum can help, adaptation can."},
    wrong={
        "too few samples": "There are as many as pixels.",
        "over-fitting": "32 numbers cannot follow 1024 complex samples.",
    },
)

# %%
quiz.choice(
    "4. Why is the image of the unsupervised GAN measured again with another mask?",
    right={
        "with the same one, the zero-filled image would please the critic": "Its holes would lie where holes belong."
    },
    wrong={
        "to have more data": "Nothing new is measured; it is a computation.",
        "because the critic knows whole images": "It has never seen one.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
quiz.number(
    "5. What is the relative misfit of the GAN prior's image `found` of `sample`?",
    misfit(found, sample.kspace, sample.A).item(),
    "What the best picture cannot explain of the data.",
    near={
        misfit(found, sample.kspace, sample.A).sqrt().item(): "That is its root, a ratio of norms.",
        c.metrics.nrmse(found, sample.image).item(): "That compares with the truth; a misfit asks the data alone.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **held** the slope of a critic at 1, with a gradient of a gradient.
# - You **searched** a picture by its few numbers, and saw descents end in different places.
# - You **measured** the representation error, and **adapted** the painter to a scan without spoiling it for the next.
# - You **stopped** by the noise.
# - You **trained** a network with a critic that knows undersampled images alone.
# - You **showed** a lesion to a painter who cannot draw it.
#
# Next: chapter 24 puts the methods of all chapters on one board.

# %% [markdown]
# ## From text to source

# %%
print(c.show("gan_prior", source=False, verify=False))
print(c.diff("gan_prior", "adapted_gan"))

# %% [markdown]
# `c.show("unsupervised_gan")` shows the source and tests every claim here and now.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` trains longer. The defaults of `c.build("gan_prior")` draw 128 x 128 pixels from 128 numbers and
# search with 1600 steps from 5 starts. What does one evaluation of $G$ with its gradient cost, and so a search?

# %%
print(f"{'':16}{'parameters':>12}{'ms for G and its gradient':>28}{'s a search':>12}")
for name, settings in {"small": small, "as by default": {}}.items():
    model = c.build("gan_prior", **settings)
    z, start = torch.randn(model.restarts, model.G.latent, requires_grad=True), time.perf_counter()
    model.G(z).abs().square().sum().backward()
    spent = time.perf_counter() - start
    own_count = sum(p.numel() for p in model.own())
    print(f"{name:16}{own_count:12,}{1000 * spent:28.1f}{model.steps * spent:12.1f}")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > Between a fixed painter and a free one: let the image leave the range, but not far, $\min_{z, x} \lVert Ax - y\rVert^2
# > + \mu\lVert x - G(z)\rVert^2 + \lambda\,\text{TV}(x - G(z))$. Alternate: a search for $z$, then a proximal solve for
# > $x$. Does the lesion come back? At which $\mu$?
# >
# > | points | for |
# > |---|---|
# > | 2 | a loop whose cost falls in every half step, shown |
# > | 2 | $\mu$ and $\lambda$ tuned on validation subjects |
# > | 3 | paired differences to tuned TV with intervals, on the unseen person and the real scan, at R = 3 and R = 8 |
# > | 2 | the contrast of a lesion against its size, for TV, prior, adapted and yours |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>With $d = x - G(z)$ the second step is TV for the data $y - A\,G(z)$:
# > `c.build("cs_tv")`.</details>
# > <details><summary>Hint 2</summary>`search` takes any $y$: hand it the data minus $A d$.</details>

# %% [markdown]
# ## References
#
# - Cole EK, Pauly JM, Vasanawala SS, Ong F. Unsupervised MRI reconstruction with generative adversarial networks. 2020.
#   [arXiv:2008.13065](https://arxiv.org/abs/2008.13065)
# - Narnhofer D, Hammernik K, Knoll F, Pock T. Inverse GANs for accelerated MRI reconstruction. *Proc SPIE* 11138, 2019.
#   [doi:10.1117/12.2527753](https://doi.org/10.1117/12.2527753)
# - Bora A, Jalal A, Price E, Dimakis AG. Compressed sensing using generative models. *ICML* 2017.
#   [arXiv:1703.03208](https://arxiv.org/abs/1703.03208)
# - Abu Hussein S, Tirer T, Giryes R. Image-adaptive GAN based reconstruction. *AAAI* 2020.
#   [arXiv:1906.05284](https://arxiv.org/abs/1906.05284)
# - Bhadra S, Zhou W, Anastasio MA. Medical image reconstruction with image-adaptive priors learned by use of generative
#   adversarial networks. *Proc SPIE* 2020. [arXiv:2001.10830](https://arxiv.org/abs/2001.10830)
# - Gulrajani I et al. Improved training of Wasserstein GANs. *NIPS* 2017.
#   [arXiv:1704.00028](https://arxiv.org/abs/1704.00028)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 3.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
