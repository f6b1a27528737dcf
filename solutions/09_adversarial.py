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
# # 09 Adversarial networks: a critic instead of a ruler
#
# ![The truth, and the images of networks that learned from pixels, from pixels and a critic, and from a critic alone](../docs/09_adversarial.png)
#
# A pixel loss is a ruler: it punishes a sharp edge in the wrong place more than a blurred one. A *critic* is a network that
# learns to tell real images from reconstructed ones, and the network that reconstructs, the *generator*, learns to please it.
# **What does a network learn from a critic, and what does it invent to please it?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **write** the losses of a generator and of its critic (exercise 1, quiz 1),
# 2. **play** a round of training in which only one of the two moves at a time (exercise 2, quiz 2),
# 3. **project** a network's image onto all images that agree with the data: GANCS (exercise 3, quiz 3),
# 4. **split** an error into what the data could have shown and what nobody measured (exercise 4, quiz 4),
# 5. **measure** sharpness and invented edges beside PSNR (the slider, quiz 5),
# 6. **show** that a critic knows what images look like, not what this patient looks like (exercise 5).
#
# **You need** chapter 02 (the forward model) and chapter 06 (training; complex images as two channels).
# **Time**: about 80 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import time

import torch
from IPython.display import display

import course_lib as c
from course_lib.blocks import Critic, OnComplex, resnet
from course_lib.data.single import OneCoil
from course_lib.experiments.adversarial import invented, sharpness
from course_lib.losses import cross_entropy, l1, least_squares, wasserstein
from course_lib.losses import least_squares as a
from course_lib.methods import Reconstructor
from course_lib.sampling import effective_acceleration, protocol
from course_lib.scores import table
from course_lib.teach import check, figures, quiz, slider, use

START = time.perf_counter()
where = c.profile()
seconds, alone, checks = {"ci": (2, 1.5, 2), "cpu": (20, 8, 4), "gpu": (60, 30, 6)}[where.name]
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}")
print(f"three networks train for {seconds} s each, one for {alone} s")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $y = Ax + \text{noise}$ | the data: k-space of one coil, 0 where nothing was acquired | `y`, `kspace` |
# > | $A = MF$, $A^H$ | Fourier transform and mask; the adjoint gives the zero-filled image | `A`, `A.H` |
# > | $G$ | the generator: zero-filled image to image | `G` |
# > | $D$ | the critic (discriminator): image to one score, high for real | `critic` |
# > | $a(s, \ell)$ | how far scores $s$ are from the label $\ell$: 1 for real, 0 for reconstructed | `a` |
# > | $\eta$ | what the pixels weigh against the critic | `eta` |

# %% [markdown]
# ## The data
#
# Real anatomy and a real scan under open licences (`data/PROVENANCE.md` names source and licence of each), split by subject.
# The adversarial networks of this chapter were published for **one coil**, so one coil measures here: `OneCoil` takes the
# images of the data set, adds noise in k-space, and samples. That is harder than eight coils: nothing but knowledge of
# images fills the gaps.

