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
# # 06 Networks and training
#
# ![A real brain scan at a quarter of its lines: the zero-filled image with a smear of copies, the same after three
# convolutions that trained for less than a minute, after compressed sensing on top of them, and the full
# scan.](../docs/06_networks_and_training.png)
#
# Nobody told the network what aliasing is. It saw pairs of bad and good images, and changed some numbers until it
# turned one into the other. **How do three convolutions learn that, and why is it not enough?**

# %% [markdown]
# ## What you can do at the end
#
# 1. **Build** a network from one neuron, and **show** why it needs a non-linearity (sections 1 and 2).
# 2. **Compute** the receptive field and the number of parameters of a stack of convolutions (section 3).
# 3. **Derive** a gradient by hand and **verify** it against autograd (section 4).
# 4. **Write** a training loop, and **test** it on one slice before you believe in it (section 5).
# 5. **Tell** underfitting from overfitting, and **choose** activation and loss (sections 6 to 8).
# 6. **Train** the first CNN for MRI reconstruction, **compare** it with tuned classics, and **break** it (sections 10
#    to 13).
#
# **You need** matrices, derivatives and Python; chapters 02 (inverse problems), 03 (coils) and 05 (compressed sensing)
# help. **Time**: about 80 minutes of reading and thinking. **Computing**: under 25 s (`ci`), under 150 s
# (`cpu`), on two cores.

# %%
import platform
import time
from dataclasses import dataclass
from itertools import islice

import torch
from torch import nn
from torch.nn.functional import conv2d, mse_loss, unfold

import course_lib as c
from course_lib.blocks import ConvGRU, as_complex, as_real
from course_lib.experiments.activations import ACTIVATIONS, first_gradient, network
from course_lib.experiments.training import epochs
from course_lib.profiles import profile
from course_lib.sampling import effective_acceleration, equispaced, protocol
from course_lib.teach import figures, training

START = time.perf_counter()
where = profile()


@dataclass(frozen=True)
class Settings:
    slices: int  # training slices for the loops written by hand
    steps: int  # of each of those loops
    seconds: float  # for the network that is evaluated
    width: tuple[int, int]  # channels of its two hidden layers


cfg = {
    "ci": Settings(12, 60, 6.0, (32, 16)),
    "cpu": Settings(60, 200, 40.0, (64, 32)),
    "gpu": Settings(300, 2000, 300.0, (64, 32)),
}[where.name]
torch.manual_seed(6)
for name, value in {"profile": where.name, **vars(cfg)}.items():
    print(f"{name:10}{value}")
