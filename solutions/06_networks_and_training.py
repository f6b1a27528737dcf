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
# 1. **Build** a network from one neuron, **show** why it needs a non-linearity, and **use** it on complex images
#    (exercise 1, sections 1 and 2).
# 2. **Compute** the receptive field and the number of weights of a stack of convolutions (exercise 2, question 6).
# 3. **Derive** a gradient by hand and **verify** it against autograd (exercise 3).
# 4. **Write** Adam and a step of training, and **test** them on one slice first (exercises 4 and 5).
# 5. **Tell** underfitting from overfitting, and **choose** activation and loss (sections 6 to 8, exercise 6).
# 6. **Train** the first CNN for MRI reconstruction, **compare** it with tuned classics, and **break** it (sections 10
#    to 13, the slider, question 5).
#
# **You need** matrices, derivatives and Python; chapters 02 (inverse problems), 03 (coils) and 05 (compressed sensing)
# help. **Time**: about 80 minutes of reading and thinking, and 70 for the exercises. **Computing**: under 25 s (`ci`),
# under 150 s (`cpu`), on two cores.

# %%
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import conv2d, mse_loss, unfold

import course_lib as c
from course_lib import Reconstructor, blocks, losses, ops, solve
from course_lib.blocks import ConvGRU, as_complex, as_real
from course_lib.experiments.activations import ACTIVATIONS, first_gradient, network
from course_lib.experiments.training import epochs
from course_lib.profiles import profile
from course_lib.sampling import effective_acceleration, equispaced, protocol
from course_lib.teach import check, figures, quiz, slider, training, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    slices: int  # training slices for the loops written by hand
    steps: int  # of each of those loops
    seconds: float  # for the network that is evaluated
    width: tuple[int, int]  # channels of its two hidden layers
    few: int  # at most so many slices are tuned on
    tested: int  # at most so many slices of a kind are evaluated
    tv: int  # iterations of total variation


cfg = {
    "ci": Settings(12, 60, 4.0, (32, 16), 2, 4, 40),
    "cpu": Settings(60, 150, 40.0, (64, 32), 4, 6, 80),
    "gpu": Settings(300, 2000, 300.0, (64, 32), 12, 12, 80),
}[profile().name]
torch.manual_seed(6)
for name, value in {"profile": profile().name, **vars(cfg)}.items():
    print(f"{name:10}{value}")

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
strip = profile().strip
train = c.data.slices("train", protocol(R), training=True, strip=strip)
validation = c.data.slices("val", protocol(R))
test, real = (c.data.slices(split, protocol(R)) for split in ("test", "real"))
for name, split in {"train": train, "validation": validation, "test": test, "real": real}.items():
    people = sorted({file.split("/")[-1].split("_")[0] for file in split.files})
    print(f"{name:11}{len(split):4} slices of {', '.join(people)}")
found = [effective_acceleration(s.mask) for s in test]
print(f"R = {R}, effective {sum(found) / len(found):.2f} ({min(found):.2f} to {max(found):.2f}) on the test subject")

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
# the imaginary part over as **two channels**, as colour images have three. (The *batch*, the first axis, holds several
# images that are treated at once.)
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `on_complex(net, image)`: it uses a network that maps `(batch, 2, height, width)` to the same shape on a
# > complex image `(batch, height, width)`, and returns a complex image. A gradient must get through.
# >
# > <details><summary>Hint 1</summary>`image.real` and `image.imag` are images of their own. `torch.stack` puts them
# > side by side along a new axis.</details>
# > <details><summary>Hint 2</summary>The new axis is number 1, after the batch. What comes out has the real part in
# > `[:, 0]`.</details>
# > <details><summary>Hint 3</summary>`torch.complex(real, imaginary)` puts them together. Whatever goes through
# > numpy, or is detached, has no gradient.</details>


# %%
def on_complex(net, image):
    """A real network of two channels, used on complex images (batch, height, width)."""
    #: solution
    channels = torch.stack([image.real, image.imag], dim=1)
    real, imaginary = net(channels).unbind(dim=1)
    return torch.complex(real, imaginary)
    #: end


check.ch06_complex(on_complex)

# %%
on_complex = use(on_complex, check.ch06_complex)

# %% [markdown] tags=["solution"]
# **Analysis.** `torch.view_as_real` gives the same numbers with the channel *last*; it must be moved, a reshape only
# renames axes. Magnitude and phase as two channels would be a bad choice: the phase jumps from $\pi$ to $-\pi$ where
# the image does not, and means nothing where the image is dark.

# %% [markdown]
# The price of two channels: nothing tells the network that they belong together. Turn the phase of the input, and the
# output need not turn with it. Chapter 08 returns to that. (`nn.Conv2d` is one layer of a network, not trained yet here;
# sections 1 to 3 build it up.)

