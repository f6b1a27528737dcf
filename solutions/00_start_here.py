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
# # 00 Start here: a network reconstructs a real scan
#
# ![A real brain scan at R = 4: zero-filled, tuned total variation, a network, and the fully sampled image](../docs/start.png)
#
# An MRI scanner does not measure an image. It measures the image's *Fourier transform* (*k-space*), line by line, and
# each line takes time. **What if we measure only a quarter of the lines? Can a network that was trained a minute ago fill
# in the rest?**
#
# In twenty minutes you will have seen the whole course once: data, a classical method, a network, and an honest table.

# %% [markdown]
# **After this chapter you can**
#
# 1. name the parts of the forward model $y = MFSx$ and find them in code,
# 2. run a classical reconstruction and a network with the same call,
# 3. train a small network and read its curve,
# 4. read a table of methods, and say why the real scan has the last word.
#
# **You need** Python and linear algebra; no MRI. **Time** about 20 minutes. **Computing**: under 25 s (`ci`),
# under 150 s (`cpu`), on two cores. (`ci`, `cpu` and `gpu` are *profiles*: how large the images are, and how long networks
# train. The course picks `gpu` where there is one and `cpu` elsewhere; the first cell says which.)

# %%
import torch

import course_lib as c
from course_lib.scores import table
from course_lib.teach import figures

where = c.profile()
seconds = {"ci": 5, "cpu": 60, "gpu": 60}[where.name]
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, {torch.get_num_threads()} threads; training takes {seconds} s")

# %% [markdown]
# ## The words
#
# | letter | meaning | shape |
# |---|---|---|
# | $x$ | the image we want; complex | (batch, height, width) |
# | $S$ | coil maps: how strongly each receive coil (antenna) sees each pixel | (batch, coil, height, width) |
# | $F$ | the Fourier transform | |
# | $M$ | the mask: 1 where a sample was measured, 0 elsewhere | (batch, 1, 1, width) |
# | $y = MFSx$ | the data: undersampled k-space of every coil | (batch, coil, height, width) |
#
# $A = MFS$ is the *forward model*. Every method of this course is a function `x = method(y, A)`.

# %% [markdown]
# ## The data
#
# The course ships real anatomy and a real raw-data scan under open licences (see `data/PROVENANCE.md`). Two persons are
# for training, others for choosing settings (*validation*), and one person is for testing: **split by subject**, so no
# network is tested on a head that it has seen. Their images are turned into k-space with real coil maps and the noise of a
# real scanner. The folder `real` is different: a scanner measured that k-space, of one slice in five *contrasts* (settings
# that make other tissues bright). Nothing is ever trained on it.

# %%
R = 4
mask = c.sampling.protocol(R)
strip, batch = c.card("dc_cnn").cut(where.strip, where.batch)  # it trains on strips of a slice: cheaper, as good
train = c.data.slices("train", mask, training=True, strip=strip)
validation = c.data.slices("val", mask)
test = c.data.slices("test", mask)
real = c.data.slices("real", mask)
for name, samples in {"train": train, "validation": validation, "test": test, "real": real}.items():
    print(f"{name:11} {len(samples):4} slices, k-space {tuple(samples[0].kspace.shape)}")
for name, samples in {"test": test, "real": real}.items():
    true = [c.sampling.effective_acceleration(sample.mask) for sample in samples]
    print(f"R = {R} in name; in truth {sum(true) / len(true):.2f} ({min(true):.2f} to {max(true):.2f}) in {name}")
scan = real[0]
print(
    f"of one slice: k-space y {tuple(scan.kspace.shape)}, mask M {tuple(scan.mask.shape)}, maps S {tuple(scan.maps.shape)}"
)

# %% [markdown]
# $R$ is the *acceleration*: all lines over measured lines. Every mask here measures all lines in the middle of k-space (the
# *full centre*) and draws the others by chance. Both make $R$ differ from 4, most where an image has few lines.
# Each letter is in the code: `scan.kspace` is $y$, `scan.mask` is $M$, `scan.maps` are $S$, and `scan.A` is all of
# $A = MFS$. The next picture shows the data beside a full scan.

# %%
full = real.prepared(0).kspace
full = full * scan.kspace.abs().max() / full.abs().max()  # in the same units; the centre is in both
figures.kspace({"what was measured": scan.kspace, "what a full scan holds": full})

# %% [markdown]
# ## Predict
#
# Look at the black lines. If the missing lines are left at zero and the Fourier transform is inverted:
#
# 1. Will the image be *blurred*, *folded* or *noisy*?
# 2. Will the error be larger along the rows or along the columns?
#
# Under each panel stand NRMSE (normalised root mean squared error: length of the error over length of the truth; 0 is
# perfect), PSNR (peak signal-to-noise ratio, in dB; higher is better) and SSIM (similarity of structure; 1 is perfect).

