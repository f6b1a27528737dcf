"""Experiments can go either way: each is shown planted data on which its claim holds, and data on which it does not."""

import json
import time

import pytest
import torch

from course_lib import data, experiments
from course_lib.__main__ import main
from course_lib.data.dataset import Slice
from course_lib.data.phantom import coil_maps, ellipses, phantom_sample
from course_lib.errors import CourseError
from course_lib.experiments import (
    EXPERIMENTS,
    Verdict,
    combination,
    decide,
    learned,
    parallel_imaging,
    report,
    scans,
    sparsity,
    speed,
    tuning,
)
from course_lib.experiments.statistics import gini, largest, slope, spearman
from course_lib.methods import Reconstructor, card
from course_lib.ops import Coils, Fourier
from course_lib.profiles import profile
from course_lib.scores import Interval

SIZE = 32


class Worse(Reconstructor):
    """What a better method returns, and an error of the size of the image on top."""

    def __init__(self, error: float = 1.0):
        super().__init__()
        self.error = error

    def forward(self, y, A):
        return A.H(y) + self.error * A.H(y).abs().amax()


def planted(maps, seed=0, image=None):
    image = ellipses(*maps.shape[-2:], seed) if image is None else image
    return Slice((Fourier() @ Coils(maps))(image), maps, image, (0, maps.shape[-1]), None)


@pytest.mark.parametrize(
    "low, high, margin, outcome",
    [
        (0.1, 0.3, 0.0, "confirmed"),
        (0.1, 0.3, 0.2, "not decided"),
        (0.1, 0.9, 0.2, "not decided"),  # the whole interval counts, not its middle
        (0.21, 0.3, 0.2, "confirmed"),
        (-0.3, -0.1, 0.0, "refuted"),
        (-0.3, 0.1, 0.0, "not decided"),
        (-0.1, 0.1, 0.2, "refuted"),
        (-0.3, 0.1, 0.2, "not decided"),
        (-0.9, -0.5, 0.2, "refuted"),
        (float("nan"), float("nan"), 0.0, "not decided"),
    ],
)
def test_the_interval_decides(low, high, margin, outcome):
    assert decide(Interval((low + high) / 2, low, high), margin) == outcome


def test_statistics_are_right_on_lists_whose_answer_is_known():
    assert gini(torch.ones(50)) == pytest.approx(0, abs=1e-12)
    assert gini(torch.eye(1, 100)) == pytest.approx(1 - 1 / 100)
    assert gini(torch.tensor([1.0, 3.0])) == gini(torch.tensor([-3j, 1.0])) == pytest.approx(0.25)
    assert largest(torch.tensor([3.0, 4j, *[0.0] * 18])) == 1
    assert largest(torch.tensor([3.0, 4.0, *[0.0] * 8])) == pytest.approx(16 / 25)
    assert spearman(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([2.0, 3.0, 70.0])) == pytest.approx(1)
    assert spearman(torch.tensor([1.0, 5.0, 9.0]), torch.tensor([2.0, -3.0, -70.0])) == pytest.approx(-1)
    x = torch.tensor([0.0, 1.0, 3.0])
    assert torch.allclose(slope(x, torch.stack([2 * x + 1, -x])), torch.tensor([2.0, -1.0]))


def test_claim_1_an_image_is_unseen_only_when_lines_are_missing():
    slices = [planted(coil_maps(4, 16, 16), seed) for seed in range(3)]
    assert parallel_imaging.unseen(slices).outcome == "confirmed"
    assert parallel_imaging.unseen(slices, R=1).outcome == "refuted"


def test_claim_1_the_unseen_part_is_what_the_missing_lines_hold():
    image = ellipses(16, 16)
    mask = torch.zeros(1, 1, 1, 16)
    mask[..., ::2] = 1
    A = parallel_imaging.matrix(parallel_imaging.Sense(mask, torch.ones(1, 1, 16, 16, dtype=torch.complex64)))
    k = Fourier()(image)
    expected = float((k * (1 - mask[0])).norm() / k.norm())
    assert parallel_imaging.unseen_part(image.flatten(), A) == pytest.approx(expected, abs=1e-5)


