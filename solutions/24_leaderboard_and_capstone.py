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
# # 24 The leaderboard, and your own data
#
# ![Three charts with a number for each method: quality on a simulated person over seconds a slice, over parameters, and over quality on a real scan](../docs/24_leaderboard_and_capstone.png)
#
# Every chapter ended with a small table. Here all methods stand on one board: the same people, masks, seconds of training
# and metric code. **Who wins, what does it cost, and does the order hold on a real scan?**

# %% [markdown]
# ## What you can do at the end
#
# After this chapter you can
#
# 1. **give** a difference between two methods its interval (exercise 1, quiz 1),
# 2. **tell** whether two rankings agree, and see what makes them disagree (exercise 2, quiz 5),
# 3. **choose** a method for a budget (exercise 3, the slider),
# 4. **separate** a better method from luck in training (exercise 4, quiz 2),
# 5. **break** a board without touching a method (quiz 3),
# 6. **bring** your own data, predict the ranking, and test the prediction (project).
#
# **You need** chapters 03, 05 and 06. The methods have their own chapters, from 07 on; none is needed to read a board.
# **Time**: about 70 minutes. **Computing**: under 25 s (`ci`), under 150 s (`cpu`), on two cores.

# %%
import re
import time
from pathlib import Path

import torch

import course_lib as c
from course_lib import leaderboard
from course_lib.sampling import effective_acceleration, protocol
from course_lib.scores import table
from course_lib.teach import check, figures, quiz, slider, use
from course_lib.teach.board import board as draw

START = time.perf_counter()
where = c.profile()
seconds, checks = {"ci": (3, 2), "cpu": (35, 5), "gpu": (60, 6)}[where.name]  # of training each network; validations
torch.manual_seed(0)
print(f"profile {where.name}, torch {torch.__version__}, course_lib {c.__version__}; {seconds} s of training a network")

# %% [markdown]
# > **Notation**
# >
# > | symbol | meaning | in the code |
# > |---|---|---|
# > | $q_m(s)$ | PSNR (dB) of method $m$ on slice $s$ | `line.values("test")` |
# > | $d(s)$ | $q_a(s) - q_b(s)$: a difference on the *same* slice | `a - b` |
# > | $\tau$ | Kendall's rank correlation, from -1 to 1 | `tau(a, b)` |
# > | $R$ | nominal acceleration; the masks' effective one is printed | `R` |

# %% [markdown]
# ## The data
#
# Two kinds of data here. First the board that comes with the course, made by one command:
#
# `python -m course_lib leaderboard --profile cpu --seconds 80`
#
# Each network was trained for the same time on the training persons; each classical method had its setting tuned on the
# validation persons; all were measured on one unseen person (simulated with real coils and noise) and on the real scan. Second,
# the same images under open licences as in every chapter (`data/PROVENANCE.md`), to make rows of our own.

# %%
file = next(path for path in (Path("../results"), Path("results")) if path.is_dir()) / "leaderboard_cpu.json"
rows = leaderboard.read(file)
row = next(row for row in rows if row["method"] == "dc_cnn")
print(f"{len(rows)} rows; one of them, lists shortened:")
for key, value in row.items():
    short = (
        {k: f"{len(v)} slices" if isinstance(v, list) else v for k, v in value.items()}
        if key in ("test", "real")
        else value
    )
    print(f"  {key:18}", short)

# %% [markdown]
# The *fingerprint* is a short number made from the code, the data and the settings that the row depends on. If one of them
# changes, the row is *stale* and is made again: no number on the board is older than what it speaks of.
#
# > **Predict 1.** Random lines, R = 4, many coils. Order these on the simulated person: CG-SENSE, tuned TV, a U-Net that
# > repairs the image, KIKI-Net, an unrolled network (DC-CNN). Then the same on the real scan. Write both down.

# %% [markdown]
# ## The naive thing: sort by the mean

# %%
tasks = leaderboard.tasks(rows, [])
lines = tasks["random", 4]
print(f"random lines, R = 4, effective {lines[0].rows[0]['effective']:.2f}")
for rank, line in enumerate(lines, 1):
    real = sorted(lines, key=lambda other: -other.mean("real")).index(line) + 1
    print(f"{rank:3} {line.method:18}{line.mean('test'):7.2f} dB   real scan {line.mean('real'):7.2f} dB, rank {real}")
best = {line.method: line for line in lines}
assert best["dc_cnn"].mean("test") > best["cs_tv"].mean("test") > best["zero_filled"].mean("test")