# %%
R = 4
train = OneCoil(c.data.slices("train", protocol(R), training=True, strip=where.strip))
validation, test, real = (OneCoil(c.data.slices(split, protocol(R))) for split in ("val", "test", "real"))
few = [validation[i] for i in range(0, len(validation), 3)]
tested = [test[i] for i in range(0, len(test), 2)]
scanned = [real[i] for i in range(len(real))]
sample = test[len(test) // 2]
assert not set(train.samples.files) & set(test.samples.files)
print(f"{len(train)} training slices, {len(tested)} test slices of another person, {len(scanned)} of a real scan")
print(f"R = {R}, effective {effective_acceleration(sample.mask):.2f}, one coil")

# %% [markdown]
# > **Predict 1.** A network is trained with the adversarial loss *alone*: its image must look real to the critic, and
# > nobody compares it with the truth. Will the image be sharp? Will it show this patient?
#
# The answers are under "Four networks".

# %% [markdown]
# ## The naive thing

# %%
zero_filled = c.build("zero_filled")
lam = c.tune(lambda v: c.build("cs_tv", lam=v), few[:2], [0.002, 0.004, 0.008, 0.016, 0.032])
tv = c.build("cs_tv", lam=lam)
baseline = c.evaluate(tv, few).mean("psnr")
print(f"TV, tuned on validation slices: lambda = {lam}, validation PSNR {baseline:.2f} dB")
figures.images(
    {"zero-filled": zero_filled(sample.kspace, sample.A), "tuned TV": tv(sample.kspace, sample.A)}, truth=sample.image
)

# %% [markdown]
# Zero-filling blurs and folds; TV (chapter 05), tuned, removes some of it and is the mark to beat.

# %% [markdown]
# ## The idea
#
# A network that minimises a pixel loss answers with an average. If an edge may be here or one pixel further, the average
# of both is a blur, and the blur has the smallest error. A radiologist would rather see an edge. But who writes down the
# loss "looks like an MR image"?
#
# Learn it. A critic $D$ gives each image a score. It is trained on pairs, a real image and a reconstructed one, and should
# give 1 to the first and 0 to the second. The generator $G$ is trained so that its images get a 1:
#
# $$\min_D\; a\big(D(\text{truth}), 1\big) + a\big(D(x), 0\big), \qquad
# \min_G\; \eta\,\lVert x - \text{truth}\rVert_1 + (1-\eta)\; a\big(D(x), 1\big), \qquad x = G(A^Hy).$$
#
# The two take turns. Neither loss has to fall: when one player gets better, the other one's loss rises. There are three
# usual choices of $a$: cross entropy (Goodfellow's *generative adversarial network*, GAN), least squares (LSGAN), and the
# difference of the mean scores (Wasserstein).

# %%
scores = torch.linspace(-3, 3, 61)
what = {"cross entropy": cross_entropy, "least squares": least_squares, "Wasserstein": wasserstein}
figures.lines(
    {name: [float(f(s[None], 1)) for s in scores] for name, f in what.items()},
    "score of the reconstruction", "what the generator pays", x=scores.tolist(),
)  # fmt: skip

# %% [markdown]
# Least squares punish scores that are too good as well; cross entropy stops asking for more; Wasserstein never does, and
# needs a critic whose slope is bounded.
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `adversarial(real, fake)` with least squares, $a(s, \ell) = \text{mean}\,(s - \ell)^2$. `real` and `fake` hold the
# > critic's scores of a batch of true and of reconstructed images. Return two numbers: what the critic pays, and what
# > the generator pays.
# >
# > <details><summary>Hint 1</summary>The critic's loss has two terms, the generator's has one.</details>
# > <details><summary>Hint 2</summary>`(real - 1).square().mean()` is the first term of the critic's. Which label does the
# > *generator* want for `fake`?</details>


# %%
def adversarial(real, fake):
    """The critic's loss and the generator's, two numbers, from the scores (batch,) of true and made images."""
    #: solution
    critic = (real - 1).square().mean() + fake.square().mean()
    return critic, (fake - 1).square().mean()
    #: end


check.ch09_scores(adversarial)

# %%
adversarial = use(adversarial, check.ch09_scores)

# %% [markdown] tags=["solution"]
# **Analysis.** The same scores, opposite wishes: that is the whole idea. A critic that cannot tell gives 1/2 to all, and
# then the critic pays 1/2 and the generator 1/4. Watch for these two numbers in training: they mean a draw, or a critic that
# has given up.

# %% [markdown]
# ## A round
#
# Two players, two optimisers. In the critic's turn the reconstruction is *held fixed* (`detach`), in the generator's turn
# the critic is. A generator's backward pass runs through the critic, and leaves gradients there.
#
# > **Exercise 2** · core · 15 minutes · importance ★★★
# >
# > Write `one_round(G, D, adam_G, adam_D, x, truth, eta)`: first the critic's step, then the generator's, against the critic
# > that has just learned. `x` is what `G` gets, and the pixel loss is the mean of the magnitudes of `G(x) - truth`. It returns
# > nothing.
# >
# > <details><summary>Hint 1</summary>Each turn has four lines: scores, loss, `zero_grad` and `backward`, `step`.</details>
# > <details><summary>Hint 2</summary>`adversarial(D(truth), D(G(x).detach()))[0]` is the critic's loss.</details>
# > <details><summary>Hint 3</summary>The generator's turn needs `G(x)` and `D(G(x))` anew, without `detach`. Which of
# > the two `zero_grad` clears what the generator's backward pass left in the critic?</details>


# %%
def one_round(G, D, adam_G, adam_D, x, truth, eta):
    """A step of the critic D, then one of the generator G."""
    #: solution
    judged, _ = adversarial(D(truth), D(G(x).detach()))
    adam_D.zero_grad()
    judged.backward()
    adam_D.step()

    made = G(x)
    _, pleased = adversarial(D(truth), D(made))
    adam_G.zero_grad()
    (eta * (made - truth).abs().mean() + (1 - eta) * pleased).backward()
    adam_G.step()
    #: end


check.ch09_round(one_round)

# %%
one_round = use(one_round, check.ch09_round)

# %% [markdown] tags=["solution"]
# **Analysis.** `detach` saves the backward pass through $G$; what *protects* the generator in the critic's turn is that
# its optimiser does not step. The other mistake is worse and silent: without `adam_D.zero_grad()` the critic also follows
# the gradient of the generator's loss, that is, it learns to be pleased.

# %% [markdown]
# `c.fit` plays the same rounds: a method with a `critic_loss` gets a second optimiser, and its `own()` parameters, all but
# the critic's, are what the first one holds. `evaluate` never asks the critic, and nobody needs it to reconstruct.

# %% [markdown]
# ## GANCS: a projection has the last word
#
# A generator that may return anything may contradict the data. GANCS (*GAN for compressed sensing*, Mardani et al. 2019) does
# not let it. After the network proposes $z$, its image is moved to the nearest one that agrees with every measured sample:
#
# $$x = z + A^H\,(y - Az).$$
#
# With one coil, $A^H$ puts samples back where they were measured, and $x$ is exactly consistent. (The general formula has the
# pseudo-inverse of $A$ in place of $A^H$. With many coils $A^H$ makes the line a gradient step; and the exact projection would
# leave to the network only what SENSE cannot solve.)
#
# > **Exercise 3** · core · 15 minutes · importance ★★★
# >
# > Write `forward` of GANCS.
# >
# > <details><summary>Hint 1</summary>Two lines: the network's image `z`, then the projection.</details>
# > <details><summary>Hint 2</summary>`y - A(z)` is 0 where nothing was acquired: `y` is, and $A$ masks.</details>


# %% tags=["same:course_lib.methods.restore.gancs.GANCS"]
class MyGANCS(Reconstructor):
    def __init__(self, width=128, blocks=5, eta=0.975):
        super().__init__()
        self.eta = eta
        self.G, self.critic = OnComplex(resnet(width, blocks)), Critic((8, 16, 32, 64))

    def forward(self, y, A):
        #: solution
        z = self.G(A.H(y))
        return z + A.H(y - A(z))
        #: end

    def loss(self, sample):
        x = self(sample.kspace, sample.A)
        return self.eta * l1(x, sample.image) + (1 - self.eta) * a(self.critic(x), 1)

    def critic_loss(self, sample):
        x = self(sample.kspace, sample.A).detach()
        return a(self.critic(sample.image), 1) + a(self.critic(x), 0)


check.ch09_gancs(MyGANCS)

# %%
MyGANCS = use(MyGANCS, check.ch09_gancs)


def misfit(x, s=sample):
    return ((s.A(x) - s.kspace).norm() / s.kspace.norm()).item()


torch.manual_seed(0)
small = c.card("gancs").small
with torch.no_grad():
    untrained = MyGANCS(**small)(sample.kspace, sample.A)
print(f"misfit of an untrained GANCS: {misfit(untrained):.1e}; of the true image: {misfit(sample.image):.3f}")
assert misfit(untrained) < 1e-5 < misfit(sample.image)

# %% [markdown] tags=["solution"]
# **Analysis.** Even random weights agree with the data to rounding. The true image does not: the data have noise, and the
# projection takes every measured sample, noise included. Agreement costs nothing, so it proves nothing.

# %% [markdown]
# ## Sanity gate: can it overfit one slice?
#
# The generator must be able to learn one slice by heart. With the projection the measured samples keep their noise, so the
# gate asks the generator *before* it.

# %%
torch.manual_seed(0)
one = train[0]
zero, probe = one.A.H(one.kspace), OnComplex(resnet(32, 3))
optimiser, losses = torch.optim.Adam(probe.parameters(), lr=3e-3), []
for _ in range({"ci": 100}.get(where.name, 250)):
    optimiser.zero_grad()
    loss = c.losses.mse(probe(zero), one.image)
    loss.backward()
    optimiser.step()
    losses.append(loss.item())
print(f"loss {losses[0]:.2e} -> {losses[-1]:.2e}, {losses[0] / losses[-1]:.0f} times lower")
assert losses[-1] < losses[0] / 10

# %% [markdown]
# ## Four networks
#
# > **Predict 2.** GANCS is trained with pixels alone ($\eta = 1$), with pixels and a critic, and with the critic alone
# > ($\eta = 0$). DAGAN, a U-Net without projection, has a critic and losses on pixels and on k-space. Order them by PSNR, and by
# > sharpness. Which curve of the validation PSNR will not be smooth?

# %%
networks, runs = {}, {}
plans = {"pixels": (1.0, seconds), "pixels + critic": (0.5, seconds), "critic alone": (0.0, alone)}
for name, (eta, budget) in plans.items():
    torch.manual_seed(0)
    networks[name] = MyGANCS(**small, eta=eta)
    runs[name] = c.fit(networks[name], train, few, budget, lr=3e-3, checks=checks)
    print(f"{name:16}{runs[name].steps:5d} rounds, validation PSNR", *(f"{p:.1f}" for _, p in runs[name].validation))
figures.curves(runs["pixels + critic"], {"tuned TV": baseline})

# %%
figures.curves(runs["critic alone"], {"tuned TV": baseline})

# %%
torch.manual_seed(0)
networks["DAGAN"] = c.build("dagan", **c.card("dagan").small)
runs["DAGAN"] = c.fit(networks["DAGAN"], train, few, seconds, lr=3e-3, checks=checks)
figures.curves(runs["DAGAN"], {"tuned TV": baseline})

# %% [markdown]
# `fit` keeps the weights with the best validation PSNR. That is a choice, and not one that a critic would make: of the network
# that saw a critic alone it keeps an early stage. To see where the game goes, we play it once more from the start, look at one
# test slice every ten rounds, and keep the *worst* weights of the second half: a choice as extreme as the other, and labelled so.
# The learning rate is high on purpose. At 2e-3 one of two trials stayed calm for 60 rounds. So that the rate alone cannot be
# the reason, the pixel loss plays under the same one.


# %%
def played(eta, rounds={"ci": 90, "cpu": 100, "gpu": 600}[where.name]):
    """The network at the worst of its second half; PSNR and invented edges (percent) of a slice every ten rounds."""
    torch.manual_seed(0)
    net, way = MyGANCS(**small, eta=eta), {"PSNR": [], "invented": []}
    turns = [(net.critic_loss, net.critic.parameters()), (net.loss, net.own())]
    players = [(loss_of, torch.optim.Adam(p, lr=5e-3, betas=(0.5, 0.999))) for loss_of, p in turns]
    for number in range(1, rounds + 1):
        for loss_of, player in players:
            player.zero_grad()
            loss_of(train[number % len(train)]).backward()
            player.step()
        if number % 10 == 0:
            with torch.no_grad():
                x = net(sample.kspace, sample.A)
            way["PSNR"].append(c.metrics.psnr(x, sample.image).item())
            way["invented"].append(100 * invented(x, sample.image).item())
            if number > rounds / 2 and way["PSNR"][-1] == min(way["PSNR"][rounds // 20 :]):
                worst = {name: weight.clone() for name, weight in net.state_dict().items()}
    net.load_state_dict(worst)
    return net, way


# %%
networks["critic alone, worst"], way = played(0.0)
_, control = played(1.0)
for name, found in {"critic alone": way, "pixels": control}.items():
    print(f"{name:13} PSNR every ten rounds:", ", ".join(f"{p:.1f}" for p in found["PSNR"]), "dB")
    print(f"{'':13} invented edges:", ", ".join(f"{p:.0f}" for p in found["invented"]), "%")
later = [
    sum(found["PSNR"][len(found["PSNR"]) // 2 :]) / (len(found["PSNR"]) - len(found["PSNR"]) // 2)
    for found in (way, control)
]
print(f"mean PSNR of the second half: {later[0]:.1f} dB with the critic alone, {later[1]:.1f} dB with pixels")
assert later[0] < later[1]
figures.lines({"critic alone": way["PSNR"], "pixels": control["PSNR"]}, "tens of rounds", "PSNR (dB)")

# %%
with torch.no_grad():
    panels = {
        name: networks[name](sample.kspace, sample.A) for name in ("pixels", "pixels + critic", "critic alone, worst")
    }
size = sample.image.shape[-1]
figures.images(panels, truth=sample.image, zoom=(size // 4, size // 3, size // 4, size // 4), error_limit=1.0)

# %% [markdown]
# Predict 1: with pixels the image comes nearer to the truth; with the critic alone it wanders. What pleased the critic ten
# rounds ago it has since learned to see through, so the generator moves on, and nothing pulls it back to this patient. The
# measured samples are right in all three images, the projection sees to that; the rest is what each loss asked for.

# %% [markdown]
# ## Unseen people, and a real scan
#
# PSNR does not see what adversarial training is for, so two columns stand beside the table. *Sharpness* is the norm of the
# Laplacian over the truth's: 1 is as sharp. *Invented* is the share of edge pixels in the reconstruction that have no
# edge of the truth within two pixels.

# %%
methods = {"zero-filled": zero_filled, "tuned TV": tv, **networks}
tables = {}
for name, samples in {"unseen simulated subject": tested, "real scan": scanned}.items():
    tables[name] = {method: c.evaluate(model, samples) for method, model in methods.items()}
    print(name, table(tables[name], baseline="tuned TV"), "", sep="\n")


# %%
def looks_of(model):
    """The mean sharpness and the mean share of invented edges over the test slices."""
    with torch.no_grad():
        pairs = [(model(s.kspace, s.A), s.image) for s in tested]
    return [sum(f(*pair).item() for pair in pairs) / len(pairs) for f in (sharpness, invented)]


print(f"{'':20}{'sharpness':>10}{'invented':>10}{'parameters':>12}")
looks = {name: looks_of(model) for name, model in methods.items()}
for name, (sharp, made_up) in looks.items():
    print(f"{name:20}{sharp:10.2f}{100 * made_up:9.1f}%{sum(p.numel() for p in methods[name].own()):12,}")
assert max(way["invented"]) > 100 * looks["pixels"][1]

# %% [markdown]
# Read the two tables together. Along its way the critic alone invented more edges than the pixel loss; where it stands at a
# given moment is chance, and the last row shows its worst. What a critic beside the pixels does in our seconds of training changes
# from run to run: look at PSNR, sharpness and inventions together. The papers trained for hours. Predict 2: both orders are in the
# tables, and the validation PSNR may jump where there is a critic, since the goal moves. Against tuned TV read the last column:
# where the interval holds 0, these slices cannot tell, and where it is below 0, TV wins. The generator of GANCS, a residual
# network (each block adds to what it gets) of a few layers, sees a few pixels around each, and aliasing comes from far away.

# %%
order = tables["unseen simulated subject"]["pixels + critic"].values["psnr"].argsort()
for word, index in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
    s = tested[int(index)]
    with torch.no_grad():
        panels = {name: methods[name](s.kspace, s.A) for name in ("tuned TV", "pixels", "pixels + critic", "DAGAN")}
    print(f"{word} slice for pixels + critic")
    display(figures.images(panels, truth=s.image))

# %% [markdown]
# ## Where inventions live
#
# The projection leaves to the network what was not measured: the *null space* of $A$. An error splits into two parts: one
# that would have shown in the data, $A^HAe$, and one that no datum can contradict. A hallucination is a structure in the second.
#
# > **Exercise 4** · core · 10 minutes · importance ★★☆
# >
# > Write `unseen(e, A)`: the part of an error image `e` (batch, height, width) that the data of one coil cannot see.
# >
# > <details><summary>Hint 1</summary>`A.H(A(e))` keeps the measured samples of `e` and clears the others.</details>
# > <details><summary>Hint 2</summary>The two parts add up to `e`.</details>


# %%
def unseen(e, A):
    """The part of the image e that A maps to 0."""
    #: solution
    return e - A.H(A(e))
    #: end


check.ch09_unseen(unseen)

# %%
unseen = use(unseen, check.ch09_unseen)

# %% [markdown] tags=["solution"]
# **Analysis.** $A^HA$ is a projection for one coil: applied twice it does the same. The two parts are orthogonal, so their
# energies add up to the energy of the error.

# %%
print(f"{'':20}{'|error|':>10}{'unseen':>10}   share of the error's energy that no datum contradicts")
for name, model in methods.items():
    with torch.no_grad():
        e = model(sample.kspace, sample.A) - sample.image
    hidden = unseen(e, sample.A)
    assert sample.A(hidden).abs().max() < 1e-4
    print(f"{name:20}{e.norm():10.2f}{hidden.norm():10.2f}{100 * (hidden.norm() / e.norm()) ** 2:9.1f}%")

# %% [markdown]
# Of what GANCS returns, nearly all of the error is where nobody measured; so it is for zero-filling and TV, which stay near the
# data. DAGAN has no projection, and may err where the data knew better. No check of the data finds a hallucination; only more
# data do.

# %% [markdown]
# ## Between two images
#
# Sharp or right? Mix the two images: $(1-t)\,x_{\text{pixels}} + t\,x_{\text{critic}}$. Both agree with the data, and so does every
# mixture. The slider answers: how much PSNR does each bit of sharpness cost?

# %%
with torch.no_grad():
    ends = [networks[name](sample.kspace, sample.A) for name in ("pixels", "critic alone, worst")]


def mixed(t):
    """The mixture, its PSNR, its sharpness, and what it invents."""
    x = (1 - t) * ends[0] + t * ends[1]
    said = f"t = {t}: PSNR {c.metrics.psnr(x, sample.image).item():.2f} dB, sharpness "
    said += f"{sharpness(x, sample.image).item():.2f}, invented {100 * invented(x, sample.image).item():.1f} %."
    return figures.images({f"t = {t}": x}, truth=sample.image, error_limit=0.8).saying(said)


mixed(0.0)

# %%
mixed(1.0)

# %%
slider("t", mixed, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))

# %% [markdown]
# The curve from one end to the other is the *perception-distortion trade-off*: with the same data one can buy the look of
# an image with its truth. Which point is right depends on who looks.
#
# > **Exercise 5** · core · 15 minutes · importance ★★☆
# >
# > What does a critic know? **Predict**, then print the scores that the critic of `networks["pixels + critic"]` gives: to the
# > true image of `sample`, to its reconstruction, to the true image *of another slice*, to the true image upside down, and to
# > the true image plus a little noise. Which of them would a radiologist accept as an image of this patient? (Nobody
# > checks this one; the solution is in `solutions/`.)
# >
# > <details><summary>Hint 1</summary>`critic(x)` takes complex images (batch, height, width).</details>
# > <details><summary>Hint 2</summary>`tested[0].image`, `sample.image.flip(-2)`.</details>

# %% [markdown] tags=["solution"]
# **A solution of exercise 5.**

# %% tags=["solution"]
judge = networks["pixels + critic"].critic
noise = torch.randn(sample.image.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    shown = {
        "this patient": sample.image,
        "reconstruction": networks["pixels + critic"](sample.kspace, sample.A),
        "another slice": tested[0].image,
        "upside down": sample.image.flip(-2),
        "with noise": sample.image + 0.1 * noise,
    }
    for name, x in shown.items():
        print(f"{name:16} score {judge(x).item():+.3f}, PSNR {c.metrics.psnr(x, sample.image).item():6.2f} dB")

# %% [markdown] tags=["solution"]
# The surprise: the critic was never told *whose* image to expect. Another slice and the patient upside down score about as
# high; what it makes of noise changes from run to run. It answers "is this an image?", not "is this the image?". Only the
# pixel loss and the projection tie the network to the patient. (Conditional critics see $A^Hy$ beside the image, and help a
# little.)

# %% [markdown]
# ## Break it
#
# The networks saw R = 4, our noise, healthy heads. Take each away. TV, with its $\lambda$ as it is, stands beside them. The
# last case puts a small bright lesion into the image before it is measured.

# %%
full = test.samples.prepared(len(test) // 2)
image = full.image / full.image.abs().quantile(0.99)
rows, columns = torch.meshgrid(*(torch.arange(n) for n in image.shape[-2:]), indexing="ij")
spot = ((rows - 0.45 * image.shape[-2]) ** 2 + (columns - 0.6 * image.shape[-1]) ** 2 < (size / 50) ** 2).float()


def broken(x=image, acceleration=R, noise=0.02):
    """One coil's data of the image x."""
    mask = protocol(acceleration)(size, 1).reshape(1, 1, 1, -1)
    whole = c.data.Sample(full.kspace, mask, full.maps, x)
    return OneCoil([whole], noise)[0]


cases = {
    "as trained": broken(),
    "R = 2": broken(acceleration=2),
    "R = 8": broken(acceleration=8),
    "5 times the noise": broken(noise=0.1),
    "a lesion": broken(image * (1 + 1.0 * spot)),
}
psnr = {}
print(f"{'PSNR (dB)':20}" + "".join(f"{name:>20}" for name in methods))
for case, s in cases.items():
    with torch.no_grad():
        psnr[case] = [c.metrics.psnr(m(s.kspace, s.A), s.image).item() for m in methods.values()]
    print(f"{case:20}" + "".join(f"{value:20.2f}" for value in psnr[case]))
assert all(a > b for a, b in zip(psnr["R = 2"][:3], psnr["R = 8"][:3]))

# %% [markdown]
# PSNR hardly sees the lesion. Its *contrast* does: the mean inside minus the mean around, over that of the truth. 1 is as
# bright as it was.

# %%
around = ((rows - 0.45 * image.shape[-2]) ** 2 + (columns - 0.6 * image.shape[-1]) ** 2 < (size / 20) ** 2) & (
    spot == 0
)


def contrast(x):
    return (x.abs()[0][spot > 0].mean() - x.abs()[0][around].mean()).item()


s = cases["a lesion"]
with torch.no_grad():
    kept = {name: contrast(model(s.kspace, s.A)) / contrast(s.image) for name, model in methods.items()}
print("contrast of the lesion that is left:", ", ".join(f"{name} {value:.2f}" for name, value in kept.items()))

# %% [markdown]
# ## What the number hides
#
# - A sharp image is not a true one, and sharpness counts noise as sharp.
# - "Invented" counts edges. A lesion that is *removed* is not counted, and is worse.
# - The misfit of GANCS is zero for any weights. It says nothing about what was not measured.
# - `fit` chose the weights by PSNR. Chosen by looks they would be others.
# - One seed each. `python -m course_lib experiments 20 21` plays with several and says how sure it is.
# - "Single coil" was simulated from combined images, as in the papers. Scanners have many coils, and with their data a
#   network has less to invent.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. The critic gives 1/2 to real and to reconstructed images alike. What does the critic pay, with least squares?",
    right={"1/2": "(1 - 1/2)^2 + (1/2)^2: what it pays when it cannot tell."},
    wrong={
        "0": "That would be a critic that is always right.",
        "1": "That would be one certain, and wrong, about one of the two.",
    },
)

# %%
quiz.choice(
    "2. The generator's loss rises for a while in adversarial training. That means",
    right={"nothing by itself: the critic may have become better": "Each loss is measured by the other player."},
    wrong={
        "the images get worse": "They may get better, more slowly than the critic does.",
        "the learning rate is too high": "It may be, but a rising loss does not show it here.",
    },
)

# %%
quiz.choice(
    "3. GANCS with one coil returns an image with misfit 0. So",
    right={"it agrees with the measured samples, noise included": "That holds for random weights, too."},
    wrong={
        "the image is right where it was measured": "Samples are measured in k-space, and they are noisy.",
        "it contains no hallucination": "Inventions live where nothing was measured.",
    },
)

# %%
quiz.choice(
    "4. Which information ties the reconstruction to *this* patient?",
    right={"the data, by the input, the projection and the pixel loss": "The critic only knows images in general."},
    wrong={
        "the critic": "Another patient's true image pleases it as much.",
        "sharpness": "Any sharp image has it.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
with torch.no_grad():
    asked = zero_filled(sample.kspace, sample.A), tv(sample.kspace, sample.A)
quiz.number(
    "5. How sharp is the tuned TV image of `sample`, as a part of the truth?",
    sharpness(asked[1], sample.image).item(),
    "TV flattens texture. A pixel loss does, too.",
    near={
        sharpness(asked[0], sample.image).item(): "That is the zero-filled image's.",
        sharpness(sample.image, asked[1]).item(): "That is the truth over TV: exchange the two arguments.",
    },
)

# %% [markdown]
# ## Wrap-up
#
# - You **wrote** two losses from the same scores, for two players who want the opposite.
# - You **played** a round in which one moves at a time.
# - You **projected** the network's image onto those that agree with the data, exactly.
# - You **split** errors, and found nearly all of them where nobody measured.
# - You **measured** sharpness and invented edges beside PSNR, and mixed one into the other.
# - You **showed** that a critic does not know the patient, and broke the networks with a lesion.
#
# Next: chapter 10, super-resolution.

# %% [markdown]
# ## From text to source

# %%
print(c.show("gancs", source=False, verify=False))
print(c.diff("gan", "gancs"))

# %% [markdown]
# `c.show("dagan")` shows DAGAN with its source, and tests every claim here and now. What differs from the papers stands in
# each card.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu` takes the full matrix. The papers' sizes are the defaults: `c.build("gancs")`, and `c.build("dagan")`, whose
# generator has 98 million weights. What does a round (both turns) of each cost on this machine?

# %%
print(f"{'':22}{'parameters':>12}{'critic':>12}{'seconds a round':>18}")
for name, words, settings in [
    ("gancs", "small", small), ("dagan", "small", c.card("dagan").small), ("gancs", "paper", {})
]:  # fmt: skip
    model, start = c.build(name, **settings), time.perf_counter()
    for loss_of in (model.critic_loss, model.loss):
        loss_of(one).backward()
    own = sum(p.numel() for p in model.own())
    print(f"{name + ', ' + words:22}{own:12,}{sum(p.numel() for p in model.critic.parameters()):12,}", end="")
    print(f"{time.perf_counter() - start:18.2f}")

# %% [markdown]
# ## Project
#
# > **Exercise 6** · project · 120 minutes · importance ★★☆
# >
# > RefineGAN chains two U-Nets: the first reconstructs, the second refines. Build a generator of two small U-Nets with a
# > projection after each, and train it with $\eta = 0.975$. With the same seconds and the same number of parameters, is it better
# > than one U-Net with one projection? Is the gain due to the second network, or to the second projection?
# >
# > | points | for |
# > |---|---|
# > | 2 | a class that passes the gate "overfit one slice", with exact misfit 0 |
# > | 2 | equal parameters and equal seconds, stated |
# > | 3 | paired differences with intervals, on the unseen person and the real scan, for three seeds |
# > | 2 | sharpness and invented edges beside PSNR |
# > | 1 | a case that breaks it, and why |
# >
# > <details><summary>Hint 1</summary>`c.blocks` has `UNet` and `OnComplex`; `c.diff("gan", "gancs")` shows what changes.</details>
# > <details><summary>Hint 2</summary>A U-Net of width $w$ has about $w^2$ times a constant parameters: two of width
# > $w/\sqrt2$ have as many as one.</details>

# %% [markdown]
# ## References
#
# - Goodfellow I et al. Generative adversarial nets. *Adv Neural Inf Process Syst* 2014.
#   [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)
# - Yang G, Yu S, Dong H et al. DAGAN: deep de-aliasing generative adversarial networks for fast compressed sensing MRI
#   reconstruction. *IEEE Trans Med Imaging* 2018. [doi:10.1109/TMI.2017.2785879](https://doi.org/10.1109/TMI.2017.2785879)
# - Mardani M, Gong E, Cheng JY et al. Deep generative adversarial neural networks for compressive sensing MRI. *IEEE
#   Trans Med Imaging* 2019. [doi:10.1109/TMI.2018.2858752](https://doi.org/10.1109/TMI.2018.2858752)
# - Mao X et al. Least squares generative adversarial networks. *ICCV* 2017.
#   [arXiv:1611.04076](https://arxiv.org/abs/1611.04076)
# - Blau Y, Michaeli T. The perception-distortion tradeoff. *CVPR* 2018.
#   [arXiv:1711.06077](https://arxiv.org/abs/1711.06077)
# - Montalt-Tordera J et al. Machine learning in MRI: image reconstruction. *Phys Med* 2021, section 2.1.
#   [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