# %%
zero_filled = c.build("zero_filled")
figures.images({"zero-filled": zero_filled(scan.kspace, scan.A)}, truth=scan.image)

# %% [markdown]
# The copies of the head run along one direction only: the direction in which lines are missing. Lines that are missing at random
# smear the copies into something like noise.
#
# ## A strong classical method
#
# Total variation (TV) looks for the image that agrees with the data *and* has few edges. The number $\lambda$ says how much edges
# cost. It is tuned on the validation subjects, never on the test.

# %%
grid = [0.0005, 0.001, 0.002, 0.004, 0.008]
lam = c.tune(lambda value: c.build("cs_tv", lam=value), validation, grid)
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
print(f"lambda = {lam}: validation PSNR {baseline:.2f} dB")

# %% [markdown]
# ## A network
#
# DC-CNN repeats two steps a few times: a small convolutional network (CNN, chapter 06) cleans the image, then a
# *data-consistency* (DC) step puts back what was measured. The network learns the cleaning from pairs of data and truth.
# `c.show("dc_cnn")` prints its equation, source and claims; chapter 15 builds it from nothing.
#
# Below, on the left: the *loss*, the error on the training pairs that each step makes a little smaller. On the right: the
# PSNR on validation subjects, which decides.

# %%
network = c.build("dc_cnn", **c.card("dc_cnn").small)
run = c.fit(network, train, validation, seconds, batch=batch)
print(f"{run.steps} steps, {sum(p.numel() for p in network.parameters()):,} parameters")
figures.curves(run, {"tuned TV": baseline})

# %% [markdown]
# ## Predict the result
#
# The network was trained for a minute, on other heads, other contrasts and simulated noise. On the real scan: better than TV, equal, or
# worse?

# %%
methods = {"zero-filled": zero_filled, "tuned TV": tv, "network": network}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")

# %% [markdown]
# The last column is the difference to the baseline, tuned TV. Its brackets hold a 95 % interval over the slices: where it
# contains 0, these slices cannot tell the two methods apart. `s/slice` is the time for one slice in seconds.

# %%
with torch.no_grad():
    found = {name: model(scan.kspace, scan.A) for name, model in methods.items()}
size = scan.image.shape[-1]
figures.images(found, truth=scan.image, zoom=(size // 4, size // 3, size // 4, size // 4))

# %% [markdown]
# Look at the error row before you look at the numbers. Where is the network wrong? Where is TV?

# %%
for rows in tables.values():
    assert rows["network"].mean("psnr") > rows["zero-filled"].mean("psnr") + 1, "the network did not learn"
gain = tables["real scan"]["network"].over(tables["real scan"]["tuned TV"])
print(f"On the real scan the network is {gain.mean:+.2f} dB [{gain.low:+.2f}, {gain.high:+.2f}] from tuned TV.")

# %% [markdown]
# Where a method loses on the real scan, ask why before you train longer. Compare the grain in the enlarged parts: is the network
# blurred, or does it pass on noise that TV smooths away? Was the real scan noisier than the scans it learned from?
#
# ## What the numbers hide
#
# - The real scan is **one** slice of **one** head with several contrasts: a case study, not a population.
# - PSNR weighs every pixel alike. A lost vessel costs less than a slightly wrong background.
# - The "truth" of the real scan is itself noisy: a method that reproduces its noise is rewarded.
# - The simulated subject shares coils' style and noise with the training data. That is kinder than life.
#
# ## Wrap-up
#
# You have named $M$, $F$, $S$, run two methods with the same call, trained a network, and read a table with a real scan in it.
# Next: chapter 03 explains the coils, chapter 15 opens the network.
#
# ## From text to source
#
# `c.show` prints a method's equation, source and claims: sentences about it that are also tests, each with a tick. The
# *review* in it is the article that the course follows (Montalt-Tordera et al. 2021, among the references of chapter 01).

# %%
print(c.show("zero_filled"))

# %% [markdown]
# ## References
#
# - Lustig M, Donoho D, Pauly JM. Sparse MRI. *Magn Reson Med* 2007. [doi:10.1002/mrm.21391](https://doi.org/10.1002/mrm.21391)
# - Schlemper J, et al. A deep cascade of convolutional neural networks for dynamic MR image reconstruction. *IEEE Trans Med
#   Imaging* 2018. [doi:10.1109/TMI.2017.2760978](https://doi.org/10.1109/TMI.2017.2760978)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