# %%
draw(lines, "random lines, R = 4")

# %% [markdown]
# A list of means looks sure of itself. But neighbours in it differ by tenths of a dB, from a dozen slices of one person, and a
# network that is trained again comes out somewhere else. Which of these places mean anything?

# %% [markdown]
# ## A difference and its interval
#
# Slices differ far more than methods do: some are easy for everybody. So compare on the *same* slice, and ask how much the
# mean of the differences would change with other slices: draw slices with replacement, many times, and look where the mean
# falls (the *bootstrap*).
#
# > **Exercise 1** · core · 10 minutes · importance ★★★
# >
# > Write `paired(a, b, picks)`: the mean of `a - b` over slices, and the edges of its 95 % interval, three numbers. `a`, `b`
# > (slices,); `picks` (draws, slices) holds the numbers of the drawn slices, one draw a row.
# >
# > <details><summary>Hint 1</summary>`d = a - b`; `d[picks]` has the shape of `picks`.</details>
# > <details><summary>Hint 2</summary>One mean for each draw, then `quantile` at 0.025 and 0.975.</details>


# %%
def paired(a, b, picks):
    """Mean of a - b, and the lower and upper edge of its 95 % bootstrap interval."""
    #: solution
    d = a - b
    low, high = d[picks].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=d.dtype))
    return d.mean().item(), low.item(), high.item()
    #: end


check.ch24_paired(paired)

# %%
paired = use(paired, check.ch24_paired)

# %% [markdown] tags=["solution"]
# **Analysis.** If the slices of `a` and of `b` were drawn apart, the interval would hold how different slices are, and nearly
# every difference would be "not decided". Pairing is free: the data are there. What it cannot give is other *people*: all
# slices are of one person.

# %%
slices = len(lines[0].values("test"))
picks = torch.randint(slices, (2000, slices), generator=torch.Generator().manual_seed(0))
reference = best["cs_tv"].values("test")
print(f"{'PSNR minus tuned TV':20}{'mean':>8}   95 % interval")
decided = {}
for line in lines:
    mean, low, high = paired(line.values("test"), reference, picks)
    decided[line.method] = "better" if low > 0 else "worse" if high < 0 else "not decided"
    print(f"{line.method:20}{mean:+8.2f}   [{low:+.2f}, {high:+.2f}]   {decided[line.method]}")
assert decided["dc_cnn"] == "better" and decided["zero_filled"] == "worse"

# %% [markdown]
# ## Does the order hold on the real scan?
#
# The simulated person's k-space was computed from an image; the real scan was never an image before it was measured. If the
# order of the methods were a property of the methods, both would give the same one.
#
# There is a board for each kind of data: `random` lines (the one above), `regular` lines with a block around the centre,
# `centre` lines alone (chapter 10), films of a `heart` and of `flow` (chapters 08 and 17; `flow` has no real scan), and
# `small` images of 32 x 32 (chapters 13 and 20).
#
# > **Exercise 2** · core · 10 minutes · importance ★★★
# >
# > Write `tau(a, b)`, Kendall's rank correlation: over all pairs of methods, those in the same order in `a` and `b` minus
# > those in the opposite order, divided by the number of pairs. `a`, `b` (methods,), no two values alike.
# >
# > <details><summary>Hint 1</summary>`a[:, None] - a` holds all differences; only their sign matters.</details>
# > <details><summary>Hint 2</summary>Each pair stands in the table twice: take `torch.triu(..., 1)`.</details>


# %%
def tau(a, b):
    """Kendall's rank correlation of two lists of scores."""
    #: solution
    same = (a[:, None] - a).sign() * (b[:, None] - b).sign()
    return same.triu(1).sum().item() / (len(a) * (len(a) - 1) / 2)
    #: end


check.ch24_tau(tau)

# %%
tau = use(tau, check.ch24_tau)

# %% [markdown] tags=["solution"]
# **Analysis.** 1 is the same order, -1 the reverse, 0 what chance gives on average. Unlike a correlation of the values it does
# not care that zero-filling is many dB away from everything else: one far point would make any two lists look alike.


# %%
def scores(some, split, metric="psnr"):
    return torch.tensor([line.mean(split, metric) for line in some])


for (name, R), some in tasks.items():
    if some[0].real:
        agreement = tau(scores(some, "test"), scores(some, "real"))
        print(f"{name:10} R = {R}: {len(some):2} methods, tau of simulated and real {agreement:+.2f}")
