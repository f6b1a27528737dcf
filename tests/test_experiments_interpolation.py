"""Experiments 25 and 27 can go either way: planted numbers decide them, and arrays are what they say."""

import math
from dataclasses import replace

import pytest
import torch

from course_lib import experiments
from course_lib.data.dataset import Slice
from course_lib.data.phantom import phantom_sample
from course_lib.experiments import EXPERIMENTS, interpolation, scans
from course_lib.ops import Coils, Fourier

NOISE = torch.tensor([0.02, -0.02, 0.01, 0.0, -0.01, 0.0])
LEVELS = [("PCA", -20, 0), ("as they come", -10, 2), ("zero-filled", 0, 0)]  # on the own array, and lost on another


def whole() -> Slice:
    s = phantom_sample(coils=4)
    k = (Fourier() @ Coils(s.maps))(s.image)
    return Slice(k, s.maps, s.image, (0, 32), None)


@pytest.mark.parametrize(
    "with_pca, without, outcome",
    [(0, 2, "confirmed"), (2, 2, "refuted"), (2, 0, "refuted"), (1, 1.2, "not decided")],
)
def test_what_counts_is_the_loss_of_one_over_that_of_the_other(with_pca, without, outcome):
    """The levels themselves do not matter."""
    levels = {"PCA": (-20, with_pca), "as they come": (-10, without)}
    found = {name: [start + 0 * NOISE, start + lost + NOISE, start + NOISE] for name, (start, lost) in levels.items()}
    found["PCA"][1] = found["PCA"][1].flip(0)
    found["zero-filled"] = [NOISE, NOISE, NOISE]
    verdict = interpolation.carried_over(found)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(without - with_pca, abs=1e-4)


@pytest.mark.parametrize("idle", ["PCA", "as they come"])
@pytest.mark.parametrize("over", [-0.1, 0, 3])
def test_a_network_not_visibly_better_than_zero_filling_on_its_own_array_decides_nothing(idle, over):
    """However clear the difference in differences is: the same losses are a verdict when both networks work."""
    found = {name: [start + NOISE.flip(0), start + lost + NOISE, start + NOISE] for name, start, lost in LEVELS}
    assert interpolation.carried_over(found).outcome == "confirmed"
    found[idle] = [level + over - found[idle][0].mean() for level in found[idle]]
    verdict = interpolation.carried_over(found)
    assert verdict.outcome == "not decided" and verdict.effect.low > interpolation.VISIBLE
    assert (
        f"Not visibly better than zero-filling on its own array, so nothing can be carried over: {idle} ("
        in verdict.remark
    )


@pytest.mark.parametrize("sign, outcome", [(1, "confirmed"), (-1, "refuted")])
def test_the_error_must_rise_with_the_rank(sign, outcome):
    rank = torch.arange(20.0)
    verdict = interpolation.rank_tells(rank / 20, rank / 20, sign * rank, 0 * rank)
    assert verdict.outcome == outcome and verdict.effect.mean == pytest.approx(sign)


def test_ranks_that_say_nothing_decide_nothing():
    rng = torch.Generator().manual_seed(0)
    verdict = interpolation.rank_tells(*(torch.randn(8, generator=rng) for _ in range(4)))
    assert verdict.outcome == "not decided"


@pytest.mark.parametrize("coils", [4, 2])
def test_another_array_measures_the_same_object_through_its_own_maps(coils):
    there, other = interpolation.array(whole(), coils, 1), interpolation.array(whole(), coils, 2)
    assert there.maps.shape[1] == coils and (there.kspace - other.kspace).abs().max() > 0.1
    noise = (Fourier() @ Coils(there.maps))(there.image) - there.kspace
    assert noise.abs().square().mean().item() == pytest.approx(float(scans.corners(whole().kspace)), rel=0.1)
    seen = (whole().maps != 0).any(1)
    assert (there.maps.abs().square().sum(1) - seen.float()).abs().max() < 1e-4


def test_an_array_has_the_same_maps_whoever_lies_in_it():
    """Data sets of scans with an array each cannot tell a network anything about the coils of the next scan."""
    someone, other = whole(), replace(whole(), maps=whole().maps.flip(1, -1), image=whole().image.flip(-1))
    both = [interpolation.array(s, 4, 1).maps for s in (someone, other)]
    seen = (both[0] != 0) & (both[1] != 0)
    assert seen.any() and torch.equal(both[0][seen], both[1][seen])


def test_the_control_leaves_the_coils_as_they_come():
    y = whole().kspace
    v, P = interpolation.AsTheyCome(width=4, blocks=1).virtual(y)
    assert torch.equal(v, y) and torch.equal(P[0], torch.eye(4) + 0j)


def test_edges_that_are_straight_have_a_lower_rank_than_noise():
    rank = lambda x, weighted: interpolation.share(Fourier()(x[None, None]), weighted)
    box, noise = torch.zeros(32, 32, dtype=torch.complex128), torch.randn(32, 32, dtype=torch.complex128)
    box[8:20, 10:25] = 1
    assert all(rank(box, weighted) < 0.8 * rank(noise, weighted) for weighted in (True, False))


@pytest.mark.slow
@pytest.mark.parametrize("number", [25, 27])
def test_the_experiment_runs(number):
    verdict = experiments.run(number, "ci")
    assert verdict.outcome in ("confirmed", "refuted", "not decided") and math.isfinite(verdict.effect.mean)
    assert EXPERIMENTS[number].section == "2.2"