# %%
net = nn.Conv2d(2, 2, 9, padding=4)
with torch.no_grad():
    turned, plain = on_complex(net, 1j * zero_filled), on_complex(net, zero_filled)
gap = ((turned - 1j * plain).norm() / plain.norm()).item()
print(f"f(ix) and i f(x) differ by {gap:.1f} times |f(x)|")
assert gap > 0.1

# %% [markdown]
# From here on the library does it: `as_real` and `as_complex` are the two halves of your function.


# %%
def pairs(slices, picked):
    """Zero-filled images and truths of some slices as two channels, (number, 2, height, width) each."""
    samples = [slices[i] for i in picked]
    return torch.cat([as_real(s.A.H(s.kspace)) for s in samples]), torch.cat([as_real(s.image) for s in samples])


spread = torch.linspace(0, len(train) - 1, cfg.slices).long().tolist()
x, truth = pairs(train, spread)
bands = c.data.slices("val", protocol(R), strip=strip)
x_val, truth_val = pairs(bands, range(len(bands)))
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
# of **convolutions**: layers that apply the same neurons to the patch around every pixel. `nn.Conv2d(2, 16, 3)` has 16
# neurons that look at 3 x 3 pixels in 2 channels, and gives 16 channels; the weights of one neuron are a *kernel*. We put a
# single white pixel through two of them, read off the answer, and use it as the kernel of *one* convolution.

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
# One bend is enough. The ReLU (rectified linear unit), $\sigma(t) = \max(t, 0)$, makes the network a different linear
# filter in each region of its inputs, and *that* allows it to treat edge and ghost differently. (Without biases a ReLU
# network still obeys $f(2x) = 2f(x)$, which is a nice property for images that come in any unit.)
#
# How many filters are that? Each hidden neuron is on or off. A pixel of the output of these two layers looks at 9
# places of 16 channels, so at 144 neurons: at most $2^{144}$ patterns, each with its own linear filter of 5 x 5 pixels.
# Far from all of them can be reached, since the 144 depend on only 50 inputs. We count those in one image.

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
# The library measures this claim of the review on trained networks (`python -m course_lib experiments 11`): five
# convolutions keep it exactly. A network that *pools* (joins 2 x 2 pixels into one coarse pixel, chapter 07) breaks it for
# shifts that are no whole number of its coarse pixels.
#
# ### How far does it see?
#
# The pixels of the input that one pixel of the output depends on are its **receptive field**. A layer with kernel 3
# sees one pixel to each side; a second one sees one more. A layer with a **stride** of 2 computes every second pixel
# only, so that a step of one pixel in the next layer is two pixels of the input.
#
# > **Exercise 2** · core · 10 minutes · importance ★★☆
# >
# > Write `receptive_field(kernels, strides)`: the width, in pixels, of what one output pixel sees. Both are lists with
# > one number a layer, the first layer first: `receptive_field([3, 3], [1, 1])` is 5.
# >
# > <details><summary>Hint 1</summary>Without strides: start with the pixel itself; each layer adds $k - 1$.</details>
# > <details><summary>Hint 2</summary>With strides: each layer adds $(k - 1)$ steps. How many pixels of the input is one
# > step of that layer?</details>
# > <details><summary>Hint 3</summary>One step is the product of the strides of all layers *before*. Keep it in a
# > variable, and multiply it by the layer's own stride after you have added the layer.</details>


# %%
def receptive_field(kernels, strides):
    """Width in pixels of what one output pixel depends on; one kernel and one stride a layer, first layer first."""
    #: solution
    width, step = 1, 1
    for kernel, stride in zip(kernels, strides):
        width += (kernel - 1) * step
        step *= stride
    return width
    #: end


check.ch06_field(receptive_field)

# %%
receptive_field = use(receptive_field, check.ch06_field)

# %% [markdown]
# A formula is one thing. Which input pixels have a gradient when you differentiate *one* output pixel? (PyTorch
# differentiates by itself, with `backward()`: that is *autograd*. "The idea", below, says how.)