eight = {line.method: line for line in tasks["random", 8]}
both = [line for line in lines if line.method in eight]
between = tau(scores(both, "test"), scores([eight[line.method] for line in both], "test"))
print(f"random lines, simulated: tau of R = 4 and R = 8 {between:+.2f}")

# %% [markdown]
# The last places stay, most others do not: on the real scan tuned TV is ahead of all networks, if only by a hair of DC-CNN.
# Look who moves most between the two columns:

# %%
ranks = {split: scores(lines, split).argsort(descending=True).argsort() + 1 for split in ("test", "real")}
moved = ranks["test"] - ranks["real"]
for index in moved.abs().argsort(descending=True)[:4].tolist():
    line = lines[index]
    print(f"{line.method:18} simulated {ranks['test'][index]:2}, real {ranks['real'][index]:2}; learns from {line.rows[0]['learns']}")  # fmt: skip

# %% [markdown]
# ## What is it worth?
#
# Quality has a price: seconds for each slice, seconds of training, memory, a database that somebody must collect. A method
# is *on the front* if nobody is both cheaper and better.
#
# > **Exercise 3** · core · 10 minutes · importance ★★☆
# >
# > Write `front(cost, quality)`: for each method, True if no other one beats it. $j$ beats $i$ if it costs no more, is no
# > worse, and is strictly better in at least one of the two. Both are (methods,); more quality is better.
# >
# > <details><summary>Hint 1</summary>`cost[None] <= cost[:, None]` asks, in row i and column j: does j cost no more than
# > i?</details>
# > <details><summary>Hint 2</summary>Combine three such tables with `&` and `|`; `~beaten.any(1)`.</details>


# %%
def front(cost, quality):
    """True for each method that no other one beats."""
    #: solution
    cheap, good = cost[None] <= cost[:, None], quality[None] >= quality[:, None]
    strictly = (cost[None] < cost[:, None]) | (quality[None] > quality[:, None])
    return ~(cheap & good & strictly).any(1)
    #: end


check.ch24_front(front)

# %%
front = use(front, check.ch24_front)

# %% [markdown] tags=["solution"]
# **Analysis.** A front names no winner: it says what you give up for what. Everything off it needs another reason to be used:
# it needs no training data, it can be explained, it is certified.

# %%
cost = torch.tensor([line.rows[0]["test"]["seconds"] for line in lines])
for split in ("test", "real"):
    on = front(cost, scores(lines, split))
    chosen = sorted((line for line, stays in zip(lines, on) if stays), key=lambda line: line.rows[0]["test"]["seconds"])
    print(f"on the front, {'simulated' if split == 'test' else 'real scan'}:")
    for line in chosen:
        print(f"   {line.method:18}{line.rows[0]['test']['seconds']:8.3f} s a slice, {line.mean(split):.2f} dB")


# %%
def within(budget):
    """Quality over seconds a slice; what is too slow for the budget (seconds) is left out."""
    some = [line for line in lines if line.rows[0]["test"]["seconds"] <= budget]
    words = f"Within {budget} s a slice: {len(some)} of {len(lines)} methods, the best is {some[0].method}."
    return draw(some, f"at most {budget} s a slice").saying(words)


budgets = [b for b in (0.03, 0.1, 0.3, 3.0, 30.0) if (cost <= b).any()]
within(budgets[0])

# %%
within(budgets[-1])

# %% [markdown]
# The slider answers: which method is best when a slice may take so long?

# %%
slider("seconds a slice", within, budgets)

# %% [markdown]
# ## How much is luck?
#
# A network starts from random weights and sees its data in random order. Train it again and the mean PSNR is another one.
#
# > **Exercise 4** · core · 5 minutes · importance ★★★
# >
# > Write `luck(psnr)`: the standard deviation (n - 1) over trainings of the mean PSNR. `psnr` is (trainings, slices).
# >
# > <details><summary>Hint 1</summary>First the mean of each training, then how these means scatter.</details>


# %%
def luck(psnr):
    """Standard deviation over trainings of the mean over slices."""
    #: solution
    return psnr.mean(1).std().item()
    #: end


check.ch24_luck(luck)

# %%
luck = use(luck, check.ch24_luck)

# %% [markdown] tags=["solution"]
# **Analysis.** A paired interval over slices says nothing about this: all its slices were reconstructed by one training. A
# difference between two networks that is not large against the luck of both is a difference between two trainings.