print(f"{'versions':10}Python {platform.python_version()}, torch {torch.__version__}, course_lib {c.__version__}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + n$ | the data, and the forward model of chapter 03 | `sample.kspace`, `sample.A` |
# > | $A^H y$ | the zero-filled image: what goes into the network | `zero_filled` |
# > | $x$ | the truth: what should come out | `truth` |
# > | $f$, $\theta$ | a network and its numbers (weights and biases) | `net`, `net.parameters()` |
# > | $W$, $b$ | weights and bias of one layer | `W`, `b` |
# > | $\sigma$ | a non-linearity, applied to each number: the activation | `nn.ReLU` |
# > | $L$ | the loss: one number that says how bad the output is | `loss` |
#
# Inside a network, images have the shape `(batch, channel, height, width)`.

# %% [markdown]
# ## The data
#
# Pairs: the zero-filled image of a scan with a quarter of its lines, and the image of the full scan. They are **split
# by subject**. Two persons train, other bodies validate, one more person tests, and a real scan is never trained on.
# A network that is tested on slices of the person it was trained on shows how well it remembers.

# %%
R = 4
train = c.data.slices("train", protocol(R), training=True, strip=where.strip)
validation = c.data.slices("val", protocol(R))
test, real = (c.data.slices(split, protocol(R)) for split in ("test", "real"))
for name, split in {"train": train, "validation": validation, "test": test, "real": real}.items():
    people = sorted({file.split("/")[-1].split("_")[0] for file in split.files})
    print(f"{name:11}{len(split):4} slices of {', '.join(people)}")
print(f"R = {R}, effective {effective_acceleration(test[0].mask):.2f}")

sample = test[len(test) // 2]
with torch.no_grad():
    zero_filled = sample.A.H(sample.kspace)
figures.images({"zero-filled": zero_filled}, sample.image)

# %% [markdown]
# Sources and licences are in `data/PROVENANCE.md`. For training, `strip` cuts each slice to a band of rows: rows never
# mix when whole columns of k-space are skipped, so a band is a real, cheaper problem.
#
# ### Complex numbers are two channels
#
# Our images are complex; the layers of PyTorch are made for real numbers. The common way out is to hand the real and
# the imaginary part over as **two channels**, as colour images have three. `as_real` and `as_complex` do that, and they
# are the only place of the library that does. The price: nothing tells the network that the two belong together.
# Turn the phase of the input, and the output need not turn with it. Chapter 22 returns to that.


# %%
def pairs(slices, picked):
    """Zero-filled images and truths of some slices as two channels, (number, 2, height, width) each."""
    samples = [slices[i] for i in picked]
    return torch.cat([as_real(s.A.H(s.kspace)) for s in samples]), torch.cat([as_real(s.image) for s in samples])


spread = torch.linspace(0, len(train) - 1, cfg.slices).long().tolist()
x, truth = pairs(train, spread)
middle = c.data.slices("val", protocol(R), strip=where.strip)
x_val, truth_val = pairs(middle, range(len(middle)))
assert torch.equal(as_complex(as_real(zero_filled)), zero_filled)
print(f"training images {tuple(x.shape)}, validation images {tuple(x_val.shape)}")
base = mse_loss(x, truth).item()
print(f"mean squared error of the zero-filled images: {base:.4f}. Every loss below is compared with this number.")

# %% [markdown]
# > **Predict 1.** A layer looks at 9 x 9 pixels. Aliasing at $R = 4$ smears a pixel over a whole row of the image. Can
# > a network with such layers remove any of it? What could it use?

# %% [markdown]
# ## 1. One neuron
#
# A neuron takes some numbers $p$, weighs them, adds a constant, and bends the result:
#
# $$ a = \sigma(w^T p + b). $$
#
# That is Rosenblatt's perceptron (1958) with a smooth enough $\sigma$. Let $p$ be a patch of the zero-filled image,
# 9 x 9 pixels in two channels, so 162 numbers, and let the neuron predict the true pixel in the middle. Leave out
# $\sigma$ for now: then the best weights are a least-squares problem, and we can *solve* for them. We need two
# neurons, for real and imaginary part.


# %%
def patches(images, size=9):
    """(batch, 2, height, width) -> (batch, 2 size^2, pixels): the patch around each pixel as a column."""
    return unfold(images, size, padding=size // 2)


P = patches(x).transpose(1, 2).flatten(0, 1)  # (all pixels, 162)
T = truth.flatten(2).transpose(1, 2).flatten(0, 1)  # (all pixels, 2)
W = torch.linalg.solve((P.T @ P).double(), (P.T @ T).double()).float().T  # normal equations: (2, 162)
neuron = (W @ patches(x_val)).unflatten(-1, x_val.shape[-2:])
before, after = (mse_loss(z, truth_val).item() for z in (x_val, neuron))
fitted = mse_loss(P @ W.T, T).item()
print(f"training images:   zero-filled {base:.4f}, the best linear neuron {fitted:.4f}")
print(f"validation images: zero-filled {before:.4f}, the same neuron {after:.4f}")
assert fitted < base

# %% [markdown]
# The best *linear* neuron is a fixed filter: the same blur or sharpening everywhere. It can trade noise against
# sharpness, once, for all images. It cannot treat an edge of the head and a ghost of that edge differently.

# %% [markdown]
# ## 2. Layers, and why they must bend
#
# Many neurons that look at the same numbers are a **layer**, $a = \sigma(Wp + b)$. The next layer looks at $a$. But
# without $\sigma$ nothing is won. Two linear layers are $W_2(W_1 p) = (W_2 W_1)p$: one linear layer. The same is true
# of convolutions. We put a single white pixel through two of them, read off the answer, and use it as the kernel of
# *one* convolution.

# %%
first, second = nn.Conv2d(2, 16, 3, padding=1, bias=False), nn.Conv2d(16, 2, 3, padding=1, bias=False)
with torch.no_grad():
    pixel = torch.zeros(2, 2, 5, 5)
    pixel[0, 0, 2, 2] = pixel[1, 1, 2, 2] = 1  # once in each channel
    one_kernel = second(first(pixel)).transpose(0, 1).flip(-1, -2)  # (out, in, 5, 5)
    two_layers = second(first(x[:1]))
    one_layer = conv2d(x[:1], one_kernel, padding=2)
    inside = (..., slice(2, -2), slice(2, -2))  # away from the zeros beside the image
    gap = ((two_layers - one_layer)[inside].norm() / two_layers[inside].norm()).item()
    bent = second(first(x[:1]).relu()), second(first(2 * x[:1]).relu()), second(first(-x[:1]).relu())
print(f"two linear layers against one: they differ by {gap:.0e}")
assert gap < 1e-5
print(f"with a ReLU between, f(2x) = 2 f(x) up to {(bent[1] - 2 * bent[0]).abs().max():.0e}")
print(f"but f(-x) is not -f(x): they differ by {((bent[2] + bent[0]).norm() / bent[0].norm()).item():.1f} times |f(x)|")
assert (bent[2] + bent[0]).norm() > 0.1 * bent[0].norm()

# %% [markdown]
# One bend is enough. The ReLU, $\sigma(t) = \max(t, 0)$, makes the network a different linear filter in each region of
# its inputs, and *that* allows it to treat edge and ghost differently. (Without biases a ReLU network still obeys
# $f(2x) = 2f(x)$, which is a nice property for images that come in any unit.)
#
# **Exercise 1.** *(5 minutes)* `cnn = first, ReLU, second` has 3 x 3 kernels. How many linear filters of 5 x 5 pixels
# can it be at most, at one pixel, depending on what is under it? Write the number for 16 hidden channels.

# %% [markdown]
# ### Exercise 1, solution
#
# Each hidden neuron is on or off. A pixel of the output looks at 9 places of 16 channels, so at 144 neurons: at most
# $2^{144}$ patterns, each with its own linear filter. Far from all of them can be reached, since the 144 depend on
# only 50 inputs, but it is no longer *one* filter. We count the patterns in one image.

# %%
with torch.no_grad():
    on = (first(x[:1]) > 0).float()
    around = unfold(on, 3)[0].T  # (pixels, 144)
    patterns = len(around.unique(dim=0))
print(f"{patterns} different filters at the {len(around)} pixels of one training image")
assert patterns > len(around) / 4

# %% [markdown]
# ## 3. Convolutions: shared weights
#
# Why use the same neuron at every pixel? Because a layer that connects every pixel with every other needs a weight for
# each pair, and because an edge is an edge wherever it lies.

# %%
n = x.shape[-1]
print(f"every pixel with every pixel, {n} x {n}, two channels to two: {(2 * n * n) ** 2:,} weights")
print(f"one 9 x 9 convolution, two channels to two: {2 * 2 * 81:,} weights")
layer = nn.Conv2d(2, 2, 9, padding=4)
with torch.no_grad():
    moved, still = layer(x_val.roll(5, -1)), layer(x_val).roll(5, -1)
change = (moved - still)[..., 9:-9].abs().max().item()
print(f"an image that moves by 5 pixels gives the moved output: they differ by {change:.0e} away from the border")
assert change < 1e-5

# %% [markdown]
# It fits any image size, and it *translates*: move the input, and the output moves. Both hold away from the border.
# The library measures this claim of the review on trained networks, `experiments.run(11)`: five convolutions keep it
# exactly, a network that pools breaks it for shifts that are no whole number of its coarse pixels.
#
# ### How far does it see?
#
# A layer with kernel $k$ sees $(k - 1)/2$ pixels to each side; layers add up. So the **receptive field** of kernels
# $k_1, k_2, \dots$ is $1 + \sum_i (k_i - 1)$ pixels wide.
#
# **Exercise 2.** *(10 minutes)* Write `receptive_field(kernels)`. Then find it by experiment: which input pixels have
# a gradient when you differentiate one output pixel?


# %% [markdown]
# ### Exercise 2, solution


# %%
def receptive_field(kernels):
    return 1 + sum(k - 1 for k in kernels)


def seen(net, size=65):
    """Columns of the input that the middle pixel of the output depends on."""
    image = torch.randn(1, 2, size, size, requires_grad=True)
    net(image)[..., size // 2, size // 2].sum().backward()
    return int((image.grad.abs().sum((0, 1, 2)) > 0).sum())


def stack(kernels, width=8, act=nn.LeakyReLU):
    """Convolutions with the given kernels, `act` between them."""
    widths = [2, *[width] * (len(kernels) - 1), 2]
    layers = [(nn.Conv2d(a, b, k, padding=k // 2), act()) for a, b, k in zip(widths, widths[1:], kernels)]
    return nn.Sequential(*[part for both in layers for part in both][:-1])


for kernels in ([3], [3, 3, 3], [9, 5, 5], [3] * 8):
    print(f"kernels {kernels}: the formula says {receptive_field(kernels)}, the gradient {seen(stack(kernels))}")
    assert receptive_field(kernels) == seen(stack(kernels))

# %% [markdown]
# Three large kernels see as far as eight small ones. And both see a small part of a row, while the smear of aliasing
# runs along all of it. So the network cannot *undo* aliasing, as SENSE does. It can only learn what smear looks like.

# %% [markdown]
# ## The idea
#
# A network is a function with thousands of numbers in it. Choosing them is called training, and it is nothing but
# minimisation: write down a loss, compute its gradient with respect to every number, take a small step downhill,
# repeat. Three things make it work. The gradient of a long chain of simple functions costs hardly more than the chain
# itself (the chain rule, applied from the end: backpropagation). Steps may be taken from a few images at a time
# (stochastic gradient descent): the direction is noisy, but each step is cheap. And the numbers that fit the training
# images tend to fit others, if there were enough images and the network's form suits them. The last point is an
# observation and not a theorem, so we *measure* it, on people whom the network has never seen.

# %% [markdown]
# ## 4. A gradient by hand
#
# One convolution and a ReLU. With the patches $P$ as columns, the convolution is a matrix product, $Z = WP$, and
#
# $$ L = \tfrac{1}{N}\lVert \sigma(Z) - T\rVert^2, \qquad
# \frac{\partial L}{\partial Z} = \tfrac{2}{N}(\sigma(Z) - T)\cdot\sigma'(Z), \qquad
# \frac{\partial L}{\partial W} = \frac{\partial L}{\partial Z}\,P^T. $$
#
# Read it from left to right: the error, let through where the ReLU was on ($\sigma' = 1$) and stopped where it was off
# ($\sigma' = 0$), and then correlated with the patches that caused it. Weights that share an image share their
# gradient: the sum over all pixels is in the product with $P^T$.

# %%
W = (0.1 * torch.randn(2, 2, 9, 9)).requires_grad_()
loss = (conv2d(x[:1], W, padding=4).relu() - truth[:1]).square().mean()
loss.backward()

P, T = patches(x[:1])[0], truth[0].flatten(1)  # (162, pixels), (2, pixels)
Z = W.detach().flatten(1) @ P
dZ = 2 / T.numel() * (Z.relu() - T) * (Z > 0)
by_hand = (dZ @ P.T).reshape(W.shape)
difference = ((by_hand - W.grad).norm() / W.grad.norm()).item()
print(f"by hand and by autograd: they differ by {difference:.0e} of the gradient's size")
assert difference < 1e-4

# %% [markdown]
# Where every $Z$ is below zero, the gradient is zero, and that neuron never moves again: a *dead* ReLU. The leaky ReLU
# lets a tenth through, and the sigmoid has its own way to die, as section 7 shows.

# %% [markdown]
# ## 5. The training loop
#
# Plain SGD takes the step $\theta \leftarrow \theta - \eta\, g$. Adam (Kingma & Ba 2015) keeps two running means for each number: of the
# gradient, $m$, which smooths the noise, and of its square, $v$, which makes the step about $\eta$ whatever the
# gradient's size. Here are both, and the loop around them.


# %%
def sgd(theta, g, memory, lr, t):
    theta.sub_(lr * g)


def adam(theta, g, memory, lr, t, beta1=0.9, beta2=0.999):
    m, v = memory
    m.mul_(beta1).add_((1 - beta1) * g)
    v.mul_(beta2).add_((1 - beta2) * g * g)
    theta.sub_(lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + 1e-8))


def fit(net, x, truth, lr=3e-3, steps=cfg.steps, loss=mse_loss, rule=adam, watch=None):
    """Train on one random image a step; returns the losses, and what `watch` says every tenth step."""
    parameters, losses, seen = list(net.parameters()), [], []
    memory = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for t in range(1, steps + 1):
        i = torch.randint(len(x), (1,))
        value = loss(net(x[i]), truth[i])
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            for theta, g, m in zip(parameters, gradients, memory):
                rule(theta, g, m, lr, t)
            losses.append(value.item())
            seen += [watch()] if watch and t % 10 == 0 else []
    return losses, seen


# %% [markdown]
# Is our Adam *the* Adam? Same start, same images, against `torch.optim.Adam`.

# %%
mine, theirs = stack([3, 3], width=4), stack([3, 3], width=4)
theirs.load_state_dict(mine.state_dict())
fit(mine, x[:1], truth[:1], steps=20)
optimiser = torch.optim.Adam(theirs.parameters(), lr=3e-3)
for _ in range(20):
    optimiser.zero_grad()
    mse_loss(theirs(x[:1]), truth[:1]).backward()
    optimiser.step()
gap = max((a - b).abs().max().item() for a, b in zip(mine.parameters(), theirs.parameters()))
print(f"after 20 steps the weights differ by at most {gap:.0e}")
assert gap < 1e-4

# %% [markdown]
# ### The sanity gate: one slice
#
# Before any long training: can the network learn *one* slice by heart? If the loss does not fall at least ten-fold,
# something is broken (data that do not belong together, a wrong sign, a learning rate off by powers of ten), and more
# data will not help. This gate costs seconds and saves days.


# %%
def wang(width=16):
    """The three layers of Wang et al. (2016): kernels 9, 5, 5."""
    return nn.Sequential(
        nn.Conv2d(2, width, 9, padding=4),
        nn.ReLU(),
        nn.Conv2d(width, width // 2, 5, padding=2),
        nn.ReLU(),
        nn.Conv2d(width // 2, 2, 5, padding=2),
    )


one = len(x) // 4
torch.manual_seed(0)
gate, start = {}, wang().state_dict()
for name, rule, lr in (("SGD", sgd, 0.1), ("Adam", adam, 3e-3)):
    net = wang()
    net.load_state_dict(start)
    gate[name], _ = fit(net, x[one : one + 1], truth[one : one + 1], lr, steps=2 * cfg.steps, rule=rule)
    print(f"{name}: loss {gate[name][0]:.4f} -> {gate[name][-1]:.4f}, {gate[name][0] / gate[name][-1]:.0f} times lower")
assert gate["Adam"][0] > 10 * gate["Adam"][-1]
here = mse_loss(x[one], truth[one]).item()
training.losses(gate, "step", "loss on one slice", levels={"zero-filled": here})

# %% [markdown]
# The gate is passed with Adam. Both curves start at the energy of the image (an untrained network returns nearly
# nothing), and the interesting part is at the end: below the zero-filled image the network does more than copy.

# %% [markdown]
# ## 6. Under- and overfitting
#
# Learning by heart is not the goal. We train the same network on two slices, and on all of them, and look at the loss
# on *other* bodies after every ten steps.
#
# > **Predict 2.** Sketch four curves over the steps: training and validation loss, for two slices and for all. Which
# > pair lies far apart?

# %%
curves, ends = {}, {}
for name, few in {"2 slices": (0, len(x) - 1), f"{len(x)} slices": range(len(x))}.items():
    torch.manual_seed(1)
    net, picked = wang(), list(few)

    def both(net=net, picked=picked):
        fitted = net(x[picked][:8])
        return mse_loss(fitted, truth[picked][:8]).item(), mse_loss(net(x_val), truth_val).item()

    _, history = fit(net, x[picked], truth[picked], steps=3 * cfg.steps, watch=both)
    curves[f"train, {name}"], curves[f"validation, {name}"] = map(list, zip(*history))
    ends[name] = history[-1]
    print(f"{name}: training loss {history[-1][0]:.4f}, validation loss {history[-1][1]:.4f}")
print(f"two bands: {truth[:2].numel():,} numbers; the network: {sum(p.numel() for p in net.parameters()):,} weights")
gaps = [validated / fitted for fitted, validated in ends.values()]
assert gaps[0] > 1.1 * gaps[1]  # few slices: validation lies further above training
training.losses(curves, "tens of steps", "loss", levels={"zero-filled, validation": before})

# %% [markdown]
# At the left all curves fall together: the network is still **underfitting**, it has not even learned to copy. Later
# the pairs part. The distance between the training and the validation curve is the price of not knowing the next
# patient; with few slices the network may spend its numbers on what is special about them, which is **overfitting**.
# A validation curve that rises says when to stop. `course_lib.fit` keeps the weights with the best validation PSNR.
#
# Two bands hold hardly more numbers than this small network has weights, so it learns them by heart, and what it learned
# is of little use on the next body. More subjects are the best cure; a smaller network, early stopping and augmentation
# (bands at random places and a new mask at each visit, which `training=True` gives us) are the others.

# %% [markdown]
# ## 7. Which activation?
#
# The sigmoid and the tanh were the standard for decades. Both flatten for large inputs, and where a curve is flat, its
# derivative is nearly zero. Backpropagation multiplies these derivatives, layer after layer. The slope of the sigmoid
# is at most 1/4. What arrives at the first of six layers?

# %%
small, small_truth = x[:8], truth[:8]
arrives = {}
for name, (act, gain) in ACTIVATIONS.items():
    arrives[name] = sum(first_gradient(network(act, gain, seed), small, small_truth) for seed in range(3)) / 3
    print(f"{name:11} gradient of layer 1 / gradient of layer 6, before training: {arrives[name]:.1g}")
assert arrives["sigmoid"] < 0.1 * arrives["ReLU"]

# %% [markdown]
# The first layers of the sigmoid network learn at a snail's pace, because almost no error reaches them. The race below
# gives each activation the better of three learning rates, judged by the loss after the race.

# %%
race = {}
for name, (act, gain) in ACTIVATIONS.items():
    runs = [list(islice(epochs(network(act, gain, 0), small, small_truth, lr), 6)) for lr in (1e-3, 3e-3, 1e-2)]
    race[name] = min(runs, key=lambda run: run[-1])
assert race["ReLU"][-1] < race["tanh"][-1] < race["sigmoid"][-1]
training.losses(race, "epoch", "training loss", levels={"zero-filled": mse_loss(small, small_truth).item()})

# %% [markdown]
# This is one seed. `experiments.run(12)` measures the claim with five, and with learning rates tuned on yet another
# seed. Look at the tanh before you repeat that "ReLU is better": what kills the sigmoid is its slope of 1/4 and its
# mean of 1/2, and tanh, with slope 1 at 0, has neither. It is slower than ReLU, and it does train.

# %% [markdown]
# ## 8. Which loss?
#
# The squared error ($\ell_2$) punishes large errors most. Where the network cannot know (is this an edge, or a ghost?)
# the best answer for $\ell_2$ is the *mean* of all possible images, and a mean of sharp images is blurred. The
# absolute error ($\ell_1$) asks for the *median*, which takes sides more often. SSIM compares local means, spreads and
# correlations of the magnitudes; it cares about structure, and not at all about phase.


# %%
def complex_loss(loss):
    """A loss of complex images, for two channels."""
    return lambda z, t: loss(as_complex(z), as_complex(t))


trained, quality = {}, {}
for name, loss in {"l2": c.losses.mse, "l1": c.losses.l1, "SSIM": c.losses.ssim}.items():
    torch.manual_seed(2)
    trained[name] = wang()
    fit(trained[name], x, truth, steps=2 * cfg.steps, loss=complex_loss(loss))

print(f"{'trained with':14}{'NRMSE':>8}{'PSNR':>8}{'SSIM':>8}{'HFEN':>8}{'complex':>9}")
with torch.no_grad():
    for name, net in trained.items():
        z, t = as_complex(net(x_val)), as_complex(truth_val)
        values = [f(z, t).mean().item() for f in (c.metrics.nrmse, c.metrics.psnr, c.metrics.ssim, c.metrics.hfen)]
        values += [((z - t).norm() / t.norm()).item()]
        print(f"{name:14}" + "{:8.3f}{:8.2f}{:8.3f}{:8.3f}{:9.3f}".format(*values))
        quality[name] = dict(zip(("NRMSE", "PSNR", "SSIM", "HFEN", "complex"), values))
    panels = {name: as_complex(net(as_real(zero_filled))) for name, net in trained.items()}
assert min(quality, key=lambda name: quality[name]["NRMSE"]) == "l2"
assert max(quality, key=lambda name: quality[name]["SSIM"]) == "SSIM"
assert quality["SSIM"]["complex"] > 1 > quality["l2"]["complex"]
figures.images(panels, sample.image, zoom=(3 * n // 8, n // 4, n // 4, n // 4))

# %% [markdown]
# Read the table by columns. The network trained with $\ell_2$ has the lowest NRMSE, the one trained with SSIM the highest
# SSIM: each wins the number it was asked for. "Network A beats network B" means little until you know both losses.
#
# And the blur? HFEN compares edges only; lower is better. Theory says that $\ell_2$ blurs most, but after so few steps
# the three hardly differ in it, and all of them are blurred: three layers that see 17 pixels blur more than any choice of
# loss. (`losses.l1` of complex images takes the modulus of the difference, so that the phase counts.)
#
# The last column is the error of the *complex* image. SSIM sees magnitudes only, and the network trained with it put an
# arbitrary phase under them: its complex error exceeds the image itself. Never use it alone where phase carries
# meaning, as in flow or temperature imaging, or where a step that uses $A$ follows.

# %% [markdown]
# ## 9. Two more words you will meet
#
# **Normalisation.** Batch normalisation makes each channel zero-mean and unit-variance over a batch, instance
# normalisation over one image; both keep signals in the range where activations work, and both throw away the image's
# scale, which is why they are used with care in reconstruction.
#
# **Recurrence.** A recurrent network applies *one* cell again and again, and passes a **hidden state** on: a memory.
# The steps may be frames in time, or *iterations of an algorithm*. The library's `ConvGRU` has an image as its memory,
# and gates, learned like everything else, that decide what is kept.

# %%
cell, out = ConvGRU(inside=2, width=8), nn.Conv2d(8, 2, 1)


class Iterated(nn.Module):
    """z <- z + out(h), h <- cell(z, h), some times: an algorithm with a learned step and a memory."""

    def __init__(self, iterations):
        super().__init__()
        self.cell, self.out, self.iterations = cell, out, iterations

    def forward(self, z):
        h = None
        for _ in range(self.iterations):
            h = self.cell(z, h)
            z = z + self.out(h)
        return z


fields = []
for iterations in (1, 2, 4):
    net = Iterated(iterations)
    fields.append(seen(net))
    count = sum(p.numel() for p in net.parameters())
    print(f"{iterations} iterations: {count:,} weights, sees {fields[-1]} pixels")
assert fields == [1 + 2 * (2 * i - 1) for i in (1, 2, 4)]

# %% [markdown]
# More iterations see further, with the same weights. Sharing over iterations is for algorithms what sharing over
# pixels is for images. MoDL (chapter 15), recurrent inference machines and CRNN (chapters 16 and 17) all live on it.

# %% [markdown]
# ## 10. The first CNN for MRI reconstruction
#
# Wang et al. (2016) trained three convolutions to turn the zero-filled image into the full one, with the squared
# error. Here is that network, as the library has it, trained by the library's `fit`. It does what our loop does, with
# a learning rate that rises and falls, a clock, and the best weights kept. First the rivals: tuned, as always, on
# validation data.

# %%
few = [validation[i] for i in range(0, len(validation), 2 if len(validation) > 6 else 1)]
steps_cg = int(c.tune(lambda k: c.build("sense_cg", iterations=int(k)), few, [2, 4, 6, 9, 13, 19, 28]))
lam_tv = c.tune(lambda lam: c.build("cs_tv", lam=lam), few, [0.0005, 0.001, 0.002, 0.004, 0.008])
classic = {
    "zero-filled": c.build("zero_filled"),
    "CG-SENSE": c.build("sense_cg", iterations=steps_cg),
    "tuned TV": c.build("cs_tv", lam=lam_tv),
}
levels = {name: c.evaluate(method, few).mean("psnr") for name, method in classic.items()}
print(f"CG-SENSE: {steps_cg} iterations; TV: lambda = {lam_tv}")

# %%
torch.manual_seed(0)
cnn = c.build("wang_cnn", width=cfg.width, iterations=0)  # no iterations of the second step: the network alone
run = c.fit(cnn, train, few, cfg.seconds)
print(f"{run.steps} steps, {sum(p.numel() for p in cnn.parameters()):,} parameters")
figures.curves(run, levels)

# %% [markdown]
# Compare the curve with the dashed lines: it lies far below CG-SENSE and TV, and it is no longer climbing fast. What is
# missing? Apply $A$ to the network's image and compare with the data. A method that solves a least-squares problem
# fits them. The network was never asked.

# %%
with torch.no_grad():
    misfit = {}
    for name, method in {**classic, "CNN": cnn}.items():
        image = method(sample.kspace, sample.A)
        misfit[name] = ((sample.A(image) - sample.kspace).norm() / sample.kspace.norm()).item()
        print(f"{name:12} ||A x - y|| / ||y|| = {misfit[name]:.3f}")
assert misfit["CNN"] > 2 * misfit["tuned TV"]

# %% [markdown]
# **The network looks at the data once**, when the zero-filled image is made, and never again. A quarter of k-space was
# *measured*, and it changes even that.

# %% [markdown]
# ## 11. Wang's second step: the network as a reference
#
# The paper's second idea is the one that lasted. Use the network's image $r$ as the *start* and as a *reference* of a
# compressed sensing problem:
#
# $$ \min_x\; \tfrac12\lVert Ax - y\rVert^2 + \lambda_1\lVert Wx\rVert_1 + \tfrac{\lambda_2}{2}\lVert x - r\rVert^2. $$
#
# Where there are data, they speak; where there are none, the network does, and the wavelets $W$ clean up. With
# $\lambda_2 = 0$ it is compressed sensing that merely starts at $r$; with a huge $\lambda_2$ it is the network.
#
# > **Predict 3.** The problem with $\lambda_2 = 0$ is plain compressed sensing: coils, wavelets, data. Will it help to
# > add a reference that is itself worse than what this problem finds alone?


# %%
def second_step(lam1, lam2, iterations=30):
    """The trained network, followed by compressed sensing."""
    method = c.build("wang_cnn", width=cfg.width, lam1=lam1, lam2=lam2, iterations=iterations)
    method.load_state_dict(cnn.state_dict())
    return method


lam_alone = c.tune(lambda v: second_step(v, 0.0), few, [0.0003, 0.001, 0.003, 0.01])
lam2 = c.tune(lambda v: second_step(lam_alone, v), few, [0.001, 0.003, 0.01, 0.03, 0.1])
lam1 = c.tune(lambda v: second_step(v, lam2), few, [0.0003, 0.001, 0.003, 0.01])
methods = {
    **classic,
    "CNN": cnn,
    "CNN, then CS": second_step(lam1, lam2),
    "CS from CNN": second_step(lam_alone, 0.0),
}
print(f"lam1 = {lam1}, lam2 = {lam2}; without a reference lam1 = {lam_alone}")

# %%
scores = {}
for split, slices in {"unseen subject": test, "real scan": real}.items():
    scores[split] = {name: c.evaluate(method, slices) for name, method in methods.items()}
    print(f"{split}, effective R = {effective_acceleration(slices[0].mask):.2f}")
    print(c.scores.table(scores[split], baseline="tuned TV"), "\n")
for rows in scores.values():
    assert rows["CNN, then CS"].over(rows["CNN"]).low > 0 > rows["CNN"].over(rows["CG-SENSE"]).high
if run.steps > 400:
    assert scores["unseen subject"]["CNN"].over(scores["unseen subject"]["zero-filled"]).mean > 0
else:
    print(f"{run.steps} steps only: this machine was busy, and the network is not trained. Give it more seconds.")

# %% [markdown]
# Read the table from top to bottom. Once it has had some hundred steps, the network beats the zero-filled image on a person whom it has never seen: it *did*
# learn what smear looks like. It loses to CG-SENSE, which learned nothing and looks at the data in each iteration. Its
# second step, which looks at the data again, gains many decibels on both. The last row has no reference term; what is left of
# the network there is the starting point. Is the reference worth having, and does anything beat TV, which has *one*
# tuned number?

# %%
for split, rows in scores.items():
    print(split)
    for name, other in (("CNN", "zero-filled"), ("CNN, then CS", "CS from CNN"), ("CNN, then CS", "tuned TV")):
        gain = rows[name].over(rows[other])
        verdict = "loses to" if gain.high < 0 else "beats" if gain.low > 0 else "cannot be told from"
        print(f"  {name} {verdict} {other}: {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}]")

# %% [markdown]
# With eight (or four) coils, the data and the wavelets already say more than this small network does, so $\lambda_2$ comes
# out small, and the reference adds little or even harms. In 2016 it was an idea ahead of its network. Its descendants
# are in every later chapter: a quadratic term that pulls $x$ towards what a network proposes *is* the data consistency
# of MoDL, only that MoDL goes back and forth and trains through it.

# %%
shown = ("zero-filled", "CNN", "CNN, then CS", "tuned TV")
scan = real[len(real) // 2]
with torch.no_grad():
    panels = {name: methods[name](scan.kspace, scan.A) for name in shown}
figures.images(panels, scan.image, zoom=(3 * n // 8, 3 * n // 8, n // 4, n // 4))

# %% [markdown]
# ## 12. Depth, width, learning rate
#
# **Exercise 3.** *(15 minutes)* The table below trains variants with the same number of steps from the same seed.
# Before you run it, order them: twice the width; eight layers of 3 x 3 in place of 9-5-5; a learning rate ten times
# as high, ten times as low. Then repeat it with twice the steps. Does the order stay?

# %% [markdown]
# ### Exercise 3, solution

# %%
variants = {
    "9-5-5, width 16": (wang(), 3e-3),
    "9-5-5, width 32": (wang(32), 3e-3),
    "eight 3 x 3, width 16": (stack([3] * 8, 16, nn.ReLU), 3e-3),
    "lr ten times as high": (wang(), 3e-2),
    "lr ten times as low": (wang(), 3e-4),
}
print(f"{'':24}{'weights':>9}{'sees':>6}{'train':>9}{'validation':>12}")
for name, (net, lr) in variants.items():
    torch.manual_seed(3)
    sees = seen(net)
    fit(net, x, truth, lr=lr, steps=cfg.steps)
    with torch.no_grad():
        ends[name] = [mse_loss(net(x[::4]), truth[::4]).item(), mse_loss(net(x_val), truth_val).item()]
    count = sum(p.numel() for p in net.parameters())
    print(f"{name:24}{count:9,}{sees:6}{ends[name][0]:9.4f}{ends[name][1]:12.4f}")
assert ends["lr ten times as high"][0] > 1.2 * ends["9-5-5, width 16"][0]

# %% [markdown]
# With so few steps the learning rate decides more than the architecture does; at ten times the rate the network is not
# worth its name. That is a warning: whoever compares architectures at *one* learning rate compares learning rates. And
# 9-5-5 and eight layers of 3 x 3 see the same 17 pixels, at very different numbers of weights. With another seed
# neighbours in the table may swap: one run is an anecdote.

# %% [markdown]
# ## 13. Break it
#
# The network saw $R = 4$, random lines, and the noise of our simulation. Take each away; all $\lambda$ stay as tuned.

# %%
full = test.prepared(len(test) // 2)
hiss = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))


def scanned(draw, noise=0.0):
    kspace = full.kspace + noise * full.image.abs().max() * hiss
    return c.data.undersample(kspace, full.maps, draw(kspace.shape[-1], 1), full.image)


cases = {
    "as trained": scanned(protocol(R)),
    "R = 8": scanned(protocol(8)),
    "every fourth line": scanned(protocol(R, rule=equispaced)),
    "much more noise": scanned(protocol(R), noise=0.1),
}
broken = {}
print(f"{'PSNR (dB)':20}" + "".join(f"{name:>14}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        broken[case] = {name: c.metrics.psnr(m(s.kspace, s.A), s.image).item() for name, m in methods.items()}
    print(f"{case:20}" + "".join(f"{value:14.2f}" for value in broken[case].values()))
gains = {case: values["CNN"] - values["zero-filled"] for case, values in broken.items()}
assert gains["R = 8"] < gains["as trained"]
assert broken["much more noise"]["CNN"] > broken["much more noise"]["tuned TV"]

# %%
s = cases["R = 8"]
with torch.no_grad():
    panels = {name: methods[name](s.kspace, s.A) for name in shown}
figures.images(panels, s.image)

# %% [markdown]
# At $R = 8$ the smear is stronger than any the network saw. Its gain over the zero-filled image shrinks, and may turn
# into a loss. Noise turns the table round: the network, which never fits the data, hardly notices it, while TV at a $\lambda$ that was
# tuned for clean data falls below the zero-filled image. That is no virtue of the network (ask it for better data, and it
# cannot use them either), but it says which method depends on what. A classical method breaks too; the difference is
# that you can *see* its model, and turn one knob.
#
# **Outlook.** Everything that was wrong with this network has one root: it does not know $A$. Put the step
# "agree with the data" between the layers, train through it, and a few thousand weights are worth far more. That is
# chapter 15.

# %% [markdown]
# ## 14. What the number hides
#
# - **The tables are about one test person and one real scan.** Their intervals say how much *slices* vary.
# - **The network is a function of its training set.** Two persons, one contrast each, changed by simulation.
# - **It was trained for seconds.** "It loses" is a statement about this budget. More time narrows the gap; the misfit
#   to the data stays, because nothing in the loss asks for it.
# - **PSNR rewards caution.** $\ell_2$ training and PSNR are the same quantity. A blurred image can score well.
# - **A structure that is missing in the training set** may be taken for smear, and be removed. No number above would
#   tell.

# %% [markdown]
# ## Quiz
#
# <details><summary><b>1.</b> A network of ten 3 x 3 convolutions without activations. What can it do that one
# 21 x 21 convolution cannot?</summary>
#
# - *More complicated functions*: no, a composition of linear maps is linear.
# - *Nothing*: **right** (away from the border). It has fewer weights, so it can do even less.
# - *See further*: no, both see 21 pixels.
# </details>
#
# <details><summary><b>2.</b> Training loss falls, validation loss rises. What helps?</summary>
#
# - *More steps*: no, that is what made it rise.
# - *More subjects, a smaller network, or stopping early*: **right**, each makes learning by heart harder.
# - *A larger learning rate*: it may hide the effect by noise, and solves nothing.
# </details>
#
# <details><summary><b>3.</b> The loss on one slice does not fall. What do you do first?</summary>
#
# - *Get more data*: no; if one slice cannot be learned, the code or the learning rate is wrong.
# - *Check that input and truth belong together, and try learning rates over powers of ten*: **right**.
# - *Add layers*: a three-layer network passes this gate.
# </details>
#
# <details><summary><b>4.</b> Why does a sigmoid network train slowly at depth?</summary>
#
# - *The exponential is expensive*: by a few percent of the time of a convolution.
# - *Its outputs are bounded*: so are those of tanh, which trains much better.
# - *Each layer multiplies the gradient by at most 1/4*: **right**; see the numbers of section 7.
# </details>
#
# <details><summary><b>5.</b> The network's image has a higher PSNR than CG-SENSE. Does it agree better with the
# data?</summary>
#
# - *Yes, since it is closer to the truth*: no. Distance to the truth and misfit to the data are different things.
# - *No*: **right**; section 10 measured it. Least squares fits the data best by definition, noise included.
# </details>

# %% [markdown]
# ## Wrap-up
#
# - You **built** a network from neurons, and **showed** that linear layers collapse into one.
# - You **computed** receptive fields, and found the formula confirmed by gradients.
# - You **derived** a gradient by hand, and autograd agreed.
# - You **wrote** Adam and a training loop, and passed the one-slice gate first.
# - You **told** underfitting from overfitting on other bodies, and saw what activation and loss decide.
# - You **trained** Wang's CNN, **compared** it honestly, and **broke** it.
#
# **From text to source**: `c.show("wang_cnn")` prints equation, card, code and claims. **Next**: chapter 07 builds
# better image-to-image networks; chapter 15 puts the data inside.

# %%
print(c.show("wang_cnn"))
print(f"\ncomputing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## References
#
# - Rosenblatt (1958). The perceptron: a probabilistic model for information storage and organization in the brain. *Psychol. Rev.* [10.1037/h0042519](https://doi.org/10.1037/h0042519)
# - Rumelhart, Hinton & Williams (1986). Learning representations by back-propagating errors. *Nature* [10.1038/323533a0](https://doi.org/10.1038/323533a0)
# - LeCun, Bengio & Hinton (2015). Deep learning. *Nature* [10.1038/nature14539](https://doi.org/10.1038/nature14539)
# - Kingma & Ba (2015). Adam: a method for stochastic optimization. *ICLR*. [arXiv:1412.6980](https://arxiv.org/abs/1412.6980)
# - Wang Z et al. (2004). Image quality assessment: from error visibility to structural similarity. *IEEE Trans. Image Process.* [10.1109/TIP.2003.819861](https://doi.org/10.1109/TIP.2003.819861)
# - Wang S et al. (2016). Accelerating magnetic resonance imaging via deep learning. *IEEE Int. Symp. Biomed. Imaging* [10.1109/ISBI.2016.7493320](https://doi.org/10.1109/ISBI.2016.7493320)
# - Montalt-Tordera et al. (2021). Machine learning in MRI: image reconstruction. *Phys. Med.*, sections 1.2 and 2.1. [10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
