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
# # 02 Reconstruction as an inverse problem
#
# ![Two brain images side by side, one with a bright spot that the other lacks, and the difference of their measured
# data, which is black: zero everywhere.](../docs/02_inverse_problem.png)
#
# One of these two heads has a bright spot. The other has none. The scanner measured both, with every second line, and
# the measured data are **the same, number by number**. **Which of the two is the patient, and who decides?**

# %% [markdown]
# ## What you can do at the end
#
# 1. **Write** the forward model as a matrix and **read** its singular values: what is seen, what hardly, what not at
#    all (sections 1 and 2, question 6).
# 2. **Build** two different images with the same data (section 3, question 2).
# 3. **Predict** how much noise least squares lets into the image, from the singular values alone (section 4,
#    question 3).
# 4. **Regularise** with Tikhonov's lambda (exercise 1) or by stopping early (exercise 3), and **explain** why the two
#    are alike (sections 5 and 7).
# 5. **Choose** lambda in five ways (exercise 2), and **say** what each needs to know (section 6).
# 6. **Write** two solvers (exercises 3 and 4), and **show** that different ones reach the same image (section 9).
# 7. **Judge** a tuned reconstruction on an unseen subject and on a real scan (section 11, question 1).
#
# **You need** matrices, the singular value decomposition and Python. Chapter 01 (Fourier) helps. **Time**: about 80
# minutes of reading and thinking, and an hour of exercises. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on
# two cores. Nothing is trained, so no GPU is needed.

# %%
import platform
import time
from dataclasses import dataclass

import torch

import course_lib as c
from course_lib.data.embedded import real_scan, scanner
from course_lib.data.simulate import axis, cut, sensitivities
from course_lib.ops import Sense, Wavelet, fft2c, ifft2c
from course_lib.profiles import profile
from course_lib.sampling import uniform
from course_lib.solve import fista, ista, pdhg, soft
from course_lib.solve.calibrate import compress, espirit, mix
from course_lib.teach import check, figures, inverse, quiz, slider, use

START = time.perf_counter()


@dataclass(frozen=True)
class Settings:
    size: int  # pixels along each axis of the large real image
    slices: int  # at most so many slices of each split in the final table


cfg = {"ci": Settings(64, 4), "cpu": Settings(128, 12), "gpu": Settings(224, 12)}[profile().name]
torch.manual_seed(2)
for name, value in {"profile": profile().name, **vars(cfg)}.items():
    print(f"{name:10}{value}")
print(f"{'versions':10}Python {platform.python_version()}, torch {torch.__version__}, course_lib {c.__version__}")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $x$ | the image we want, complex, one value a pixel | `x`, `truth` |
# > | $A = MFS$ | the forward model: coil maps, Fourier transform, mask (chapter 03 takes it apart) | `A` |
# > | $E$ | the same, written out as a matrix | `E` |
# > | $A^H$ | its adjoint, from data to image | `A.H` |
# > | $y = Ax + n$ | the measured data | `y` |
# > | $n$, $\sigma$ | noise, and its standard deviation in one complex sample | `noise`, `sigma` |
# > | $E = U\,\mathrm{diag}(s)\,V^H$ | singular value decomposition (SVD) | `U, s, Vh` |
# > | $N = E^HE$ | the normal operator (in the code, `N` is the 24 of the small image) | `normal`, `A.N` |
# > | $R$ | acceleration: all lines over measured lines | `R` |
# > | $\lambda$ | weight of the regularisation | `lam` |

# %% [markdown]
# ## The data
#
# One slice of a real brain, measured in every line of k-space with 13 channels (test data of PyQMRI, Maier et al. 2020,
# under the Apache-2.0 licence; what we did to it is written in `data/PROVENANCE.md`). A *channel* or *coil* is one
# receive antenna. It hears places near it loudly and others faintly; how loudly, and with which phase, is its **map**. The
# 13 coils are mixed into 8 *virtual* ones, which saves time (chapter 03, section 9).
#
# For most of the chapter we keep only the **24 x 24 central samples**: a coarse image, but small enough to write every
# matrix down. From that image we *simulate* data, because here we must know the truth and the noise exactly. The end of the
# chapter goes back to large, measured data, with lambda chosen on other people than those we report, **split by subject**.


# %%
def real_image(n):
    """The real scan at n x n pixels, scaled to 1, and smooth maps of 8 virtual coils."""
    scans, _ = real_scan()
    kspace = cut(cut(scans[-1:], n, -1), n, -2)
    place = torch.stack(torch.meshgrid(axis(n), axis(n), indexing="xy"), -1)
    maps = sensitivities(scanner().modes, place)[None]
    maps = mix(compress(kspace, 8)[1], maps)
    maps = maps / maps.abs().square().sum(1, keepdim=True).sqrt()
    image = (espirit(kspace, kernel=4, crop=0).conj() * ifft2c(kspace)).sum(1)
    return image / image.abs().max(), maps


N = 24
truth, maps = real_image(N)
one_coil = torch.ones_like(maps[:, :1])  # a single coil that hears all places alike
print(f"truth {tuple(truth.shape)}, maps {tuple(maps.shape)}")
figures.images({"truth, 24 x 24": truth, "coil 1 hears": maps[:, 0] * truth, "coil 2 hears": maps[:, 1] * truth})

# %% [markdown]
# ## 1. The scanner is a matrix
#
# Everything between image and data is linear: weigh by the coil maps, Fourier transform, keep what was measured. So
# there is a matrix $E$ with $y = Ex$. Its columns are the answers to unit images: one pixel is 1, all others 0. A coarse
# image has 576 pixels, so 576 answers say everything.


# %%
def matrix(R, maps):
    """(measured samples of all coils, pixels) of every R-th line, in double precision."""
    mask = uniform(N, R).double()
    A = Sense(mask, maps.to(torch.complex128))
    unit_images = torch.eye(N * N, dtype=torch.complex128).reshape(-1, N, N)
    measured = mask.expand(1, maps.shape[1], N, N).flatten() > 0
    return A(unit_images).flatten(1).mT[measured]


E = matrix(2, maps)
A = Sense(uniform(N, 2).double(), maps.to(torch.complex128))
x = torch.randn(1, N, N, dtype=torch.complex128)
measured = A(x).flatten()[A.mask.expand(1, 8, N, N).flatten() > 0]
assert torch.allclose(E @ x.flatten(), measured)
print(f"8 coils, R = 2: E is {E.shape[0]} x {E.shape[1]}; it gives the same data as A")
print(f"for a clinical 320 x 320 image it would fill {320**4 * 8 // 2 * 8 / 2**40:.1f} TB: we only ever *apply* A")

# %% [markdown]
# ## 2. What the singular values say
#
# $E = U\,\mathrm{diag}(s)\,V^H$: there are patterns (columns of $V$) that the scanner turns into data patterns (columns
# of $U$), each shrunk by its own factor $s_i$. A pattern with $s = 1$ is seen in full. One with $s = 0.01$ is seen a
# hundred times weaker, under the same noise. One with $s = 0$ is not seen.
#
# > **Predict 1.** Draw the singular values in falling order for one coil and for eight coils, at $R = 1$, 2 and 4. For
# > one coil there is nothing but 1 and 0. Why? And how many are 0?

