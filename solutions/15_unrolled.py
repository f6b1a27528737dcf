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
# # 15 Unrolled networks: an algorithm with a learned step
#
# ![A chain: the zero-filled image, then three times a network followed by a step that keeps the data, then the image](../docs/15_unrolled.png)
#
# A network that maps a bad image to a good one may invent what was never measured. An algorithm that keeps to the data may
# leave the image full of artefacts. **Can one network do both: look natural and agree with every measured sample?**

# %% [markdown]
# **After this chapter you can**
#
# 1. derive the two steps of DC-CNN and MoDL from one minimisation problem,
# 2. write DC-CNN in fifteen lines, and turn it into MoDL by changing four,
# 3. check that a network keeps the measured data,
# 4. compare it with tuned classical methods, with intervals,
# 5. break it, and say why it broke.
#
# **You need** chapter 00, chapter 03 (coil maps, conjugate gradients). **Time** 60 minutes. **Computing**:
# under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import torch
from IPython.display import display
from torch import nn

import course_lib as c
from course_lib.blocks import OnComplex, cnn
from course_lib.methods import Reconstructor
from course_lib.sampling import effective_acceleration, protocol
from course_lib.scores import table
from course_lib.solve import shifted_inverse
from course_lib.teach import figures

where = c.profile()
seconds = {"ci": 4, "cpu": 45, "gpu": 60}[where.name]
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}; each network trains for {seconds} s")