def test_claim_2_coils_that_see_different_places_cost_only_the_samples():
    strips = torch.zeros(1, 4, SIZE, SIZE, dtype=torch.complex64)
    for coil in range(4):
        strips[:, coil, :, coil * SIZE // 4 : (coil + 1) * SIZE // 4] = 1
    R = (1, 2, 4)
    ideal = [planted(strips, seed) for seed in range(3)]
    alike = [planted(coil_maps(4, SIZE, SIZE), seed) for seed in range(3)]
    assert parallel_imaging.steepness(ideal, R, replicas=200).outcome == "refuted"
    assert parallel_imaging.steepness(alike, R, replicas=40).outcome == "confirmed"


def test_claim_3_single_bright_pixels_are_sparser_than_their_wavelets():
    rng = torch.Generator().manual_seed(0)
    points = [(torch.rand(1, SIZE, SIZE, generator=rng) > 0.98).to(torch.complex64) for _ in range(3)]
    smooth = [ellipses(SIZE, SIZE, seed) + 0.1 for seed in range(3)]
    assert sparsity.sparser(points).outcome == "refuted"
    assert sparsity.sparser(smooth).outcome == "confirmed"


def test_claim_3_shuffling_keeps_the_pixels_and_loses_the_sparsity():
    whole = planted(coil_maps(2, SIZE, SIZE))
    mixed = sparsity.shuffled(whole, 0).image
    assert gini(mixed) == pytest.approx(gini(whole.image), abs=1e-6)
    assert gini(sparsity.Wavelet()(mixed)) < gini(sparsity.Wavelet()(whole.image)) - 0.05


def test_claim_4_masks_that_are_compared_cost_the_same():
    for rule in sparsity.RULES.values():
        for width in (64, 128):
            mask = rule(width, 3).expand(1, 1, width, width)
            assert mask.mean() == pytest.approx(float(sparsity.regular(width, 3).mean()), rel=0.05)
    assert not torch.equal(sparsity.irregular(64, 1), sparsity.irregular(64, 2))


def test_claim_4_side_lobes_are_found():
    every = torch.zeros(1, 1, 1, 64)
    every[..., ::4] = 1
    assert sparsity.side_lobe(every) > 0.9
    assert sparsity.side_lobe(sparsity.disc(64, 0)) < 0.3 < sparsity.side_lobe(sparsity.regular(64, 0))


@pytest.mark.slow
def test_claim_4_the_better_masks_win_whatever_they_are_called():
    slices = [planted(coil_maps(1, 64, 64) * 0 + 1, seed) for seed in range(3)]
    rules = {"regular": sparsity.regular, "random": sparsity.disc}
    swapped = {"regular": sparsity.disc, "random": sparsity.regular}
    assert sparsity.coherent_or_not(rules, slices, slices[:1]).outcome == "confirmed"
    assert sparsity.coherent_or_not(swapped, slices, slices[:1]).outcome == "refuted"


def samples(count=3):
    return [phantom_sample(SIZE, SIZE, noise=0.02, seed=seed) for seed in range(count)]


def test_claim_5_what_is_worse_together_is_refuted():
    few, good, bad = samples(), card("cs_tv").build(iterations=15), card("zero_filled").build()
    assert combination.better_together(good, (bad, Worse()), few, few).outcome == "confirmed"
    assert combination.better_together(bad, (Worse(), good), few, few).outcome == "refuted"  # the best part counts
    assert combination.better_together(good, (good, bad), few, few).outcome == "refuted"  # no gain at all


def test_coil_by_coil_is_the_method_on_each_coil():
    sample = phantom_sample(SIZE, SIZE)
    zero_filled = card("zero_filled").build()
    x = combination.CoilByCoil(zero_filled)(sample.kspace, sample.A)
    assert torch.allclose(x, zero_filled(sample.kspace, sample.A), atol=1e-5)
    batch = data.stack(samples(2))
    x = combination.CoilByCoil(card("cs_tv").build())(batch.kspace, batch.A)
    one = samples(2)[1]
    assert torch.allclose(x[1:], combination.CoilByCoil(card("cs_tv").build())(one.kspace, one.A), atol=1e-5)


@pytest.mark.slow
def test_claim_6_the_clock_decides():
    class Slow(Reconstructor):
        def forward(self, y, A):
            end = time.process_time() + 2
            while time.process_time() < end:
                pass
            return A.H(y)

    few = samples(2)
    cs = {"cs_tv": lambda n: card("cs_tv").build(iterations=n)}
    quick, slow = {"a": card("zero_filled").build()}, {"a": Slow()}
    assert speed.slower(cs, quick, quick, few).outcome == "confirmed"
    assert speed.slower(cs, slow, quick, few).outcome == "refuted"
    both, light = {"a": quick["a"], "b": Slow()}, {"a": quick["a"], "b": quick["a"]}
    assert speed.slower(cs, both, light, few).outcome == "refuted"  # the slower network counts


def test_claim_6_operators_are_counted():
    sample = phantom_sample(SIZE, SIZE)
    assert speed.applied(card("zero_filled").build(), sample) == 1
    assert speed.applied(card("cs_wavelet").build(iterations=7), sample) == 8
    assert speed.applied(card("sense_cg").build(iterations=7), sample) == 8
    A = speed.Counted(sample.A)
    assert torch.equal(A.N(A.H(A(sample.image))), sample.A.N(sample.A.H(sample.A(sample.image)))) and A.count == 3


def test_claim_6_enough_is_where_the_quality_stays():
    class Planted(Reconstructor):
        def __init__(self, n):
            super().__init__()
            self.error = 0.01 if n in (8, 30) or n >= 50 else 0.1

        def forward(self, y, A):
            return sample.image * (1 + self.error)

    sample = phantom_sample(SIZE, SIZE)
    assert speed.iterations(Planted, sample) == 50  # it was as good before, but did not stay so


def test_claim_7_what_is_flatter_is_found_when_psnr_is_equal():
    class Rough(Reconstructor):
        def forward(self, y, A):
            rough = 0.05 * (torch.arange(SIZE * SIZE).reshape(1, SIZE, SIZE) % 2 * 2 - 1)
            return here.image + rough * (here.image.abs() > 0) * torch.sgn(here.image)

    class Smooth(Reconstructor):
        def forward(self, y, A):
            return here.image * 1.05

    here = phantom_sample(SIZE, SIZE)
    few = [here] * 3
    match = Worse(0.0)
    verdict = learned.flatter(Smooth(), Smooth(), match, few)
    assert verdict.outcome == "refuted"
    assert learned.flatter(Smooth(), match, match, few).outcome == "not decided"  # PSNR differs
    assert "not equal" in learned.flatter(Smooth(), match, match, few).remark
    near = Level(here, Smooth(), Rough())
    assert learned.flatter(Smooth(), near, match, few).outcome == "confirmed"
    assert learned.flatter(near, Smooth(), match, few).outcome == "refuted"


class Level(Reconstructor):
    """The second method, its error scaled so that its PSNR is that of the first."""

    def __init__(self, sample, first, second):
        super().__init__()
        y, A, truth = sample.kspace, sample.A, sample.image
        error = second(y, A).abs() - truth.abs()
        size = (first(y, A).abs() - truth.abs()).norm() / error.norm()
        self.x = (truth.abs() + size * error) * torch.sgn(truth)

    def forward(self, y, A):
        return self.x


def test_claim_7_kurtosis_of_few_jumps_is_large():
    rng = torch.Generator().manual_seed(0)
    noise = 5 + torch.randn(1, 64, 64, generator=rng)
    steps = 5 + (torch.arange(64) > 32).float().expand(1, 64, 64)
    assert learned.kurtosis(noise, noise) == pytest.approx(3, abs=0.3)
    assert learned.kurtosis(steps, steps) > 20


def test_claim_8_one_lambda_is_enough_when_all_images_agree():
    where = torch.arange(7.0)
    alike = 30 - (where - 3).square().expand(4, 5, 7)
    patients = 30 - (where - torch.tensor([1.0, 2, 3, 4, 5])[:, None]).square().expand(4, 5, 7)
    applications = 30 - (where - torch.tensor([1.0, 3, 5, 5])[:, None, None]).square().expand(4, 5, 7)
    assert tuning.one_for_all(alike).outcome == "refuted"
    assert tuning.one_for_all(patients).outcome == "confirmed"
    assert "leaves +2.00" in tuning.one_for_all(patients).remark  # all of it is the patient's
    verdict = tuning.one_for_all(applications)
    assert verdict.outcome == "confirmed" and "leaves +0.00" in verdict.remark  # nothing is left to the patient


def test_claim_9_a_worse_network_is_refuted():
    few, good, bad = samples(), card("cs_tv").build(iterations=15), card("zero_filled").build()
    groups = {"test": few, "real scan": few}
    assert learned.learned_better(good, (bad, Worse()), bad, groups).outcome == "confirmed"
    assert learned.learned_better(bad, (Worse(), good), good, groups).outcome == "refuted"


def test_a_denoiser_that_finds_nothing_leaves_gradient_descent():
    sample = phantom_sample(SIZE, SIZE)
    plug = learned.PlugAndPlay(iterations=3)
    x = AHy = sample.A.H(sample.kspace)
    for _ in range(3):
        x = x - (sample.A.N(x) - AHy)
    with torch.no_grad():
        assert torch.allclose(plug(sample.kspace, sample.A), x, atol=1e-6)  # its last layer starts at zero
        plug.f.forward = lambda v: v
        assert torch.allclose(plug(sample.kspace, sample.A), 0.5 * step_of(plug, sample), atol=1e-6)


def step_of(plug, sample):
    """x - A^H (A x - y) at the iterate before the last, when half of everything is taken for noise."""
    x = AHy = sample.A.H(sample.kspace)
    for _ in range(plug.iterations - 1):
        x = 0.5 * (x - (sample.A.N(x) - AHy))
    return x - (sample.A.N(x) - AHy)


def test_the_denoiser_learns_to_find_noise():
    sample = phantom_sample(SIZE, SIZE)
    plug = learned.PlugAndPlay(width=8, depth=3)
    optimiser = torch.optim.Adam(plug.parameters(), lr=3e-3)

    def error():
        torch.manual_seed(1)
        return sum(plug.loss(sample).item() for _ in range(20))

    before = error()
    for _ in range(200):
        optimiser.zero_grad()
        plug.loss(sample).backward()
        optimiser.step()
    assert error() < 0.7 * before


def test_more_noise_is_as_much_as_asked_for():
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 4, 64, 64, dtype=torch.complex64, generator=rng)
    whole = Slice(noise, torch.ones_like(noise), noise[:, 0], (0, 64), None)
    assert scans.noisier(whole, 3, seed=1).kspace.std().item() == pytest.approx(3, rel=0.1)
    assert torch.equal(scans.noisier(whole, 1).kspace, noise)