# %%
trained = [line for line in lines if len(line.rows) > 1]
for line in trained:
    psnr = torch.tensor([row["test"]["psnr"] for row in line.rows])
    print(f"{line.method:18}{len(psnr)} trainings: {psnr.mean():.2f} dB, luck {luck(psnr):.2f} dB")
assert trained, "the board holds no method that was trained more than once"

# %% [markdown]
# ## Rows of your own
#
# Is the board true? Make some rows again, in your profile. TV is tuned, two networks are trained for the same time.
#
# > **Predict 2.** Less time than on the board, and perhaps smaller images. Which of the three will be first on the simulated
# > person, which on the real scan? By how much, given what you know about luck? (Two tables below answer.)

# %%
R = 4
validation, test, real = (c.data.slices(split, protocol(R)) for split in ("val", "test", "real"))
tuning = [validation[i] for i in range(0, len(validation), 3)]
lam = c.tune(lambda v: c.build("cs_tv", lam=v), tuning, [0.00025, 0.0005, 0.001, 0.002, 0.004])
mine = {"zero_filled": c.build("zero_filled"), "cs_tv": c.build("cs_tv", lam=lam)}
baseline = c.evaluate(mine["cs_tv"], validation).mean("psnr")
print(f"{len(test)} test slices, effective R {effective_acceleration(test[0].mask):.2f}; TV: lambda = {lam}")

# %%
for name in ("unet", "dc_cnn"):
    torch.manual_seed(0)
    mine[name] = c.build(name, **c.card(name).small)
    strip, batch = c.card(name).cut(where.strip, where.batch)
    train = c.data.slices("train", protocol(R), training=True, strip=strip)
    run = c.fit(mine[name], train, validation, seconds, batch=batch, checks=checks)
    print(f"{name}: {run.steps} steps")
figures.curves(run, {"tuned TV": baseline})

# %%
found = {}
for title, samples in {"unseen simulated person": test, "real scan": real}.items():
    found[title] = {name: c.evaluate(model, samples) for name, model in mine.items()}
    print(title, table(found[title], baseline="cs_tv"), "", sep="\n")
unseen = found["unseen simulated person"]
assert unseen["dc_cnn"].over(unseen["zero_filled"]).low > 0
ours = torch.tensor([unseen[name].mean("psnr") for name in mine])
theirs = torch.tensor([best[name].mean("test") for name in mine])
print(f"tau of your order and the board's: {tau(ours, theirs):+.2f}")

# %%
hardest = int((unseen["dc_cnn"].values["psnr"] - unseen["cs_tv"].values["psnr"]).argmin())
picked = test[hardest]
with torch.no_grad():
    shown = {name: mine[name](picked.kspace, picked.A) for name in ("cs_tv", "unet", "dc_cnn")}