# %% [markdown]
# ## The words
#
# $y = Ax + \text{noise}$ are the data, $A = MFS$ the forward model of chapter 03, $A^H$ its adjoint. $f$ and $D$ are
# convolutional networks, $\lambda$ weighs data against network, $z$ is what a network proposes.
#
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
sample = test[len(test) // 2]
print(f"{len(train)} training slices, {len(test)} test slices of another person, {len(real)} real slices")
print(f"R = {R}, effective {effective_acceleration(sample.mask):.2f}")

# %% [markdown]
# ## Predict
#
# 1. A U-Net gets the zero-filled image and returns an image. If you apply $A$ to its output, do you get the data back?
# 2. We repeat "clean, then restore the measured samples" ten times. Should every repetition have its own network, or all the
#    same one? Which needs more training data?
#
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
lam = c.tune(lambda v: c.build("cs_tv", lam=v), validation, [0.0005, 0.001, 0.002, 0.004, 0.008])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, validation).mean("psnr")
print(f"tuned TV: lambda = {lam}, validation PSNR {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# ## The idea
#
# Ask for an image that agrees with the data and that a network would not change:
#
# $$\min_x\; \lambda\|Ax-y\|^2 + \|x - z\|^2, \qquad z = x + f(x).$$
#
# Go back and forth. Hold $x$ and let the network propose $z$: it removes aliasing. Hold $z$ and solve for $x$: a linear
# problem, $(A^HA + 1/\lambda)\,x = A^Hy + z/\lambda$. Do this a fixed number of times, call the whole thing a network, and train $f$
# through all of it. That is *unrolling*. Nothing is left of the question whether the iteration converges: it is trained to be
# good when it stops.
#
# With one coil the linear problem has a closed form: a measured sample $k$ becomes $(k+\lambda y)/(1+\lambda)$, and all others
# stay as the network left them. Many coils mix the samples. But when lines are measured whole, the rows of the image never mix:
# each row has its own small matrix, as wide as the image, and we invert it once for all cascades. Where rows do mix, conjugate
# gradients solve the problem in a few steps.
#
# Training needs the gradient *through* that solution. For $(A^HA + s)\,x = b$ a small change of $b$ changes $x$ by
# $(A^HA + s)^{-1}\,\mathrm{d}b$, so the gradient with respect to $b$ solves the same system with the incoming gradient on the
# right. No history of the solver has to be kept. `shifted_inverse` does all this ($s$ is the shift).

# %% [markdown]
# ## DC-CNN, from nothing


# %%
class MyDCCNN(Reconstructor):
    def __init__(self, cascades=10, width=32, depth=3, lam=20.0, cg_iterations=10):
        super().__init__()
        self.cg_iterations = cg_iterations
        self.f = nn.ModuleList(OnComplex(cnn(width=width, depth=depth)) for _ in range(cascades))
        self.lam = nn.Parameter(torch.tensor(lam))

    def forward(self, y, A):
        x = AHy = A.H(y)
        solve = shifted_inverse(A, 1 / self.lam, self.cg_iterations)
        for f in self.f:
            z = x + f(x)
            x = solve(AHy + z / self.lam, z)
        return x

    def loss(self, sample):
        return c.losses.l1(self(sample.kspace, sample.A), sample.image)


# %% [markdown]
# It is the library's method, line by line. With the same weights both give the same image:

# %%
mine, theirs = MyDCCNN(), c.build("dc_cnn", **c.card("dc_cnn").small)
theirs.load_state_dict(mine.state_dict())
with torch.no_grad():
    same = (mine(sample.kspace, sample.A) - theirs(sample.kspace, sample.A)).abs().max()
print(f"largest difference {same:.1e}")
assert same < 1e-5

# %% [markdown]
# ## Four lines to MoDL
#
# MoDL shares **one** network among all iterations, lets it predict the artefact instead of the correction, and puts $\lambda$
# on the other side. `diff` shows the lines in which the two classes differ:

# %%
print(c.diff("dc_cnn", "modl"))

# %% [markdown]
# ## Does it keep the data?
#
# Before training, the last layer of each CNN is zero, so $f(x) = 0$ and only data consistency works: the network *is*
# regularised CG-SENSE. The misfit to the data must fall from cascade to cascade.

# %%
with torch.no_grad():
    misfit = []
    for cascades in (1, 3, 10):
        untrained = MyDCCNN(cascades=cascades)
        x = untrained(sample.kspace, sample.A)
        misfit.append(((sample.A(x) - sample.kspace).norm() / sample.kspace.norm()).item())
print("relative misfit after 1, 3, 10 cascades:", ", ".join(f"{m:.4f}" for m in misfit))
assert misfit[0] > misfit[1] > misfit[2]

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# A network that cannot learn one slice by heart will not learn many. The error must fall well below where it started.

# %%
torch.manual_seed(0)
one = train[0]
probe = MyDCCNN(cascades=3)
optimiser = torch.optim.Adam(probe.parameters(), lr=3e-3)
losses = []
for _ in range(150):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(one.kspace, one.A), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Predict the result
#
# Both networks train for the same time. DC-CNN has ten small networks, MoDL one larger one. Which wins on the test subject? Write it down.

# %%
torch.manual_seed(0)
dc_cnn = c.build("dc_cnn", **c.card("dc_cnn").small)
run = c.fit(dc_cnn, train, validation, seconds)
figures.curves(run, {"tuned TV": baseline})

# %%
torch.manual_seed(0)
modl = c.build("modl", **c.card("modl").small)
run = c.fit(modl, train, validation, seconds)
figures.curves(run, {"tuned TV": baseline})

# %%
methods = {"zero-filled": zero_filled, "CG-SENSE": c.build("sense_cg"), "tuned TV": tv, "DC-CNN": dc_cnn, "MoDL": modl}
tables = {}
for name, samples in {"unseen simulated subject": test, "real scan": real}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")
for name in ("DC-CNN", "MoDL"):
    print(f"{name}: {sum(p.numel() for p in methods[name].parameters()):,} parameters")
    beaten = "zero-filled" if where.name == "ci" else "CG-SENSE"  # four seconds of training are few
    assert tables["unseen simulated subject"][name].over(tables["unseen simulated subject"][beaten]).low > 0

# %%
order = tables["unseen simulated subject"]["DC-CNN"].values["psnr"].argsort()
size = sample.image.shape[-1]
for word, index in {"worst": order[0], "best": order[-1]}.items():
    s = test[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](s.kspace, s.A) for name in ("tuned TV", "DC-CNN", "MoDL")}
    print(f"{word} slice for DC-CNN")
    display(figures.images(panels, truth=s.image, zoom=(size // 4, size // 3, size // 4, size // 4)))

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, the noise of our simulation, and right coil maps. Take each away. TV, with its $\lambda$ as it is,
# stands beside them.

# %%
full = test.prepared(int(order[len(order) // 2]))
seed = 1


def broken(kspace=full.kspace, maps=full.maps, acceleration=R):
    return c.data.undersample(kspace, maps, protocol(acceleration)(kspace.shape[-1], seed), full.image)


noise = torch.randn(full.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
cases = {
    "as trained": broken(),
    "R = 2": broken(acceleration=2),
    "R = 8": broken(acceleration=8),
    "5 times the noise": broken(full.kspace + noise * 0.1 * full.image.abs().max()),
    "maps shifted by 3 pixels": broken(maps=full.maps.roll(3, -1)),
}
print(f"{'PSNR (dB)':26}" + "".join(f"{name:>12}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        numbers = [c.metrics.psnr(m(s.kspace, s.A), s.image).item() for m in methods.values()]
    print(f"{case:26}" + "".join(f"{n:12.2f}" for n in numbers))

# %% [markdown]
# Wrong maps hurt every method: data consistency then forces the image to agree with a wrong model. More noise hurts those most
# that trust the data most.
#
# ## What the number hides
#
# - Data consistency is not truth. It holds for the measured quarter of k-space; the rest is the network's word.
# - The mean PSNR of the test subject is one person. Look at the worst slice.
# - Training for the same *time* favours the method whose steps are cheap. With an hour the order may change.
#
# ## Wrap-up
#
# One problem, two steps, repeated: you wrote DC-CNN, changed four lines for MoDL, checked that the data are kept, and broke both.
# Next: chapter 16 unrolls primal-dual algorithms.
#
# ## From text to source

# %%
print(c.show("modl"))

# %% [markdown]
# ## Scaling up
#
# On a GPU the profile `gpu` takes the full matrix and all coils; the paper's sizes are the defaults: `c.build("dc_cnn")` has
# 5 cascades of 64 channels, `c.build("modl")` 10 iterations. Nothing else in this chapter changes.
#
# ## References
#
# - Schlemper J, Caballero J, Hajnal JV, Price AN, Rueckert D. *IEEE Trans Med Imaging* 2018.
#   [doi:10.1109/TMI.2017.2760978](https://doi.org/10.1109/TMI.2017.2760978)
# - Aggarwal HK, Mani MP, Jacob M. MoDL. *IEEE Trans Med Imaging* 2019.
#   [doi:10.1109/TMI.2018.2865356](https://doi.org/10.1109/TMI.2018.2865356)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.
