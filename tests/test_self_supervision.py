"""What learning without a truth rests on: splits of a mask, the ball around the data, the noise read in them."""

import pytest
import torch

from course_lib.data.phantom import phantom_sample
from course_lib.errors import CourseError
from course_lib.losses import normalised
from course_lib.ops import Sense
from course_lib.sampling import split
from course_lib.solve import cg, into_ball, noise_norm


def masks(batch: int = 3, width: int = 64) -> torch.Tensor:
    mask = (torch.rand(batch, 1, 1, width, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    mask[..., 28:36] = 1
    return mask


@pytest.mark.parametrize("height", [1, 24])
@pytest.mark.parametrize("rho", [0.1, 0.4, 0.6])
def test_a_split_has_two_disjoint_parts_of_the_wanted_size(height, rho):
    mask = masks().expand(-1, -1, height, -1)
    Theta, Lambda = split(masks(), height, rho)
    assert Theta.shape == mask.shape and torch.equal(Theta + Lambda, mask) and not (Theta * Lambda).any()
    assert torch.equal(Lambda.flatten(1).sum(1), (rho * mask.flatten(1).sum(1)).ceil())
    rows = slice(height // 2 - 2, height // 2 + 2) if height > 1 else slice(None)
    assert Theta[..., rows, 30:34].all()


def test_a_split_is_drawn_anew_and_a_generator_repeats_it():
    assert not torch.equal(split(masks())[1], split(masks())[1])
    first, second = (split(masks(), rng=torch.Generator().manual_seed(1))[1] for _ in "ab")
    assert torch.equal(first, second)


def test_a_focus_prefers_the_centre_and_none_does_not():
    full, place = torch.ones(200, 1, 1, 64), (torch.arange(64) - 32).abs()
    free = float(place[place > 2].float().mean())
    drawn = {focus: split(full, rho=0.2, focus=focus)[1].mean(0).flatten() for focus in (0, 4)}
    mean = {focus: float((share * place).sum() / 13) for focus, share in drawn.items()}
    assert mean[0] == pytest.approx(free, rel=0.05) and mean[4] < 0.85 * mean[0]


def test_more_than_there_is_to_hold_out_leaves_the_centre():
    Theta, Lambda = split(masks(), rho=0.99)
    assert torch.equal(Theta.sum((1, 2, 3)), torch.full((3,), 4.0)) and Lambda.any()


def test_one_coil_has_the_ball_s_closed_form():
    s = phantom_sample(coils=1)
    A = Sense(s.mask, torch.ones_like(s.maps))
    y, r = A(s.image), s.image.roll(2, -1)
    e = y - A(r)
    x = into_ball(r, A, y, 0.3 * e.norm()[None])
    assert (x - r - 0.7 * A.H(e)).abs().max() < 1e-4


def test_the_nearest_image_of_many_coils_lies_on_the_sphere_in_each_sample():
    s = phantom_sample(noise=0.1)
    A, y = s.A, s.kspace
    r = torch.cat([s.image.roll(2, -1), 3 * s.image, s.image])
    A, y = Sense(s.mask.expand(3, -1, -1, -1), s.maps.expand(3, -1, -1, -1)), y.expand(3, -1, -1, -1)
    radius = torch.tensor([3.3, 3.3, 100.0])
    x = into_ball(r, A, y, radius, iterations=80)
    found = (A(x) - y).flatten(1).norm(dim=1)
    assert torch.allclose(found[:2], radius[:2], rtol=1e-3) and torch.equal(x[2], r[2])
    for i in (0, 1):  # stationary: x - r is a multiple of A^H (y - A x)
        move, pull = (x - r)[i], A.H(y - A(x))[i]
        assert (torch.vdot(move.flatten(), pull.flatten()).real / move.norm() / pull.norm()) > 0.999


def test_the_gradient_through_the_ball_is_that_of_the_solution():
    s = phantom_sample(noise=0.1)
    r = (1.5 * s.image).requires_grad_()
    x = into_ball(r, s.A, s.kspace, torch.tensor([3.3]), iterations=80)
    (grad,) = torch.autograd.grad(x.abs().square().sum(), r)
    assert grad.isfinite().all()
    low, high = 1e-4, 1e4  # x depends on r as s (A^H A + s)^-1 does
    for _ in range(50):
        shift = (low * high) ** 0.5
        inverse = lambda b, shift=shift: cg(lambda v: s.A.N(v) + shift * v, b, iterations=60)
        y = r.detach() + inverse(s.A.H(s.kspace - s.A(r.detach())))
        low, high = (low, shift) if (s.A(y) - s.kspace).norm() > 3.3 else (shift, high)
    assert (grad - shift * inverse(2 * x.detach())).norm() < 0.01 * grad.norm()


def test_noise_is_read_where_there_is_no_signal():
    s = phantom_sample(96, 96, acceleration=2, noise=0.05)
    noise = (s.A(s.image) - s.kspace).norm()
    assert noise_norm(s.kspace, s.mask).item() == pytest.approx(noise.item(), rel=0.1)
    alone = 0.3 * torch.randn(2, 4, 64, 64, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    alone[1] *= 2
    assert torch.allclose(noise_norm(alone, torch.ones(1, 1, 1, 64)), alone.flatten(1).norm(dim=1), rtol=0.05)


def test_the_normalised_loss_is_a_mean_of_two_relative_errors():
    ref = torch.tensor([[3.0 + 0j, 4.0], [0.0, 2.0]])
    k = ref + torch.tensor([[0.0, 1.0], [2.0, 0.0]])
    expected = ((1 / 5 + 1 / 7) / 2 + (2 / 2 + 2 / 2) / 2) / 2
    assert normalised(k, ref).item() == pytest.approx(expected)
    assert normalised(5 * k, 5 * ref).item() == pytest.approx(expected) and normalised(ref, ref) == 0


def test_a_part_that_is_no_part_is_said():
    with pytest.raises(CourseError, match="held out; expected from 0 to below 1; found 1.2"):
        split(torch.ones(1, 1, 1, 8), rho=1.2)