def test_slices_are_spread_over_the_volumes():
    assert len(scans.few("test", profile("ci"), 2)) == 2
    assert len(scans.few("test", profile("ci"), 100)) == len(data.slices("test", sampling_mask()))


def sampling_mask():
    return lambda width, seed: torch.ones(1, 1, 1, width)


def test_the_command_prints_verdicts_and_writes_the_table(capsys, tmp_path, monkeypatch):
    verdict = Verdict("refuted", Interval(-1.0, -2.0, -0.5), "PSNR (dB)", "Not always.")
    planted = experiments.Experiment(3, "1.1", "Water is dry.", lambda where: verdict)
    monkeypatch.setitem(EXPERIMENTS, 3, planted)
    table = tmp_path / "verdicts.md"
    assert main(["experiments", "3", "--profile", "ci", "--json", "-o", str(table)]) == 0
    out = capsys.readouterr().out
    assert "REFUTED" in out and "-1 [-2, -0.5]" in out and "Not always." in out
    found = json.loads(out.splitlines()[-1])
    assert found["profile"] == "ci" and found["verdicts"][0]["effect"] == {"mean": -1.0, "low": -2.0, "high": -0.5}
    row = next(line for line in table.read_text().splitlines() if line.startswith("| 3 "))
    assert row.count("|") == 7 and "**refuted**" in row