print("the slice on which DC-CNN gains least over TV")
size = picked.image.shape[-1]
figures.images(shown, truth=picked.image, zoom=(size // 4, size // 3, size // 4, size // 4))

# %% [markdown]
# ## Break it
#
# Nothing about the methods changes now, only how they are *counted*. First the metric:

# %%
for metric, sign in {"psnr": 1, "ssim": 1, "nrmse": -1}.items():
    order = (sign * scores(lines, "test", metric)).argsort(descending=True)
    first = ", ".join(lines[i].method for i in order[:5].tolist())
    print(
        f"{metric:6} tau with PSNR {tau(scores(lines, 'test'), sign * scores(lines, 'test', metric)):+.2f}; first: {first}"
    )

# %% [markdown]
# Then what is looked at. All of these are "PSNR of DC-CNN minus TV" of the networks you just trained; each is somebody's habit:

# %%
networks, classic = mine["dc_cnn"], mine["cs_tv"]


def gain(samples, inside=False):
    return c.evaluate(networks, samples, inside=inside).over(c.evaluate(classic, samples, inside=inside)).mean


some = [test[i] for i in range(len(test) // 3, 2 * len(test) // 3)]
habits = {
    "as on the board": gain(test),
    "inside the head alone": gain(test, inside=True),
    "the middle third of the slices": gain(some),
    "other lines, same R": gain(c.data.slices("test", lambda width, seed: protocol(R)(width, (7, *seed)))),
    "the real scan": gain(real),
}
for habit, value in habits.items():
    print(f"{habit:32}{value:+6.2f} dB")
spread = max(habits.values()) - min(habits.values())
print(f"from the same weights: {spread:.2f} dB between the largest and the smallest")
assert spread > 0.05

# %% [markdown]
# Many differences that papers report are smaller than this. Two tables can only be compared if the data, masks,
# normalisation and region are the same: the review asks for public data *and* the same setting, and the second is the harder
# half.

# %% [markdown]
# ## Where does the review stand?
#
# The course tests the review's claims by experiments with a margin fixed beforehand (`python -m course_lib experiments`).
# Not all come out as the text says:

# %%
verdicts = re.findall(
    r"^\| (\d+) \| [\d.]+ \| (.*?) \| \*\*(.*?)\*\*",
    (file.parent.parent / "docs" / "verdicts.md").read_text("utf-8"),
    re.M,
)
for outcome in ("confirmed", "refuted", "not decided"):
    these = [(number, claim) for number, claim, verdict in verdicts if verdict == outcome]
    print(f"{outcome}: {len(these)}" + ("" if outcome == "confirmed" else ", among them"))
    for number, claim in these if outcome != "confirmed" else ():
        print(f"   {number:>3} {claim}")
assert {verdict for *_, verdict in verdicts} >= {"confirmed", "refuted"}

# %% [markdown]
# *Refuted* means: in this setting, with these margins. Small images, one person to test on, minutes of training. A claim that
# falls here may stand with a thousand patients; one that stands here may fall in a clinic. `docs/verdicts.md` has the sizes of
# all effects, and what each number hides.

# %% [markdown]
# ## What the number hides
#
# - One person, a dozen slices: the intervals speak of other slices of the same head.
# - Equal seconds is one fair rule among several. With equal steps, or hours, the order of the networks may change; large ones
#   gain most from patience.
# - Small settings: most networks here have a fifth of their paper's weights or less.
# - One implementation of each. A bad place may be ours, not the method's; `c.card(name).differs` lists what we know.
# - The settings of the networks' training were chosen on DC-CNN. Others might have liked others.
# - PSNR rules. Chapter 09 showed what that rewards.

# %% [markdown]
# ## Quiz

# %%
quiz.choice(
    "1. A beats B by 0.3 dB, paired 95 % interval [+0.1, +0.5], on 12 slices of one person. What is sure?",
    right={"A was better on this person, with these weights": "Other slices of the same head are what was varied."},
    wrong={
        "A is better for patients in general": "One person: other people were not drawn.",
        "A is the better method": "Perhaps this training of A was lucky; the interval does not know.",
        "nothing, 12 slices are too few": "For a paired difference they can be enough: zero is outside.",
    },
)

# %%
quiz.choice(
    "2. Networks A and B differ by 0.2 dB; trained three times each, A scatters by 0.3 dB, B by 0.25 dB. What now?",
    right={"train both more often before a word is said": "The difference is within the luck of each."},
    wrong={
        "A wins, its mean is higher": "Another seed may turn it round.",
        "take the best of each and compare": "The best of several trainings measures luck, and the tries.",
    },
)

# %%
quiz.choice(
    "3. Paper 1 reports SSIM .92 for its network, paper 2 .90 for another one, both 'fastMRI, R = 4'. Which is better?",
    right={
        "this cannot be said": "Masks, coils, normalisation, region and SSIM's range may all differ, each for more than .02."
    },
    wrong={
        "the first": "Only if everything else was the same.",
        "the second, its test set was harder": "Perhaps; the two numbers do not say so.",
    },
)

# %%
quiz.choice(
    "4. A row's fingerprint is not that of today's code. What does the board do with it?",
    right={"it is marked, and made again": "The number may still be right; nobody knows."},
    wrong={
        "it stays: the method has not changed": "Metric code, data or masks may have.",
        "it is deleted, and the method leaves the board": "A stale number is marked, not hidden.",
    },
)

# %% [markdown]
# One needs code: write it in a new cell, then type the number.

# %%
known = tau(scores(lines, "test", "ssim"), scores(lines, "real", "ssim"))
quiz.number(
    "5. Kendall's tau between the simulated and the real ranking of the board (random lines, R = 4), by SSIM?",
    known,
    "`tau(scores(lines, 'test', 'ssim'), scores(lines, 'real', 'ssim'))`.",
    near={tau(scores(lines, "test"), scores(lines, "real")): "That is the one by PSNR."},
    tolerance=0.005,
)

# %% [markdown]
# ## Wrap-up
#
# - You **gave** differences their intervals, and know what the intervals do not cover.
# - You **told** how far two rankings agree, and who moves.
# - You **chose** by cost and quality, on a front.
# - You **separated** better from luckier.
# - You **broke** a board by counting otherwise.
# - You are ready to **bring** your own data.

# %% [markdown]
# ## From text to source

# %%
print(c.show("dc_cnn", source=False, verify=False))

# %% [markdown]
# `c.show(name)` for every method of the board; `course_lib/leaderboard/measure.py` is what made each row.

# %% [markdown]
# ## Scaling up
#
# `COURSE_PROFILE=gpu python -m course_lib leaderboard` does the same with the full matrix, all coils and the papers' sizes.
# If its board is there, it stands beside this one:

# %%
large = file.with_name("leaderboard_gpu.json")
if large.exists():
    there = {line.method: line for line in leaderboard.tasks(leaderboard.read(large), [])["random", 4]}
    shared = [line for line in lines if line.method in there]
    print(f"device: {next(iter(there.values())).rows[0]['device']}")
    for line in shared:
        other = there[line.method]
        print(f"{line.method:18} cpu {line.mean('test'):6.2f} dB, {line.rows[0]['parameters']:>10,} parameters; "
              f"gpu {other.mean('test'):6.2f} dB, {other.rows[0]['parameters']:>10,}")  # fmt: skip
    print(
        f"tau of the two: {tau(scores(shared, 'test'), scores([there[line.method] for line in shared], 'test')):+.2f}"
    )
else:
    print("no board of a GPU yet")

# %% [markdown]
# ## Project: the capstone
#
# > **Exercise 5** · project · 240 minutes · importance ★★★
# >
# > Bring your own data. Apply for [fastMRI](https://fastmri.med.nyu.edu), cut a subset of a few volumes, and run the board on
# > it. Before you run it, write down the ranking that you expect, and why.
# >
# > ```
# > python -m course_lib prepare fastmri --src DOWNLOAD --out mine --volumes 12 --slices 8
# > COURSE_DATA=mine python -m course_lib leaderboard zero_filled sense_cg cs_tv unet dc_cnn -o my_results
# > ```
# >
# > | points | for |
# > |---|---|
# > | 2 | a prediction with reasons, written down and dated before the run |
# > | 2 | subjects split, never slices; classical methods tuned on validation |
# > | 3 | paired differences with intervals, and at least three trainings of two networks |
# > | 2 | tau between your board and the course's, and who moved; a reason for each, tested if you can |
# > | 1 | the worst slice of the best method, looked at |
# >
# > <details><summary>Hint 1</summary>No data yet? Use another acceleration, another anatomy of the course (`heart`), or
# > regular lines: these are boards of their own, `tasks` holds them.</details>
# > <details><summary>Hint 2</summary>Start with `--seconds 20` and two methods to see that everything runs; the board goes on
# > where it was stopped.</details>

# %% [markdown]
# ## References
#
# - Montalt-Tordera J, Muthurangu V, Hauptmann A, Steeden JA. Machine learning in Magnetic Resonance Imaging: image
#   reconstruction. *Phys Med* 2021. [doi:10.1016/j.ejmp.2021.03.020](https://doi.org/10.1016/j.ejmp.2021.03.020)
# - Efron B, Tibshirani RJ. *An introduction to the bootstrap*. Chapman & Hall 1993.
#   [doi:10.1201/9780429246593](https://doi.org/10.1201/9780429246593)
# - Kendall MG. A new measure of rank correlation. *Biometrika* 1938.
#   [doi:10.1093/biomet/30.1-2.81](https://doi.org/10.1093/biomet/30.1-2.81)
# - Zbontar J et al. fastMRI: an open dataset and benchmarks for accelerated MRI. 2018,
#   [arXiv:1811.08839](https://arxiv.org/abs/1811.08839)
# - Hammernik K, Schlemper J, Qin C, Duan J, Summers RM, Rueckert D. Systematic evaluation of iterative deep neural networks
#   for fast parallel MRI reconstruction with sensitivity-weighted coil combination. *Magn Reson Med* 2021.
#   [doi:10.1002/mrm.28827](https://doi.org/10.1002/mrm.28827)
#
# Text CC-BY-4.0, code BSD-3-Clause, data as in `data/PROVENANCE.md`.

# %%
print(f"computing in this chapter: {time.perf_counter() - START:.0f} s")