# %%
values = {}
for coils, m in {"1 coil": one_coil, "8 coils": maps}.items():
    for R in (1, 2, 4, 6):
        s = torch.linalg.svdvals(matrix(R, m))
        values[coils, R] = torch.cat([s, s.new_zeros(N * N - len(s))])
        seen = int((values[coils, R] > 1e-10).sum())
        condition = s[0] / s[-1] if seen == N * N else float("inf")
        print(f"{coils:8} R = {R}: {seen:3d} of {N * N} patterns seen, condition number {condition:.3g}")
        assert seen == (N * N // R if coils == "1 coil" else N * N)
curves = {f"{coils}, R = {R}": v.clamp_min(1e-3).log10().tolist() for (coils, R), v in values.items() if R in (2, 4, 6)}
figures.lines(curves, "pattern, best seen first", "log10 of singular value (-3: or less)")

# %% [markdown]
# **One coil**: lines that were not measured are gone. $R = 2$ leaves half of the patterns, $R = 4$ a quarter; the rest
# is exactly 0. **Eight coils**: every pattern is seen, because a coil's map smears each sample over its neighbours in
# k-space. But *seen* is no yes or no. The curve sinks as $R$ grows, and the condition number $s_1 / s_n$ explodes.
#
# And what are the patterns? Four of those of eight coils at $R = 4$:

# %%
worst = torch.linalg.svd(matrix(4, maps), full_matrices=False)[2].conj()
patterns = {f"s = {values['8 coils', 4][i]:.3f}": worst[i].reshape(1, N, N) for i in (0, 300, 500, 575)}
figures.images(patterns).saying("Each pattern is four pixels in one row.")

# %% [markdown]
# Each pattern is $R$ pixels in one row, a quarter of the width apart: exactly those that a regular mask lays on each
# other. What differs is how the coils hear them. Where they hear the four pixels alike, some mixture of the four can
# hardly be seen, and its $s$ is small. (With random lines the patterns spread over whole rows.)

# %% [markdown]
# ## 3. Two images, the same data
#
# What is not seen can be added to any image without changing the data: it lies in the **null space** of $E$. One coil,
# every second line. We put a bright spot into the head, and keep only that part of it which the scanner cannot see.

# %%
image, _ = real_image(cfg.size)
n, R = cfg.size, 2
A_one = Sense(uniform(n, R), torch.ones(1, 1, n, n, dtype=image.dtype))
u = torch.arange(n) / n
spot = torch.exp(-((u - 0.42)[:, None] ** 2 + (u - 0.7) ** 2) / 2 / 0.02**2)[None] * image.abs().max() * 0.5
invisible = spot - A_one.H(A_one(spot + 0j))  # A A^H = 1 on the measured samples, so this is the projection
twin = image + invisible
difference = (A_one(twin) - A_one(image)).abs().max() / A_one(image).abs().max()
print(f"the images differ by {c.metrics.nrmse(twin, image).item():.3f} (NRMSE), their data by {difference:.1e}")
assert difference < 1e-5 and c.metrics.nrmse(twin, image) > 0.02
hero = {"image 1": image, "image 2": twin, "data 1 - data 2 (as image)": A_one.H(A_one(twin) - A_one(image))}
figures.images(hero, window=(0, 0.4))

# %% [markdown]
# Look closely at image 2. There is a bright spot on the right, and half an image away, on the left, its counterpart of
# opposite sign, which is harder to see. Together they are 0 wherever the mask looks. **No algorithm can find out which
# image is true.** Least squares, compressed sensing (chapter 05), a network with a billion weights: they all get the same
# numbers. Whatever a method shows in the null space comes from its *prior*, what it believes about images. If the belief is
# wrong, the image is wrong, sharply and without a trace in the *residual*, $Ax - y$. In the literature on learning this is
# called a **hallucination** (Bhadra et al. 2021).
#
# So the first question to any reconstruction is: *which part of this was measured?* With one coil the answer is a
# projection. With eight coils it is a matter of degree: what was measured, with which strength, under which noise.

# %% [markdown]
# ## The idea
#
# An inverse problem is **ill-posed** when its answer does not exist, is not unique, or shakes with the data (Hadamard).
# Accelerated MRI has the last two. Least squares repairs existence, minimum norm repairs uniqueness, and
# **regularisation** repairs the shaking: give up patterns that are hardly seen, since what we read there is mostly noise.
# How gently they are given up is a number, $\lambda$ or a count of iterations. Too small a number lets noise in
# (variance), too large a one keeps image out (bias). All methods of this course, networks as well, live on this line.

# %% [markdown]
# ## 4. Least squares, and what noise does to it
#
# Among the images that fit the data best, take the shortest: $\hat x = E^+ y = \sum_i v_i\,\frac{u_i^H y}{s_i}$. With one
# coil this is the zero-filled image, exactly: unseen patterns stay 0. With eight coils and no noise it is perfect, at
# $R = 6$ as well, where the worst seen pattern is 250 times weaker than the best.

# %%
y_one = matrix(2, one_coil) @ truth.to(torch.complex128).flatten()
shortest = torch.linalg.pinv(matrix(2, one_coil)) @ y_one
A1 = Sense(uniform(N, 2), one_coil)
assert torch.allclose(shortest.reshape(1, N, N), A1.H(A1(truth)).to(shortest.dtype), atol=1e-5)

R, sigma = 6, 0.01
E = matrix(R, maps)
U, s, Vh = torch.linalg.svd(E, full_matrices=False)
t = truth.to(torch.complex128).flatten()


def data(x, seed, sigma=sigma):
    """y = E x + n with complex noise of standard deviation sigma."""
    g = torch.Generator().manual_seed(seed)
    return E @ x + sigma * torch.randn(len(E), dtype=x.dtype, generator=g)


def least_squares(y):
    return Vh.mH @ ((U.mH @ y) / s)


def picture(x):
    return x.reshape(1, N, N)


clean, y = E @ t, data(t, seed=0)
figures.images({"least squares, no noise": picture(least_squares(clean)),
                "least squares, noise": picture(least_squares(y))}, truth)  # fmt: skip

# %% [markdown]
# A little noise in the data, and the image is gone, worst where pixels lie on each other that the coils hear alike. The
# formula says so beforehand. Each pattern carries noise of variance $\sigma^2 / s_i^2$, so
# $\mathbb{E}\lVert\hat x - x\rVert^2 = \sigma^2 \sum_i 1/s_i^2$. We measure it with 200 repetitions.

# %%
predicted = (sigma**2 * (1 / s**2).sum()).sqrt().item()
repeated = torch.stack([least_squares(data(t, seed)) - t for seed in range(200)])
measured = repeated.abs().square().sum(1).mean().sqrt().item()
worst_share = ((1 / s**2).sort(descending=True).values[:58].sum() / (1 / s**2).sum()).item()
print(f"error over ||x||: predicted {predicted / t.norm():.3f}, measured {measured / t.norm():.3f}")
print(f"the worst seen tenth of the patterns makes {100 * worst_share:.0f} % of it")
assert abs(measured / predicted - 1) < 0.05 and worst_share > 0.4

# %% [markdown]
# ## 5. Tikhonov: give up gently
#
# $\min_x \lVert Ex - y\rVert^2 + \lambda\lVert x\rVert^2$ has the answer
# $\hat x_\lambda = \sum_i \frac{s_i^2}{s_i^2 + \lambda}\, v_i\,\frac{u_i^H y}{s_i}$. The first fraction is a **filter
# factor**: near 1 where $s_i^2 \gg \lambda$, near 0 where $s_i^2 \ll \lambda$. Now bias and variance can be written
# down, and added up.

# %%
lams = torch.logspace(-5, 1, 61, dtype=torch.float64)


def tikhonov(y, lam):
    return Vh.mH @ (s / (s**2 + lam) * (U.mH @ y))


def parts(lam):
    """Bias^2 and variance of the Tikhonov image, over ||x||^2."""
    bias = (lam / (s**2 + lam) * (Vh @ t).abs()).square().sum()
    variance = (sigma * s / (s**2 + lam)).square().sum()
    return bias / t.norm() ** 2, variance / t.norm() ** 2


bias, variance = (torch.stack(p) for p in zip(*map(parts, lams)))
total = (bias + variance).sqrt()
oracle = int(total.argmin())
print(f"best lambda {lams[oracle]:.1e}: error {total[oracle]:.3f}; without: {total[0]:.3f}; with 10: {total[-1]:.3f}")
assert 0 < oracle < 60 and total[oracle] < 0.9 * total[0]
figures.lines({"bias": bias.sqrt().tolist(), "noise": variance.sqrt().tolist(), "error": total.tolist()},
              "log10 of lambda", "relative to the image", x=lams.log10().tolist(), lowest=True)  # fmt: skip

# %% [markdown]
# Everything is linear, so the image is the sum of what $\lambda$ makes of the clean data and of what it makes of the
# noise.


# %%
def shrunk(lam):
    """The Tikhonov image as the sum of a part from the clean data and a part from the noise."""
    panels = {"truth": truth, "from clean data": picture(tikhonov(clean, lam))}
    panels |= {"from noise": picture(tikhonov(y - clean, lam)), "sum": picture(tikhonov(y, lam))}
    error = (tikhonov(y, lam) - t).norm() / t.norm()
    return figures.images(panels, window=(0, 0.5)).saying(f"lambda {lam:g}: error {error:.3f}.")


shrunk(1e-5)

# %%
shrunk(0.1)

# %% [markdown]
# Small lambda: the image is complete, and drowns in noise. Large lambda: no noise, but a pale image in which heads lie
# on each other again, because the patterns that tell them apart were given up. Which lambda would *you* take? Choose by
# eye in the panel "sum", then look for the lowest error. Do you choose the same?

# %%
slider("lambda", shrunk, (1e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0))

# %% [markdown]
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > $\lambda\lVert x\rVert^2$ pulls every pixel to 0. Pull to an image $x_0$ instead, say an older scan: write
# > `towards(E, y, lam, x0)`, the minimum of $\lVert Ex-y\rVert^2 + \lambda\lVert x - x_0\rVert^2$. E is
# > `(samples, pixels)`, y `(samples,)`, x0 `(pixels,)`; all are complex.
# >
# > <details><summary>Hint 1</summary>At the minimum the gradient is 0: $E^H(Ex - y) + \lambda(x - x_0) = 0$. Bring all
# > that multiplies $x$ to the left.</details>
# > <details><summary>Hint 2</summary>$(E^HE + \lambda I)\,x = E^Hy + \lambda x_0$, the *normal equations*. The adjoint is
# > `E.mH`; `E.mT` lacks the conjugate.</details>
# > <details><summary>Hint 3</summary>`torch.linalg.solve(matrix, right_side)`. Adding a number to a matrix adds it to all
# > entries; the identity is `torch.eye(n)`.</details>


# %%
def towards(E, y, lam, x0):
    """The minimum of |E x - y|^2 + lam |x - x0|^2."""
    #: solution
    left = E.mH @ E + lam * torch.eye(E.shape[1])
    return x0 + torch.linalg.solve(left, E.mH @ (y - E @ x0))
    #: end


check.ch02_towards(towards)

# %%
towards = use(towards, check.ch02_towards)
assert torch.allclose(towards(E, y, 0.01, 0 * t), tikhonov(y, 0.01), atol=1e-6)

# %% [markdown] tags=["solution"]
# **Analysis.** Put $x = x_0 + d$. Then $d$ solves the old problem for the data $y - Ex_0$: what $x_0$ already explains
# is taken away, and only the rest is pulled to 0. Bringing $\lambda x_0$ to the right side gives the same image.

# %% [markdown]
# With $x_0$ a smooth version of the truth, at which lambda is the error lowest: larger than before, or smaller?

# %%
low = torch.zeros_like(picture(t))
low[:, 8:16, 8:16] = fft2c(picture(t))[:, 8:16, 8:16]
x0 = ifft2c(low).flatten()
tried = lams[13:49:5].tolist()
pulled = torch.stack([(towards(E, y, lam, x0) - t).norm() / t.norm() for lam in tried])
best = int(pulled.argmin())
print(f"towards 0:  lowest error {total[oracle]:.3f} at lambda {lams[oracle]:.1e}")
print(f"towards x0: lowest error {pulled[best]:.3f} at lambda {tried[best]:.1e}")
assert pulled[best] < total[oracle] and tried[best] > lams[oracle]

# %% [markdown]
# Larger: what the data say badly now comes from $x_0$, which is closer to the truth than 0 is. So a larger weight pays.

# %% [markdown]
# ## 6. Who tells lambda?
#
# The curve above needed the truth. Five ways, by what they need:
#
# - **Oracle**: the truth itself. A bound, not a method.
# - **Discrepancy principle** (Morozov): the noise level. Take the largest lambda whose residual is no larger than the
#   noise, $\lVert E\hat x - y\rVert^2 = m\,\sigma^2$ for $m$ samples.
# - **L-curve** (Hansen 1992): nothing. Draw $\log\lVert\hat x\rVert$ over $\log\lVert E\hat x - y\rVert$ and take the
#   corner.
# - **Generalised cross-validation** (GCV; Golub, Heath & Wahba 1979): nothing but that the noise is white:
#   independent, and equally strong, in all samples. Leave out one sample, predict it from the others, and take the lambda
#   that predicts best. For all samples in turn this is about
#   $\mathrm{GCV}(\lambda) = \dfrac{m\,\lVert E\hat x_\lambda - y\rVert^2}{(m - \sum_i f_i)^2}$ with
#   $f_i = \frac{s_i^2}{s_i^2 + \lambda}$. The sum of the filter factors counts how many numbers the image has used to
#   fit the data; whoever uses many must fit well.
# - **Validation**: other images with known truth. Take the lambda that is best for them on average. The rest of the
#   course does this.
#
# > **Exercise 2** · core · 15 minutes · importance ★★☆
# >
# > Write `gcv(U, s, y, lam)`, the number GCV($\lambda$). U is `(samples, patterns)` with orthonormal columns, s
# > `(patterns,)`, y `(samples,)`.
# >
# > <details><summary>Hint 1</summary>You do not need $\hat x$, only the data that it explains:
# > $E\hat x_\lambda = U\,\mathrm{diag}(f)\,U^Hy$. The filter factor is the same as that of the image.</details>
# > <details><summary>Hint 2</summary>There are more samples than patterns. A part of $y$ is outside the columns of $U$;
# > no image explains it. `y - U @ (...)` keeps it, `U.mH @ y` alone does not.</details>
# > <details><summary>Hint 3</summary>Squared length of complex numbers: `.abs().square().sum()`. And `m = len(y)`.</details>


# %%
def gcv(U, s, y, lam):
    """Generalised cross-validation of the Tikhonov image for E = U diag(s) V^H: smaller is better."""
    #: solution
    f, m = s**2 / (s**2 + lam), len(y)
    residual = y - U @ (f * (U.mH @ y))
    return m * residual.abs().square().sum() / (m - f.sum()) ** 2
    #: end


check.ch02_gcv(gcv)

# %%
gcv = use(gcv, check.ch02_gcv)

# %% [markdown] tags=["solution"]
# **Analysis.** Left alone, the residual always prefers the smallest lambda. The denominator punishes it for the numbers
# that were fitted: $m - \sum f_i$ is what statisticians call the degrees of freedom of the residual. The noise level
# cancels, so nobody has to know it.

# %%
validation = []
for sample in (c.data.slices("val", c.sampling.protocol(4))[i] for i in (0, 1, 2, 3)):
    small = ifft2c(cut(cut(fft2c(sample.image), N, -1), N, -2)).to(torch.complex128)
    validation.append((small / small.abs().max()).flatten())


def error(lam, x, seed):
    return ((tikhonov(data(x, seed), lam) - x).norm() / x.norm()).item()


residual = torch.stack([(E @ tikhonov(y, lam) - y).norm() for lam in lams])
length = torch.stack([tikhonov(y, lam).norm() for lam in lams])
a, b = residual.log(), length.log()
da, db = (torch.gradient(v)[0] for v in (a, b))
bend = (da * torch.gradient(db)[0] - db * torch.gradient(da)[0]) / (da**2 + db**2) ** 1.5
mean = torch.tensor([sum(error(lam, x, 10 + i) for i, x in enumerate(validation)) for lam in lams])
choice = {
    "oracle": int(torch.tensor([error(lam, t, 0) for lam in lams]).argmin()),
    "discrepancy": int((residual**2 <= len(y) * sigma**2).nonzero().max()),
    "L-curve": 2 + int(bend[2:-2].argmax()),
    "GCV": int(torch.tensor([float(gcv(U, s, y, lam)) for lam in lams.tolist()]).argmin()),
    "validation": int(mean.argmin()),
}
for name, i in choice.items():
    print(f"{name:12} lambda {lams[i]:.1e}   error {error(lams[i], t, 0):.4f}")
inverse.chosen((a / 2.303).tolist(), (b / 2.303).tolist(), choice, "log10 of residual", "log10 of length of the image")

# %% [markdown]
# Four of the five nearly agree, one does not. What a choice costs is the error that it adds to the oracle's:

# %%
for name, i in choice.items():
    more = 100 * (error(lams[i], t, 0) / error(lams[choice["oracle"]], t, 0) - 1)
    print(f"{name:12}{more:6.1f} % more error than the oracle")
assert choice["discrepancy"] > choice["oracle"]
for name in ("L-curve", "GCV", "validation"):
    assert error(lams[choice[name]], t, 0) < 1.15 * error(lams[choice["oracle"]], t, 0)

# %% [markdown]
# The discrepancy principle takes too large a lambda here, always on the safe, smooth side: even the *true* image has a
# residual of $m\sigma^2$, and a good fit with 576 free numbers has less. The L-curve bends only gently here
# (upper left); the program finds the strongest bend, which lies well, but nothing guarantees that. GCV comes as close
# without being told the noise level; noise that is not white, or that coils share, misleads it. Validation comes close,
# since these heads are alike; on other anatomy, or at another noise level, it would not know.
#
# And if the noise level is known badly? You believe that it is 0.4 times what it is, or twice. Which lambda does the
# discrepancy principle take?

# %%
for factor in (0.4, 1.0, 2.0):
    fits = (residual**2 <= len(y) * (factor * sigma) ** 2).nonzero().flatten()
    found = f"lambda {lams[fits.max()]:.1e}" if len(fits) else "no lambda fits so well: the principle has no answer"
    print(f"noise believed {factor} times the true one: {found}")
assert not len((residual**2 <= len(y) * (0.4 * sigma) ** 2).nonzero())

# %% [markdown]
# Believing in too little noise is fatal; believing in too much gives a smooth image that nobody complains about.

# %% [markdown]
# ## 7. Stopping early is regularisation too
#
# An SVD of a large $E$ is out of reach, so we iterate. Gradient descent on $\frac12\lVert Ex-y\rVert^2$ from 0 with
# step $\tau$ has a closed form as well: after $k$ steps the filter factors are $1 - (1 - \tau s_i^2)^k$. Patterns that
# are seen well arrive first. That is Tikhonov with $\lambda \approx 1/(\tau k)$, without ever writing a penalty.
#
# Conjugate gradients (CG) solve $Nx = b$ for a Hermitian positive $N$, here $N = E^HE$ and $b = E^Hy$. They choose each
# direction $p$ so that no later step undoes an earlier one. Start with $r = p = b - Nx$, then repeat
#
# $$\alpha = \frac{\langle r, r\rangle}{\langle p, Np\rangle},\quad x \leftarrow x + \alpha p,\quad
# r_\text{new} = r - \alpha Np,\quad \beta = \frac{\langle r_\text{new}, r_\text{new}\rangle}{\langle r, r\rangle},
# \quad p \leftarrow r_\text{new} + \beta p,\quad r \leftarrow r_\text{new}.$$
#
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `cg(normal, b, x, iterations)`. `normal` is a function that applies $N$; `b` and the start `x` are complex and
# > have any shape, the same. Return the list of all images, one after each iteration.
# >
# > <details><summary>Hint 1</summary>The inner product of complex arrays is $\langle a, b\rangle = \sum \overline{a}\,b$,
# > for instance `torch.vdot(a.flatten(), b.flatten())`.</details>
# > <details><summary>Hint 2</summary>Apply $N$ once an iteration and keep the result: both $\alpha$ and the residual need
# > it. $\beta$ needs the new and the old $\langle r, r\rangle$.</details>
# > <details><summary>Hint 3</summary>Write `x = x + alpha * p`. `x += alpha * p` would change the images that are in the
# > list already.</details>


# %%
def cg(normal, b, x, iterations):
    """The images of conjugate gradients for N x = b, one after each iteration; `normal` applies N."""
    #: solution
    r = p = b - normal(x)
    length, images = r.abs().square().sum(), []
    for _ in range(iterations):
        q = normal(p)
        alpha = length / torch.vdot(p.flatten(), q.flatten()).real
        x = x + alpha * p
        r = r - alpha * q
        length, before = r.abs().square().sum(), length
        p = r + length / before * p
        images.append(x)
    return images
    #: end


check.ch02_cg(cg)

# %%
cg = use(cg, check.ch02_cg)

# %% [markdown] tags=["solution"]
# **Analysis.** One application of $N$, two inner products, three updates: nothing else has to be stored, and that is why
# CG runs on images for which no matrix fits into memory. $\langle p, Np\rangle$ is real since $N$ is Hermitian. If you
# forget the conjugate, the method still runs, and converges on real data. On complex data it wanders.

# %% [markdown]
# > **Predict 2.** Plot the error against the truth over the iterations, for gradient descent and for CG. Which curve
# > turns first? Which goes lower? (Gradient descent is the library's `ista` with a second half that does nothing; section 9
# > explains `ista`.)

# %%
normal, b, step = E.mH @ E, E.mH @ y, (1 / s[0] ** 2).item()
walked = {"gradient descent": [], "conjugate gradients": cg(lambda x: normal @ x, b, 0 * b, 1000)}
ista(lambda x: normal @ x - b, lambda v, _: v, 0 * b, step, 1000,
     watch=lambda x, i: walked["gradient descent"].append(x))  # fmt: skip
track = {name: [((x - t).norm() / t.norm()).item() for x in images] for name, images in walked.items()}
for name, e in track.items():
    best, fit = e.index(min(e)), [((E @ x - y).norm() / y.norm()).item() for x in walked[name]]
    print(f"{name}: error {e[0]:.3f} at first, {e[best]:.3f} at iteration {best + 1} (lowest), {e[-1]:.3f} at the end")
    print(f"    residual {fit[0]:.4f}, {fit[best]:.4f}, {fit[-1]:.4f}")
    assert e[0] > min(e) and e[-1] > 1.02 * min(e)
    assert all(later < before * (1 + 1e-9) for before, later in zip(fit, fit[1:]))
assert track["conjugate gradients"].index(min(track["conjugate gradients"])) < 100
k = [int(i) for i in torch.logspace(0, 3, 60).round().unique()]
figures.lines({n: [e[i - 1] for i in k] for n, e in track.items()}, "log10 of iteration", "error",
              x=[torch.tensor(i).log10().item() for i in k], lowest=True)  # fmt: skip

# %% [markdown]
# Both fall, turn and rise: **semi-convergence**. CG gets there in a few steps, and leaves as fast. Their lowest errors
# are nearly the same, and nearly that of the best Tikhonov image. Which of the three you use hardly matters; *that you
# stop* matters. The residual, printed above, falls all the time and says nothing.

# %%
lowest = {name: min(e) for name, e in track.items()} | {"Tikhonov": error(lams[choice["oracle"]], t, 0)}
print(", ".join(f"{name} {e:.3f}" for name, e in lowest.items()))
assert max(lowest.values()) < 1.15 * min(lowest.values())
filters = 1 - (1 - step * s**2) ** 100
similar = s**2 / (s**2 + 1 / (step * 100))
print(f"filter factors after 100 steps and of Tikhonov differ by {(filters - similar).abs().max():.2f} at most")
assert (filters - similar).abs().max() < 0.35

# %% [markdown]
# ## 8. What you believe: the Bayesian view
#
# Say what images are like before you measure, the *prior*: $x \sim p(x)$. After measuring,
# $p(x \mid y) \propto p(y \mid x)\,p(x)$, the *posterior*. The most probable image (**maximum a posteriori**,
# MAP) is $\min_x \frac1{\sigma^2}\lVert Ex - y\rVert^2 - \log p(x)$.
# Tikhonov is the belief that pixels are independent Gaussians of variance $\gamma^2$, with $\lambda = \sigma^2/\gamma^2$.
#
# That is a bad belief: such "images" are white noise. A better one, still Gaussian: low frequencies are strong, high
# ones weak. How strong, the validation images say. Then every frequency has a lambda of its own.

# %%
power = torch.stack([fft2c(picture(x)).abs().square() for x in validation]).mean(0)
spectrum = torch.nn.functional.avg_pool2d(power, 5, 1, 2, count_include_pad=False).flatten()
F = fft2c(torch.eye(N * N, dtype=torch.complex128).reshape(-1, N, N)).flatten(1).mT
precision = normal / sigma**2 + F.mH @ (F / spectrum[:, None])
x_map = torch.linalg.solve(precision, E.mH @ y / sigma**2)
map_error = ((x_map - t).norm() / t.norm()).item()
spread = torch.linalg.inv(precision).diagonal().real.sqrt()
print(f"Tikhonov, best lambda: {lowest['Tikhonov']:.3f}; MAP with the spectrum of other heads: {map_error:.3f}")
expected = (spread.square().sum().sqrt() / t.norm()).item()
print(f"expected by the posterior: {expected:.3f}")
assert expected < map_error < lowest["Tikhonov"]
figures.heat({"standard deviation": picture(spread), "actual error": picture((x_map - t).abs())}, "uncertainty")

# %% [markdown]
# The better belief gives the better image, with no lambda tuned on the truth. And it gives an error bar for each pixel.
# Read it with care: it is right *if the belief is right*. Here it promises less error than there is: this head is not
# quite like those that made the spectrum. And nothing in it warns of a lesion that no validation image had.
# Every method of this course is a choice of $p(x)$: sparse in wavelets (chapter 05), or whatever a network learned.

# %% [markdown]
# ## 9. The solvers
#
# As soon as the belief is not Gaussian, there is no formula. The review that this course follows (Montalt-Tordera et
# al. 2021, see References) builds, in its section 2.5, all its networks by *unrolling*: a fixed number of iterations of an
# algorithm become the layers of a network, and parts of them are learned (chapter 15). These are the algorithms for
# $\min_x \frac12\lVert Ax-y\rVert^2 + g(x)$:
#
# | name | idea | one iteration |
# |---|---|---|
# | GD, CG | $g$ is smooth: go downhill | $x \leftarrow x - \tau\nabla$; CG never goes back |
# | PGD (ISTA, FISTA) | gradient of the data term, then denoise | $x \leftarrow \mathrm{prox}(x - \tau A^H(Ax - y))$ |
# | HQS (AMA) | split $z \approx x$ with a penalty $\frac\rho2\lVert x - z\rVert^2$ | $z \leftarrow \mathrm{prox}(x)$, solve for $x$ |
# | ADMM | split $z = x$ with a multiplier $u$ that makes it exact | as HQS, then $u \leftarrow u + x - z$ |
# | PDHG | a dual variable for the data; no inner solve | $u$-step with $A$, $x$-step with $A^H$ |
#
# GD is gradient descent, PGD proximal gradient descent, ISTA the iterative shrinkage-thresholding algorithm and FISTA the
# fast one, HQS half-quadratic splitting, AMA the alternating minimisation algorithm, ADMM the alternating direction method
# of multipliers, PDHG the primal-dual hybrid gradient (chapter 16). The *prox* cleans an image a little; its definition
# comes below.
#
# First in two dimensions, where one can watch: a long valley, and for ISTA a *lasso* (least squares with
# $g = \lambda\lVert x\rVert_1$), whose answer has an exact 0.

# %%
Q = torch.tensor([[1.0, 0.85], [0.85, 1.0]])
goal = torch.tensor([1.6, 0.1])
start = torch.tensor([-1.2, 1.4])
gradient = lambda x: (x - goal) @ Q
walks = {"GD": [start], "CG": [start, *cg(lambda x: Q @ x, Q @ goal, start, 2)], "ISTA, with l1": [start]}
keep = lambda name: lambda x, i: walks[name].append(x)
ista(gradient, lambda v, _: v, start, 0.5, 25, watch=keep("GD"))
ista(gradient, lambda v, step: soft(v, 0.5 * step), start, 0.5, 80, watch=keep("ISTA, with l1"))
assert (walks["CG"][-1] - goal).norm() < 1e-4 and walks["ISTA, with l1"][-1].abs().min() == 0
inverse.paths(lambda p: ((p - goal) @ Q * (p - goal)).sum(1), walks, ((-1.6, 2.2), (-0.8, 2.2)))

# %% [markdown]
# GD creeps along the valley; CG needs as many steps as unknowns, two; ISTA walks as GD does and ends where one unknown
# is exactly 0.
#
# Now the real thing: the small image at $R = 3$, $g = \lambda\lVert Wx\rVert_1$ with orthonormal wavelets $W$ (chapter 05;
# here it is enough that $W$ is orthonormal and makes most numbers of an image small). HQS needs two functions.
# `solve(v)` is the minimum of $\frac12\lVert Ax-y\rVert^2 + \frac\rho2\lVert x-v\rVert^2$, exercise 1 with
# $\lambda = \rho$. `prox(v, step)` is the minimum of $\frac12\lVert z-v\rVert^2 + \text{step}\cdot g(z)$: wavelet
# coefficients shrink by $\text{step}\cdot\lambda$, small ones to 0.

# %%
W, lam, rho, n_steps = Wavelet(1), 0.01, 0.1, 100
A = Sense(uniform(N, 3).double(), maps.to(torch.complex128))
y_k = A(picture(t)) + sigma * A.mask * torch.randn(1, 8, N, N, dtype=torch.complex128)
AHy, zero = A.H(y_k), torch.zeros(1, N, N, dtype=torch.complex128)
gram, one = matrix(3, maps).mH @ matrix(3, maps), torch.eye(N * N)
prox = lambda v, step: W.H(soft(W(v), lam * step))


def solver(rho):
    inverted = torch.linalg.inv(gram + rho * one)
    return lambda v: (inverted @ (AHy + rho * v).flatten()).reshape(1, N, N)


def hqs(solve, prox, x, rho, iterations):
    """The images of half-quadratic splitting, one after each iteration."""
    z, images = x, []
    for _ in range(iterations):
        x = solve(z)
        z = prox(x, 1 / rho)
        images.append(x)
    return images


# %% [markdown]
# > **Exercise 4** · core · 10 minutes · importance ★★☆
# >
# > In HQS $x$ and $z$ never meet: the penalty only pulls them together. ADMM keeps an account $u$ of their difference.
# > Write `admm(solve, prox, x, rho, iterations)`. Start with $z = x$, $u = 0$. Repeat: solve for $x$ at $z - u$; clean
# > $x + u$ into $z$; add $x - z$ to $u$. Return the list of all $x$.
# >
# > <details><summary>Hint 1</summary>Copy `hqs`. Three things change.</details>
# > <details><summary>Hint 2</summary>`u` is a sum over all iterations; `torch.zeros_like(x)` begins it.</details>


# %%
def admm(solve, prox, x, rho, iterations):
    """The images of the method of multipliers (ADMM), one after each iteration."""
    #: solution
    z, u, images = x, torch.zeros_like(x), []
    for _ in range(iterations):
        x = solve(z - u)
        z = prox(x + u, 1 / rho)
        u = u + x - z
        images.append(x)
    return images
    #: end


check.ch02_admm(admm)

# %%
admm = use(admm, check.ch02_admm)

# %% [markdown] tags=["solution"]
# **Analysis.** As long as $x$ and $z$ differ, $u$ grows and pushes both, with opposite signs. It rests only when they are
# equal, and then $\rho$ no longer matters for the answer, only for the speed.

# %% [markdown]
# All solvers get the same problem. Do they reach the same image?


# %%
def steps(algorithm, *arguments):
    """The images of a solver of the library, one after each iteration."""
    images = []
    algorithm(*arguments, n_steps, watch=lambda x, i: images.append(x))
    return images


descent = lambda x: A.N(x) - AHy
data_prox = lambda v, step: (v + step * y_k) / (1 + step)  # of 1/2 ||v - y||^2
images = {
    "ISTA": steps(ista, descent, prox, zero, 1.0),
    "FISTA": steps(fista, descent, prox, zero, 1.0),
    "ADMM": admm(solver(rho), prox, zero, rho, n_steps),
    "PDHG": steps(pdhg, A, data_prox, prox, zero, 1.0, 1.0),
    "HQS": hqs(solver(rho), prox, zero, rho, n_steps),
}
objective = lambda x: (0.5 * (A(x) - y_k).abs().square().sum() + lam * W(x).abs().sum()).item()

# %%
reference = fista(descent, prox, zero, 1.0, 600)
least = objective(reference)
for name, found in images.items():
    gap, apart = objective(found[-1]) / least - 1, c.metrics.nrmse(found[-1], reference).item()
    print(f"{name:6} objective {gap:+.1e} above the least; image differs by {apart:.1e}")
    assert (apart < 0.02) == (name != "HQS")
after = torch.tensor([1, 2, 3, 5, 8, 12, 20, 30, 50, 70, 100])
above = {name: torch.tensor([objective(found[k - 1]) for k in after]) / least - 1 for name, found in images.items()}
figures.lines({name: gap.clamp_min(1e-9).log10().tolist() for name, gap in above.items()},
              "log10 of iteration", "log10 of objective above the least", x=after.log10().tolist())  # fmt: skip

# %% [markdown]
# ISTA, FISTA, ADMM and PDHG reach **the same image**, at different speed. (An iteration of ADMM costs more: it solves for
# $x$, here with an inverse matrix, for a large image with CG.) HQS does not: its penalty stays a penalty, so
# it minimises something a little else, unless $\rho$ grows. The choice of solver is about time, not about the image, as
# long as it runs to the end. A network that unrolls ten iterations does *not* run to the end, and then the names matter.
#
# > **Exercise 5** · stretch · 10 minutes · importance ★☆☆
# >
# > Let HQS start with $\rho = 0.1$ and double it every 20 iterations. Does it reach the others? (Nobody checks this one;
# > the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`hqs` begins where you tell it to. Call it ten times, each time from the last image,
# > with the `solver` of the new $\rho$.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
growing = zero
for i in range(10):
    growing = hqs(solver(0.1 * 2**i), prox, growing, 0.1 * 2**i, 20)[-1]
apart = {
    name: c.metrics.nrmse(x, reference).item() for name, x in {"fixed": images["HQS"][-1], "growing": growing}.items()
}
print(f"HQS differs by {apart['fixed']:.1e} with a fixed rho, by {apart['growing']:.1e} with a growing one")
assert apart["growing"] < 0.5 * apart["fixed"]

# %% [markdown]
# ## 10. Break it
#
# **The wrong noise level.** Lambda was chosen for $\sigma = 0.01$. The next scan has four times the noise, or a quarter.

# %%
for factor in (0.25, 1, 4):
    noisy = data(t, 5, factor * sigma)
    errors = [((tikhonov(noisy, lam) - t).norm() / t.norm()).item() for lam in lams]
    kept = errors[choice["validation"]]
    print(
        f"noise x {factor}: kept lambda {kept:.3f}, best lambda {min(errors):.3f}, {100 * (kept / min(errors) - 1):.0f} % lost"
    )
    assert factor == 1 or kept > 1.03 * min(errors)

# %% [markdown]
# In both directions a lot is lost: lambda belongs to a noise level, and a scan with another one needs another lambda.
#
# **The wrong model.** Maps that are off by one pixel of 24, in data without noise. Four lambdas are tried; the best is
# shown, chosen with the truth. No lambda repairs a wrong model: bias is not noise.

# %%
wrong = {"right maps": maps, "maps moved by a pixel": maps.roll(1, -1)}
broken = {}
y3 = Sense(uniform(N, 3), maps)(truth)
for name, m in wrong.items():
    B = Sense(uniform(N, 3), m)
    start = B.H(y3)
    tried = [cg(lambda x, B=B, lam=lam: B.N(x) + lam * x, start, 0 * start, 60)[-1] for lam in (1e-4, 1e-3, 1e-2, 0.1)]
    broken[name] = min(tried, key=lambda x: c.metrics.nrmse(x, truth).item())  # the best lambda of four
assert c.metrics.nrmse(broken["maps moved by a pixel"], truth) > 3 * c.metrics.nrmse(broken["right maps"], truth)
figures.images(broken, truth)

# %% [markdown]
# ## 11. Large images, people it has not seen
#
# Full size, measured or simulated as in the rest of the course, fastMRI's random lines at $R = 4$. Two regularisers for
# the same least-squares problem, each with its one number **tuned on the validation subjects**: Tikhonov's lambda, with
# CG run long enough to converge, or the number of CG iterations, without any lambda.


# %%
def some(split):
    """At most cfg.slices slices of a split, spread over its volumes."""
    slices = c.data.slices(split, c.sampling.protocol(4))
    picked = torch.linspace(0, len(slices) - 1, min(cfg.slices, len(slices))).long()
    return [slices[i] for i in picked.tolist()]


with_lam = lambda lam: c.build("sense_cg", lam=lam, iterations=40)
stopped = lambda n: c.build("sense_cg", iterations=int(n))
grid = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
tuning = some("val")
best_lam, best_n = c.tune(with_lam, tuning, grid), c.tune(stopped, tuning, [2, 3, 4, 6, 8, 12, 18, 27])
print(f"tuned on {len(tuning)} validation slices: lambda {best_lam}, or {best_n} iterations")

# %%
methods = {"zero_filled": c.build("zero_filled"), "no regularisation": c.build("sense_cg", iterations=40),
           "Tikhonov": with_lam(best_lam), "early stopping": stopped(best_n)}  # fmt: skip
samples = {split: some(split) for split in c.data.splits(wanted=("test", "real"))}
scores = {}
for split, few in samples.items():
    scores[split] = {name: c.evaluate(method, few) for name, method in methods.items()}
    found = [c.sampling.effective_acceleration(s.mask) for s in few]
    print(
        f"{split}: {len(few)} slices, effective R = {sum(found) / len(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    )
    print(c.scores.table(scores[split], baseline="zero_filled"))
    gain = scores[split]["Tikhonov"].over(scores[split]["early stopping"])
    print(f"Tikhonov - early stopping: PSNR {gain.mean:+.2f} dB, 95 % interval [{gain.low:+.2f}, {gain.high:+.2f}]\n")

# %% [markdown]
# The brackets hold 95 % *bootstrap* intervals of the difference, slice by slice: the slices are drawn again and again, with
# replacement, and 95 % of the mean differences lie between the two numbers. Whatever the sign of the last line, it is
# small beside the gain of both over no regularisation at all: section 7 again, on data that nobody simulated for it.
#
# And what does one lambda for all cost? The oracle below looks at the truth of every slice and takes the best lambda of
# the grid for it.

# %%
for split, few in samples.items():
    errors = torch.stack([c.evaluate(with_lam(lam), few).values["nrmse"] for lam in grid])
    own, kept = errors.min(0).values, errors[grid.index(best_lam)]
    spread = sorted({grid[i] for i in errors.argmin(0).tolist()})
    loss = 100 * (kept / own - 1).mean().item()
    print(f"{split}: best lambdas of the slices {spread}; the tuned {best_lam} loses {loss:.1f} % NRMSE on average")
    assert 0 <= loss < 15

# %% [markdown]
# At full size (`cpu`) nothing on the test subject, and several percent on the real scan, whose contrasts differ in
# brightness against the noise and whose masks differ, too; on the coarse images of `ci` a few percent on both. One lambda
# serves as long as these are alike; section 10 showed what happens when they are not.

# %%
group = next(iter(samples))
worst = int(scores[group]["Tikhonov"].values["psnr"].argmin())
sample = samples[group][worst]
figures.images({name: method(sample.kspace, sample.A) for name, method in methods.items()}, sample.image)

# %% [markdown]
# This is the slice with the lowest PSNR. What Tikhonov and early stopping leave is a smear of aliasing and a grain. Both
# believe in nothing but *small numbers*. The rest of the course is about better beliefs.

# %% [markdown]
# ## 12. What the number hides
#
# - **The null space is not scored as such.** NRMSE adds up what was measured and what was guessed. Below, the same error
#   is split: nearly all of it lies in the half of the patterns that is seen worst.
# - **The truth of sections 1 to 9 is an image on the same grid as the model.** Simulated data that are made by the
#   matrix that inverts them are an *inverse crime*; real data, section 11, are less kind.
# - **The oracle is one noise draw.** Another draw moves its lambda.
# - **An average over slices** hides the slice that was lost.

# %%
x = tikhonov(y, lams[choice["validation"]])
off = (Vh @ (x - t)).abs().square()
share = (off[: N * N // 2].sum() / off.sum()).item()
print(f"share of the squared error: best seen half {100 * share:.0f} %, worst seen half {100 * (1 - share):.0f} %")
assert share < 0.1

# %% [markdown]
# ## Quiz
#

# %%
quiz.choice(
    "1. The residual |A x - y| of method B is smaller than that of method A. Is B's image better?",
    right={"nobody can tell from that": "The residual measures the fit to noisy data, and not the null space at all."},
    wrong={
        "yes: it explains the data better": "So does least squares, which has all the noise in the image.",
        "at least it is closer to the truth": "It is closer to what was measured, and that is noisy.",
    },
)

# %%
quiz.choice(
    "2. A network shows a sharp lesion, and its residual is 0. Is the lesion real?",
    right={
        "not proven": "Section 3 built a spot that the data cannot contradict. Project the lesion on what was measured."
    },
    wrong={
        "yes: the data would contradict a wrong one": "Only if a part of it lies outside the null space.",
        "no: networks invent lesions": "It may be real. The data alone cannot decide what lies in the null space.",
    },
)

# %%
quiz.choice(
    "3. Eight coils, R = 4, every pattern has s > 0. Why regularise?",
    right={"the answer shakes": "Noise is divided by s, and the smallest s is much smaller than the largest."},
    wrong={
        "the answer is not unique": "It is unique: no pattern is unseen.",
        "the answer does not exist": "The least squares image always exists.",
    },
)

# %%
quiz.choice(
    "4. You let CG run on, to be safe. What happens?",
    right={"noise comes in": "It converges to least squares. The number of iterations was your regularisation."},
    wrong={
        "nothing, it has converged": "It converges, but to an image that you do not want.",
        "it diverges": "The residual falls on. Only the error grows, and you cannot see it without the truth.",
    },
)

# %%
quiz.choice(
    "5. ADMM and FISTA give you different images of the same convex problem, far apart. What do you conclude?",
    right={
        "one has not converged, or has a mistake": "The least value is the same for both. Run on, compare the objective."
    },
    wrong={
        "ADMM is better suited": "Suited to reach it sooner, perhaps. Not to reach another image.",
        "each has its own minimum": "A convex problem has one least value; local minima are for other problems.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
kept = lams[choice["validation"]]
quiz.number(
    "6. Section 6 chose a lambda by validation, `lams[choice['validation']]`. How many of the 576 patterns does Tikhonov "
    "shrink by more than half at that lambda? (`s` holds the singular values.)",
    (s**2 / (s**2 + kept) < 0.5).sum(),
    "A filter factor is below 1/2 where s^2 < lambda: those patterns are given up more than they are believed.",
    near={
        (s**2 / (s**2 + kept) >= 0.5).sum().item(): "These are the patterns that are kept.",
        (s < kept).sum().item(): "You compared s with lambda; it is s^2 that stands beside it.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** the scanner as a matrix; singular values say what is seen, hardly seen, not seen.
# - You **built** two images with the same data. Only a prior can choose between them.
# - You **predicted** the noise of least squares: $\sigma^2 \sum 1/s_i^2$.
# - You **regularised** with lambda and by stopping; both are filter factors.
# - You **chose** lambda in five ways; this course tunes on validation subjects.
# - You **wrote** CG and ADMM: the solver decides the time, the problem decides the image.
# - You **judged** with intervals, on a subject and a scan that nothing was tuned on.
#
# **From text to source**: `c.show("sense_cg")`. **Next**: chapter 03 takes $A$ apart, coil by coil; chapter 05 believes
# in sparsity.

# %%
print(c.show("sense_cg"))
print(f"\ncomputing in this chapter: {time.perf_counter() - START:.0f} s")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 90 minutes · importance ★★☆
# >
# > Four people choose $\lambda$ for you: the discrepancy principle, generalised cross-validation, a validation image, and an
# > oracle that knows the truth. Let them compete: three noise levels, two masks, Tikhonov and one other prior of this chapter.
# > Who comes closest to the oracle, and who pays for it?
# >
# > | points | for |
# > |---|---|
# > | 2 | all four on the same grid of at least nine values, the noise level known only to the first |
# > | 2 | a table: noise x mask x chooser, NRMSE and the chosen value |
# > | 3 | at least eight images, paired differences to the oracle with bootstrap intervals |
# > | 2 | the noise level given to the first is wrong by a factor 1.5: what happens, and why |
# > | 1 | one image for which the best chooser is still wrong, shown |
# >
# > <details><summary>Hint 1</summary>Write the four as functions (y, A, grid) -> value, so that the loop over them is one line.</details>
# > <details><summary>Hint 2</summary>A paired difference is taken image by image; the interval comes from drawing images with replacement.</details>

# %% [markdown]
# ## References
#
# - Hestenes & Stiefel (1952). Methods of conjugate gradients for solving linear systems. *J. Res. Natl. Bur. Stand.* [10.6028/jres.049.044](https://doi.org/10.6028/jres.049.044)
# - Hansen (1992). Analysis of discrete ill-posed problems by means of the L-curve. *SIAM Rev.* [10.1137/1034115](https://doi.org/10.1137/1034115)
# - Golub, Heath & Wahba (1979). Generalized cross-validation as a method for choosing a good ridge parameter. *Technometrics* [10.1080/00401706.1979.10489751](https://doi.org/10.1080/00401706.1979.10489751)
# - Geman & Yang (1995). Nonlinear image recovery with half-quadratic regularization. *IEEE Trans. Image Process.* [10.1109/83.392335](https://doi.org/10.1109/83.392335)
# - Pruessmann et al. (2001). Advances in sensitivity encoding with arbitrary k-space trajectories. *Magn. Reson. Med.* [10.1002/mrm.1241](https://doi.org/10.1002/mrm.1241)
# - Beck & Teboulle (2009). A fast iterative shrinkage-thresholding algorithm. *SIAM J. Imaging Sci.* [10.1137/080716542](https://doi.org/10.1137/080716542)
# - Boyd et al. (2011). Alternating direction method of multipliers. *Found. Trends Mach. Learn.* [10.1561/2200000016](https://doi.org/10.1561/2200000016)
# - Chambolle & Pock (2011). A first-order primal-dual algorithm. *J. Math. Imaging Vis.* [10.1007/s10851-010-0251-1](https://doi.org/10.1007/s10851-010-0251-1)
# - Maier et al. (2020). PyQMRI. *J. Open Source Softw.* [10.21105/joss.02727](https://doi.org/10.21105/joss.02727)
# - Bhadra et al. (2021). On hallucinations in tomographic image reconstruction. *IEEE Trans. Med. Imaging* [10.1109/TMI.2021.3077857](https://doi.org/10.1109/TMI.2021.3077857)
# - Montalt-Tordera et al. (2021). Machine learning in MRI: image reconstruction. *Phys. Med.*, sections 1.1 and 2.5. [10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
