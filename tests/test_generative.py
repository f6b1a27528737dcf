"""Generators, the slope of a critic, masks drawn anew, and the search for z."""

import pytest
import torch

from course_lib.blocks import Critic, Generator
from course_lib.check import small
from course_lib.data.phantom import phantom_sample
from course_lib.data.sample import stack
from course_lib.losses import critic_of_wgan_gp, gradient_penalty
from course_lib.ops import Sense
from course_lib.sampling import acs, random, redrawn
from course_lib.solve.latent import misfit, scans, search


@pytest.mark.parametrize("size", [(32, 32), (31, 27), (8, 20)])
def test_a_generator_draws_images_of_its_size_and_each_by_itself(size):
    torch.manual_seed(0)
    G = Generator(size, latent=5, width=16, depth=2)
    z = G.draw(3)
    x = G(z)
    assert x.shape == (3, *size) and x.is_complex() and z.shape == (3, 5)
    assert (G(z[1:2]) - x[1:2]).abs().max() < 1e-6  # no batch normalisation


def test_the_penalty_of_a_linear_critic_is_known():
    """Its slope is the norm of its weights everywhere."""
    w = torch.randn(4, 4, dtype=torch.complex64)
    critic = lambda x: (w.conj() * x).real.sum((1, 2))
    real, fake = torch.randn(2, 3, 4, 4, dtype=torch.complex64)
    expected = (w.norm() - 1) ** 2
    assert (gradient_penalty(critic, real, fake, torch.rand(3)) - expected).abs() < 1e-4 * expected


def test_the_penalty_is_taken_between_real_and_fake():
    critic = lambda x: x.abs().square().sum((1, 2)) / 2  # its slope is the norm of x
    real, fake = torch.full((1, 1, 1), 1.0 + 0j), torch.full((1, 1, 1), 5.0 + 0j)
    for part in (0.0, 0.25, 1.0):
        expected = (1 + 4 * part - 1) ** 2
        assert gradient_penalty(critic, real, fake, torch.tensor([part])).item() == pytest.approx(expected)


def test_the_critic_of_a_wgan_gp_learns_a_slope_of_1():
    torch.manual_seed(0)
    critic, (real, fake) = Critic((4, 8)), torch.randn(2, 4, 16, 16, dtype=torch.complex64)
    optimiser = torch.optim.Adam(critic.parameters(), 3e-3)
    before = gradient_penalty(critic, real, fake, torch.full((4,), 0.5))
    for _ in range(60):
        optimiser.zero_grad()
        critic_of_wgan_gp(critic, real, fake).backward()
        optimiser.step()
    assert gradient_penalty(critic, real, fake, torch.full((4,), 0.5)) < 0.2 * before


def test_another_mask_is_of_the_same_kind():
    masks = torch.cat([random(64, 4, 0.08, seed=i) for i in range(3)])
    torch.manual_seed(0)
    others = redrawn(masks)
    start, stop = acs(masks)
    assert torch.equal(others.sum(-1), masks.sum(-1)) and others[..., start:stop].all()
    assert all((a != b).any() for a, b in zip(masks, others)) and set(others.unique().tolist()) == {0, 1}


def test_scans_are_taken_apart_and_the_misfit_is_theirs():
    both = stack([phantom_sample(seed=i) for i in range(2)])
    alone = [misfit(both.image[i : i + 1] / 2, y, A) for i, (y, A) in enumerate(scans(both.kspace, both.A))]
    assert torch.allclose(misfit(both.image / 2, both.kspace, both.A), torch.cat(alone), atol=1e-5)
    assert torch.allclose(torch.cat(alone), torch.full((2,), 0.25), atol=1e-3)
    one_mask = Sense(both.mask[:1], both.maps)
    assert [A.mask.shape[0] for _, A in scans(both.kspace, one_mask)] == [1, 1]


def test_restarts_find_what_one_start_may_miss():
    """A generator with two valleys: z < 0 draws one image, z > 0 another, and only one of them fits."""
    sample = phantom_sample(noise=0.0)
    wrong = sample.image.flip(-1)
    G = lambda z: torch.where(z[:, :1, None] > 0, sample.image, wrong) * (1 + 0 * z[:, :1, None])
    z = search(G, sample.kspace, sample.A, 2, 2, 1, 0.0, 0.0)
    assert z.shape == (1, 2) and z[0, 0] > 0


def test_a_large_lam_keeps_z_near_what_the_generator_was_trained_on():
    model, sample = small("gan_prior"), phantom_sample()
    size = []
    for lam in (0.0, 10.0):
        z = search(model.G, sample.kspace, sample.A, 32, 1, 60, 0.1, lam)
        size.append(z.square().mean())
    assert size[1] < 0.1 * size[0]