def test_verdicts_are_kept_one_by_one(tmp_path, monkeypatch, capsys):
    runs = []

    def answer(number, effect):
        def run(where):
            runs.append(number)
            if effect is None:
                raise CourseError("interrupted")
            return Verdict("confirmed", Interval(effect, effect, effect), "dB", "So.")

        monkeypatch.setitem(EXPERIMENTS, number, experiments.Experiment(number, "1", f"Claim {number}.", run))

    table = tmp_path / "verdicts.md"
    command = ["experiments", "5", "3", "4", "--missing", "--profile", "ci", "-o", str(table)]
    for number, effect in ((5, 1.0), (3, 2.0), (4, None)):
        answer(number, effect)
    assert main(command) == 2  # 4 fails, 5 and 3 are there
    answer(4, 3.0)
    assert main(command) == 0 and runs == [5, 3, 4, 4]
    rows = [line for line in table.read_text().splitlines() if "dB: " in line]
    assert [row[:4] for row in rows] == ["| 3 ", "| 4 ", "| 5 "] and "3 claims: 3 confirmed." in table.read_text()
    before = table.read_text()
    assert main(["experiments", "5", "--profile", "cpu", "-o", str(table)]) == 2
    assert "another profile's verdicts" in capsys.readouterr().err and table.read_text() == before


def test_an_unknown_number_is_one_line(capsys):
    assert main(["experiments", "3", "999"]) == 2
    assert "no such experiment" in capsys.readouterr().err
    with pytest.raises(CourseError):
        next(report.answers([999], profile("ci")))


def test_no_cell_of_the_table_breaks_it():
    for e in EXPERIMENTS.values():
        assert "|" not in e.claim and e.claim.endswith(".") and len(e.claim) < 120


@pytest.mark.slow
@pytest.mark.parametrize("number", sorted(EXPERIMENTS))
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided")
    assert verdict.effect.low <= verdict.effect.mean <= verdict.effect.high
    assert verdict.measure and verdict.remark and "|" not in verdict.measure + verdict.remark