# %%
def seen(net, size=65):
    """Columns of the input that the middle pixel of the output depends on."""
    image = torch.randn(1, 2, size, size, requires_grad=True)
    out = net(image)
    out[..., out.shape[-2] // 2, out.shape[-1] // 2].sum().backward()
    return int((image.grad.abs().sum((0, 1, 2)) > 0).sum())


def stack(kernels, width=8, act=nn.LeakyReLU, strides=None):
    """Convolutions with the given kernels, `act` between them."""
    widths, strides = [2, *[width] * (len(kernels) - 1), 2], strides or [1] * len(kernels)
    layers = [
        (nn.Conv2d(a, b, k, s, padding=k // 2), act()) for a, b, k, s in zip(widths, widths[1:], kernels, strides)
    ]
    return nn.Sequential(*[part for both in layers for part in both][:-1])


for kernels, strides in (([3] * 3, [1] * 3), ([9, 5, 5], [1] * 3), ([3] * 8, [1] * 8), ([3] * 4, [2, 2, 1, 1])):
    formula, found = receptive_field(kernels, strides), seen(stack(kernels, strides=strides))
    print(f"kernels {kernels}, strides {strides}: the formula says {formula}, the gradient {found}")
    assert formula == found

# %% [markdown] tags=["solution"]
# **Analysis.** From the other end it is one line a layer: $w \leftarrow (w - 1)s + k$, the last layer first. Strides
# let a network see far with few layers, and that is what a U-Net (chapter 07) does; its price is that it keeps
# only shifts by whole coarse pixels.

# %% [markdown]
# Three large kernels see as far as eight small ones, and four small ones of which two have a stride see farther than
# either. And all of them see a part of a row, while the smear of aliasing runs along the whole of it. So the network
# cannot *undo* aliasing, as SENSE does. It can only learn what smear looks like.

# %% [markdown]
# ## The idea
#
# A network is a function with thousands of numbers in it. Choosing them is called training, and it is nothing but
# minimisation: write down a loss, compute its gradient with respect to every number, take a small step downhill,
# repeat. Three things make it work. The gradient of a long chain of simple functions costs hardly more than the chain
# itself (the chain rule, applied from the end: backpropagation). Steps may be taken from a few images at a time
# (stochastic gradient descent, SGD): the direction is noisy, but each step is cheap. And the numbers that fit the training
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

# %% [markdown]
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `gradient(W, P, T)`: the derivative of $L$ with respect to the weights `W` `(out, in)`, for patches `P`
# > `(in, pixels)` and a truth `T` `(out, pixels)`. By hand: no autograd. $N$ is the number of all numbers in $T$.
# >
# > <details><summary>Hint 1</summary>Forward first: `Z = W @ P`. You need `Z` twice: for the error, and to know where
# > the ReLU was on.</details>
# > <details><summary>Hint 2</summary>`Z > 0` is 1 where the error passes, and 0 where it stops.</details>
# > <details><summary>Hint 3</summary>The result has the shape of `W`, so the last step must be `dZ @ P.T`.</details>


# %%
def gradient(W, P, T):
    """dL/dW of L = mean((relu(W P) - T)^2); W (out, in), P (in, pixels), T (out, pixels)."""
    #: solution
    Z = W @ P
    dZ = 2 / T.numel() * (Z.relu() - T) * (Z > 0)
    return dZ @ P.T
    #: end


check.ch06_gradient(gradient)

# %%
gradient = use(gradient, check.ch06_gradient)

# %% [markdown]
# Is it also the gradient of a convolution, as PyTorch computes it?

# %%
W = (0.1 * torch.randn(2, 2, 9, 9)).requires_grad_()
loss = (conv2d(x[:1], W, padding=4).relu() - truth[:1]).square().mean()
loss.backward()
by_hand = gradient(W.detach().flatten(1), patches(x[:1])[0], truth[0].flatten(1)).reshape(W.shape)
difference = ((by_hand - W.grad).norm() / W.grad.norm()).item()
print(f"by hand and by autograd: they differ by {difference:.0e} of the gradient's size")
assert difference < 1e-4

# %% [markdown] tags=["solution"]
# **Analysis.** Whatever shape the layer has, backpropagation has these two halves: the error passes through the
# activation (times its slope), and meets what went into the layer. A deeper network adds a third: `W.T @ dZ` is the
# error that the layer below receives.

# %% [markdown]
# Where every $Z$ is below zero, the gradient is zero, and that neuron never moves again: a *dead* ReLU. The leaky ReLU
# lets a small part through (in section 7 a tenth), and the sigmoid, $1/(1 + e^{-t})$, has its own way to die, as section
# 7 shows.

# %% [markdown]
# ## 5. The training loop
#
# Plain SGD takes the step $\theta \leftarrow \theta - \eta\, g$, with the gradient $g$ of the loss and a *learning rate*
# $\eta$ (`lr` in the code). Adam (Kingma & Ba 2015) keeps two running means for each number: of the gradient, $m$, which
# smooths the noise, and of its square, $v$, which makes the step about $\eta$ whatever the gradient's size. In step
# $t = 1, 2, \dots$
#
# $$ m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2, \qquad
# \theta \leftarrow \theta - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}, $$
#
# with $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\epsilon = 10^{-8}$. Both means start at 0 and are too small at first; the
# divisions by $1 - \beta^t$ correct that.
#
# > **Exercise 4** · core · 10 minutes · importance ★★☆
# >
# > Write `adam(theta, g, m, v, t, lr)`. It returns the new `theta`, `m` and `v`, and leaves its inputs as they are.
# >
# > <details><summary>Hint 1</summary>Three lines, in the order of the formulas: the step uses the *new*
# > means.</details>
# > <details><summary>Hint 2</summary>The corrected means are for the step only. `m` and `v` are handed on without the
# > correction.</details>


# %%
def adam(theta, g, m, v, t, lr):
    """One step of Adam, the t-th (t = 1, 2, ...): the new theta, m and v."""
    #: solution
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    theta = theta - lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return theta, m, v
    #: end


check.ch06_adam(adam)

# %%
adam = use(adam, check.ch06_adam)

# %% [markdown]
# In PyTorch the numbers know their gradient (`p.grad`), and an `optimiser` knows the numbers, $m$ and $v$. One step of
# training is then always the same few lines, and each of them can be forgotten.
#
# > **Exercise 5** · core · 10 minutes · importance ★★★
# >
# > Write `train_step(net, optimiser, x, truth, loss)`: one step of training on a batch. It returns the loss before the
# > step as a plain number.
# >
# > <details><summary>Hint 1</summary>Output, loss, gradients, step. And `backward` *adds* to the gradients that are
# > there.</details>
# > <details><summary>Hint 2</summary>`optimiser.zero_grad()`, `value = loss(net(x), truth)`, `value.backward()`,
# > `optimiser.step()`.</details>
# > <details><summary>Hint 3</summary>`value.item()` is a plain number. `value` itself holds on to everything that was
# > computed on the way to it.</details>


# %%
def train_step(net, optimiser, x, truth, loss):
    """One step of training; returns the loss before it, as a number."""
    #: solution
    optimiser.zero_grad()
    value = loss(net(x), truth)
    value.backward()
    optimiser.step()
    return value.item()
    #: end


check.ch06_step(train_step)

# %%
train_step = use(train_step, check.ch06_step)


def fit(net, x, truth, lr=3e-3, steps=cfg.steps, loss=mse_loss, rule=torch.optim.Adam, watch=None):
    """Train on one random image a step; returns the losses, and what `watch` says every tenth step."""
    optimiser, values, said = rule(net.parameters(), lr=lr), [], []
    for t in range(1, steps + 1):
        i = torch.randint(len(x), (1,))
        values.append(train_step(net, optimiser, x[i], truth[i], loss))
        said += [watch()] if watch and t % 10 == 0 else []
    return values, said


# %% [markdown] tags=["solution"]
# **Analysis.** Few of these mistakes raise an error. Without `zero_grad` the step follows the *sum* of all gradients so
# far: that trains, badly, and looks like a learning rate that is too high. A `step` at the start does nothing the first
# time, and is one image late ever after. A `zero_grad` between `backward` and `step` trains nothing at all. (Only a
# `step` between the forward pass and `backward` makes PyTorch complain.)

# %% [markdown]
# Is our Adam *the* Adam? Same start, same image, 20 steps by hand and 20 by `fit`.

# %%
mine, theirs = stack([3, 3], width=4), stack([3, 3], width=4)
theirs.load_state_dict(mine.state_dict())
memory = {p: (torch.zeros_like(p), torch.zeros_like(p)) for p in mine.parameters()}
for t in range(1, 21):
    gradients = torch.autograd.grad(mse_loss(mine(x[:1]), truth[:1]), list(memory))
    with torch.no_grad():
        for (p, (m, v)), g in zip(list(memory.items()), gradients):
            moved, *memory[p] = adam(p, g, m, v, t, 3e-3)
            p.copy_(moved)
fit(theirs, x[:1], truth[:1], steps=20)
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
for name, rule, lr in (("SGD", torch.optim.SGD, 0.1), ("Adam", torch.optim.Adam, 3e-3)):
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
for name, picked in {"2 slices": [0, len(x) - 1], f"{len(x)} slices": list(range(len(x)))}.items():
    torch.manual_seed(1)
    net = wang()

    @torch.no_grad()
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
# Two bands hold only a few times as many numbers as this small network has weights (see the print), so it learns them by
# heart, and what it learned is of little use on the next body. More subjects are the best cure; a smaller network, early
# stopping and augmentation (bands at random places and a new mask at each visit, which `training=True` gives us) are the
# others.

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
# gives each activation the better of two learning rates, judged by the loss after the race. One *epoch* is one pass over
# all training images.

# %%
race = {}
for name, (act, gain) in ACTIVATIONS.items():
    starts = [epochs(network(act, gain, 0), small, small_truth, lr) for lr in (1e-3, 3e-3)]
    race[name] = min(([next(run) for _ in range(5)] for run in starts), key=lambda losses: losses[-1])
assert race["ReLU"][-1] < race["tanh"][-1] < race["sigmoid"][-1]
training.losses(race, "epoch", "training loss", levels={"zero-filled": mse_loss(small, small_truth).item()})

# %% [markdown]
# This is one seed. `python -m course_lib experiments 12` measures the claim with five, and with learning rates tuned on
# yet another seed. Look at the tanh before you repeat that "ReLU is better": what kills the sigmoid is its slope of 1/4
# and its mean of 1/2, and tanh, with slope 1 at 0, has neither. It is slower than ReLU, and it does train.

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

NUMBERS = {"NRMSE": c.metrics.nrmse, "SSIM": c.metrics.ssim, "HFEN": c.metrics.hfen}


@torch.no_grad()
def judged(net, inputs, truths):
    """The relative error of the complex images, and the mean metrics of their magnitudes."""
    z, t = as_complex(net(inputs)), as_complex(truths)
    return {"complex": ((z - t).norm() / t.norm()).item()} | {k: f(z, t).mean().item() for k, f in NUMBERS.items()}


print(f"{'':10}{'trained with':16}{'complex':>8}" + "".join(f"{name:>8}" for name in NUMBERS))
for people, (inputs, truths) in {"training": (x[::4], truth[::4]), "others": (x_val, truth_val)}.items():
    for name, net in trained.items():
        quality[people, name] = judged(net, inputs, truths)
        print(f"{people:10}{name:16}" + "".join(f"{value:8.3f}" for value in quality[people, name].values()))
assert min(trained, key=lambda name: quality["training", name]["complex"]) == "l2"
assert max(trained, key=lambda name: quality["training", name]["SSIM"]) == "SSIM"
assert quality["others", "SSIM"]["complex"] > 1 > quality["others", "l2"]["complex"]
with torch.no_grad():
    panels = {name: on_complex(net, zero_filled) for name, net in trained.items()}
figures.images(panels, sample.image, zoom=(3 * n // 8, n // 4, n // 4, n // 4))

# %% [markdown]
# Read the upper half by columns. On the images it was trained on, the network trained with $\ell_2$ has the lowest
# complex error, and the one trained with SSIM the highest SSIM: each wins the number that it was asked for. "Network A
# beats network B" means little until you know both losses. The lower half, other bodies, need not repeat that order.
#
# And the blur? HFEN (high-frequency error norm) compares edges only; lower is better. Theory says that $\ell_2$ blurs
# most. After so few steps no loss is sharp: three layers that see 17 pixels blur more than any choice of loss.
# (`losses.l1` of complex images takes the modulus of the difference, so that the phase counts.)
#
# SSIM, NRMSE and HFEN see magnitudes only, and the network trained with SSIM put an arbitrary phase under them: its
# complex error exceeds the image itself. Never use it alone where phase carries meaning, as in flow or temperature
# imaging, or where a step that uses $A$ follows.

# %% [markdown]
# ## 9. Two more words you will meet
#
# **Normalisation.** Batch normalisation makes each channel zero-mean and unit-variance over a batch, instance
# normalisation over one image; both keep signals in the range where activations work, and both throw away the image's
# scale, which is why they are used with care in reconstruction.
#
# **Recurrence.** A recurrent network applies *one* cell again and again, and passes a **hidden state** on: a memory. The
# steps may be frames in time, or *iterations of an algorithm*. The library's `ConvGRU` (a *gated recurrent unit* of
# convolutions) has an image as its memory, and gates, learned like everything else, that decide what is kept.

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
# Wang et al. (2016) trained three convolutions, a small convolutional neural network (CNN), to turn the zero-filled
# image into the full one, with the squared error. Here is the network as the library has it. `forward` is the
# reconstruction: after the network comes a second step, for section 11; with `iterations=0` it is left out. `loss` is
# what training minimises.


# %% tags=["same:course_lib.methods.restore.wang_cnn.WangCNN"]
class WangCNN(Reconstructor):
    def __init__(self, width=(64, 32), lam1=1e-3, lam2=0.1, iterations=30):
        super().__init__()
        self.lam1, self.lam2, self.iterations = lam1, lam2, iterations
        layers = nn.Conv2d(2, width[0], 9, padding=4), nn.ReLU(), nn.Conv2d(width[0], width[1], 5, padding=2)
        self.f = blocks.OnComplex(nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(width[1], 2, 5, padding=2)))

    def forward(self, y, A):
        W, AHy = ops.Wavelet(), A.H(y)
        r = self.f(AHy)
        grad = lambda z: A.N(z) - AHy + self.lam2 * (z - r)
        prox = lambda v, step: W.H(solve.soft(W(v), step * self.lam1))
        return solve.fista(grad, prox, r, step=1 / (1 + self.lam2), iterations=self.iterations)

    def loss(self, sample):
        return losses.mse(self.f(sample.A.H(sample.kspace)), sample.image)


# %% [markdown]
# First the rivals: tuned, as always, on validation data.


# %%
def some(slices, most):
    """At most so many slices, spread over all."""
    return [slices[i] for i in torch.linspace(0, len(slices) - 1, min(most, len(slices))).long().tolist()]


few = some(validation, cfg.few)
steps_cg = int(c.tune(lambda k: c.build("sense_cg", iterations=int(k)), few, [2, 4, 6, 9, 13, 19, 28]))
lam_tv = c.tune(lambda v: c.build("cs_tv", lam=v, iterations=cfg.tv), few, [0.0005, 0.001, 0.002, 0.004, 0.008])
classic = {
    "zero-filled": c.build("zero_filled"),
    "CG-SENSE": c.build("sense_cg", iterations=steps_cg),
    "tuned TV": c.build("cs_tv", lam=lam_tv, iterations=cfg.tv),
}
levels = {name: c.evaluate(method, few).mean("psnr") for name, method in classic.items()}
print(f"tuned on {len(few)} slices: CG-SENSE: {steps_cg} iterations; TV: lambda = {lam_tv}")

# %% [markdown]
# Now train, with the library's `fit`. It does what our loop does, with a learning rate that rises and falls, a clock,
# and the best weights kept.

# %%
torch.manual_seed(0)
cnn = WangCNN(cfg.width, iterations=0)  # no iterations of the second step: the network alone
run = c.fit(cnn, train, few, cfg.seconds)
print(f"{run.steps} steps, {sum(p.numel() for p in cnn.parameters()):,} weights")
learned = run.steps > 250
if not learned:
    print("So few steps: this machine was busy. What the text says about the trained network need not hold.")
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
assert not learned or misfit["CNN"] > 1.5 * misfit["tuned TV"]

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
    method = WangCNN(cfg.width, lam1, lam2, iterations)
    method.load_state_dict(cnn.state_dict())
    return method


lam_alone = c.tune(lambda v: second_step(v, 0.0), few, [0.0003, 0.001, 0.003, 0.01, 0.03])
lam2 = c.tune(lambda v: second_step(lam_alone, v), few, [0.0003, 0.001, 0.003, 0.01, 0.03])
lam1 = c.tune(lambda v: second_step(v, lam2), few, [0.0003, 0.001, 0.003, 0.01, 0.03])
methods = {
    **classic,
    "CNN": cnn,
    "CNN, then CS": second_step(lam1, lam2),
    "CS from CNN": second_step(lam_alone, 0.0),
}
print(f"lam1 = {lam1}, lam2 = {lam2}; without a reference lam1 = {lam_alone}")

# %%
scores = {}
for split, slices in {"unseen subject": some(test, cfg.tested), "real scan": some(real, cfg.tested)}.items():
    scores[split] = {name: c.evaluate(method, slices) for name, method in methods.items()}
    found = [effective_acceleration(s.mask) for s in slices]
    print(f"{split}, effective R = {sum(found) / len(found):.2f} ({min(found):.2f} to {max(found):.2f})")
    print(c.scores.table(scores[split], baseline="tuned TV"), "\n")
for rows in scores.values():
    assert rows["CNN, then CS"].over(rows["CNN"]).low > 0 > rows["CNN"].over(rows["CG-SENSE"]).high
assert not learned or scores["unseen subject"]["CNN"].over(scores["unseen subject"]["zero-filled"]).mean > 0

# %% [markdown]
# Read the table from top to bottom. Once it has had some hundred steps, the network beats the zero-filled image on a
# person whom it has never seen: it *did* learn what smear looks like. It loses to CG-SENSE, which learned nothing and
# looks at the data in each iteration. Its second step, which looks at the data again, gains many decibels. The last
# row has no reference term; what is left of the network there is the starting point. Is the reference worth having,
# and does anything beat TV, which has *one* tuned number?

# %%
for split, rows in scores.items():
    print(split)
    for name, other in (("CNN", "zero-filled"), ("CNN, then CS", "CS from CNN"), ("CNN, then CS", "tuned TV")):
        gain = rows[name].over(rows[other])
        verdict = "loses to" if gain.high < 0 else "beats" if gain.low > 0 else "cannot be told from"
        print(f"  {name} {verdict} {other}: {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}]")

# %% [markdown]
# With eight (or four) coils, the data and the wavelets already say more than this small network does, so $\lambda_2$
# comes out at the small end of its grid, and the reference adds little or even harms. In 2016 it was an idea ahead of its
# network. Its descendants are in every later chapter: a quadratic term that pulls $x$ towards what a network proposes
# *is* the data consistency of MoDL, only that MoDL goes back and forth and trains through it.

# %%
shown = ("zero-filled", "CNN", "CNN, then CS", "tuned TV")
scan = real[len(real) // 2]
with torch.no_grad():
    panels = {name: methods[name](scan.kspace, scan.A) for name in shown}
figures.images(panels, scan.image, zoom=(3 * n // 8, 3 * n // 8, n // 4, n // 4))

# %% [markdown]
# ## 12. Depth, width, learning rate
#
# The table below trains variants of the network of section 5 with the same number of steps from the same seed.
#
# > **Exercise 6** · stretch · 15 minutes · importance ★★☆
# >
# > Before you run it, order them by their training loss: half the width; eight layers of 3 x 3 in place of 9-5-5; a
# > learning rate ten times as high, ten times as low. Then find out whether the order is the same with half the steps,
# > and with another seed. (Nobody checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`compared` below returns the two losses of each variant. `sorted(table, key=...)`
# > gives their order.</details>

# %%
variants = {
    "9-5-5, width 16": (wang, 3e-3),
    "9-5-5, width 8": (lambda: wang(8), 3e-3),
    "eight 3 x 3, width 16": (lambda: stack([3] * 8, 16, nn.ReLU), 3e-3),
    "lr ten times as high": (wang, 3e-2),
    "lr ten times as low": (wang, 3e-4),
}


def compared(steps, seed):
    """{variant: training and validation loss} after training."""
    found = {}
    for name, (make, lr) in variants.items():
        torch.manual_seed(seed)
        net = make()
        fit(net, x, truth, lr=lr, steps=steps)
        with torch.no_grad():
            found[name] = [mse_loss(net(x[::4]), truth[::4]).item(), mse_loss(net(x_val), truth_val).item()]
    return found


table = compared(cfg.steps, seed=3)
print(f"{'':24}{'weights':>9}{'sees':>6}{'train':>9}{'validation':>12}")
for name, (make, _) in variants.items():
    count = sum(p.numel() for p in make().parameters())
    print(f"{name:24}{count:9,}{seen(make()):6}{table[name][0]:9.4f}{table[name][1]:12.4f}")
assert max(table, key=lambda name: table[name][0]) == "lr ten times as high"

# %% [markdown] tags=["solution"]
# **A solution of exercise 6**, for half the steps.

# %% tags=["solution"]
halved = compared(cfg.steps // 2, seed=3)
for name, found in {"all steps": table, "half the steps": halved}.items():
    print(f"{name:16}", " < ".join(f"{v} {found[v][0]:.3f}" for v in sorted(found, key=lambda v: found[v][0])))

# %% [markdown]
# A learning rate that is ten times too high costs more than any change of the architecture: at that rate the network is
# not worth its name. That is a warning: whoever compares architectures at *one* learning rate compares learning rates.
# And 9-5-5 and eight layers of 3 x 3 see the same 17 pixels, at very different numbers of weights. With fewer steps or
# another seed, neighbours in the table may swap: one run is an anecdote.

# %% [markdown]
# ## 13. Break it
#
# The network saw $R = 4$, random lines, and the noise of our simulation. Take each away; all $\lambda$ stay as tuned.

# %%
full = test.prepared(len(test) // 2)
hiss = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
size = full.image.abs().max()


def scanned(draw, noise=0.0):
    kspace = full.kspace + noise * size * hiss
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
assert not learned or gains["R = 8"] < gains["as trained"]
noisy = broken["much more noise"]
assert noisy["tuned TV"] < noisy["zero-filled"] and (not learned or noisy["tuned TV"] < noisy["CNN"])

# %% [markdown]
# Between $R = 4$ and $R = 8$ (and below 4): where does the network stop being better than doing nothing?


# %%
@torch.no_grad()
def accelerated(R):
    """Zero-filled and network at an acceleration that the network was not trained for, except R = 4."""
    s = scanned(protocol(R))
    panels = {"zero-filled": s.A.H(s.kspace), "CNN": cnn(s.kspace, s.A)}
    a, b = (c.metrics.psnr(image, s.image).item() for image in panels.values())
    return figures.images(panels, s.image, error_limit=float(size)).saying(
        f"R = {R}, effective {effective_acceleration(s.mask):.2f}: the network gains {b - a:+.2f} dB."
    )


accelerated(4)

# %%
accelerated(8)

# %%
slider("acceleration", accelerated, (2, 3, 4, 5, 6, 8))

# %% [markdown]
# At $R = 8$ the smear is stronger than any the network saw. Its gain over the zero-filled image shrinks, and may turn
# into a loss. Noise turns the table round: the network, which never fits the data, hardly notices it, while TV, with a
# $\lambda$ that was tuned for cleaner data, falls below the zero-filled image. That is no virtue of the network (ask it
# for better data, and it cannot use them either), but it says which method depends on what. A classical method breaks
# too; the difference is that you can *see* its model, and turn one knob.
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

# %%
quiz.choice(
    "1. A network of ten 3 x 3 convolutions without activations. What can it do that one 21 x 21 convolution cannot?",
    right={"nothing": "Away from the border it is one; it has fewer weights, so it can do even less."},
    wrong={
        "more complicated functions": "A composition of linear maps is linear (section 2).",
        "see further": "Both see 1 + 10 (3 - 1) = 21 pixels.",
    },
)

# %%
quiz.choice(
    "2. Training loss falls, validation loss rises. What helps?",
    right={
        "more subjects, a smaller network, or stopping early": "Each of them makes learning by heart harder.",
    },
    wrong={
        "more steps": "They made it rise.",
        "a larger learning rate": "It may hide the effect by noise, and solves nothing.",
    },
)

# %%
quiz.choice(
    "3. The loss on one slice does not fall. What do you do first?",
    right={
        "look whether input and truth belong together, then try learning rates over powers of ten": "Both are quick to "
        "check, and both are common.",
    },
    wrong={
        "get more data": "If one slice cannot be learned, more slices cannot either.",
        "add layers": "A network of three layers passes this gate.",
    },
)

# %%
quiz.choice(
    "4. Why does a sigmoid network train slowly at depth?",
    right={"each layer multiplies the gradient by at most 1/4": "See the numbers of section 7."},
    wrong={
        "the exponential is expensive": "Beside a convolution it costs next to nothing, and steps are what is counted.",
        "its outputs are bounded": "So are those of tanh, which trains much better.",
    },
)

# %%
quiz.choice(
    "5. A network's image has a higher PSNR than that of CG-SENSE. Does it agree better with the data?",
    right={"not necessarily": "Distance to the truth and misfit to the data are two things; section 10 measured both."},
    wrong={
        "yes, since it is closer to the truth": "Even the truth does not fit noisy data best: least squares does, with "
        "their noise.",
        "no, never": "Nothing forbids it: methods that put the data inside the network do both.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
full_size = WangCNN()
quiz.number(
    "6. How many numbers are trained in `WangCNN()` with its default widths?",
    sum(p.numel() for p in full_size.parameters()),
    "Each layer has (channels in) x (channels out) x kernel^2 weights and one bias for each channel out.",
    near={
        sum(p.numel() for p in full_size.parameters() if p.ndim > 1): "The biases are missing.",
        len(list(full_size.parameters())): "That is the number of arrays; count what is in them, with `numel()`.",
        sum(p.numel() for p in cnn.parameters()): "That is the network of this profile; take the default widths.",
    },
    tolerance=1e-5,
)

# %% [markdown]
# ## Wrap-up
#
# - You **built** a network from neurons, **showed** that linear layers collapse into one, and **used** it on complex
#   images.
# - You **computed** receptive fields, and found the formula confirmed by gradients.
# - You **derived** a gradient by hand, and autograd agreed.
# - You **wrote** Adam and a step of training, and passed the one-slice gate first.
# - You **told** underfitting from overfitting on other bodies, and saw what activation and loss decide.
# - You **trained** Wang's CNN, **compared** it honestly, and **broke** it.
#
# **From text to source**: `c.show("wang_cnn")` prints equation, card, code and claims. **Next**: chapter 07 builds
# better image-to-image networks; chapter 15 puts the data inside.

# %%
print(c.show("wang_cnn"))
print(f"\ncomputing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## Project
#
# > **Exercise 7** · project · 120 minutes · importance ★★☆
# >
# > You have 60 seconds of training. Spend them: deeper, wider, a larger learning rate, more data, or another loss? Plan at most
# > twelve trainings *before* you run the first, and find the best network for the validation persons; then, once, test it.
# >
# > | points | for |
# > |---|---|
# > | 2 | a plan written first: what each training is meant to tell, and what would end the search |
# > | 2 | equal seconds for all, learning rate chosen for each size; all twelve results listed, also the bad ones |
# > | 3 | the final network, the chapter's and tuned TV on the unseen person and the real scan, paired, with intervals |
# > | 2 | the same final network trained three times: is its lead larger than its luck? |
# > | 1 | one picture of where it fails |
# >
# > <details><summary>Hint 1</summary>Search coarsely first: two values of each, far apart.</details>
# > <details><summary>Hint 2</summary>Never look at the test person while you choose. If you did, say so: the result is then a validation result.</details>

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
