"""What unrolled methods are made of, against independent implementations: fastMRI's VarNet, plain sums, matrices."""

import pytest
import torch

from course_lib.blocks import Filters, PiecewiseLinear, RadialBasis, as_real
from course_lib.check import claims
from course_lib.data.phantom import phantom_sample
from course_lib.methods import METHODS
from course_lib.methods.unrolled.e2e_varnet import E2EVarNet
from course_lib.solve import soft


def stirred(net, seed=0):
    """Random weights, none of them zero."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(
                0.2 + torch.rand(p.shape, generator=rng) if p.ndim == 1 else torch.randn(p.shape, generator=rng) / 5
            )
    return net


@pytest.mark.parametrize("height, width", [(32, 32), (31, 27)])
def test_e2e_varnet_with_fastmris_weights_gives_fastmris_output(height, width, monkeypatch):
    """The whole `VarNet`, its sensitivity network replaced by the maps that ours is given; its names of weights."""
    varnet = pytest.importorskip("fastmri.models.varnet")
    sample = phantom_sample(height, width, coils=3)
    theirs = stirred(varnet.VarNet(num_cascades=3, sens_chans=2, sens_pools=2, chans=4, pools=2)).eval()
    ours = E2EVarNet(cascades=3, width=4, depth=2)
    ours.load_fastmri(theirs.state_dict())
    last = []
    theirs.cascades[-1].register_forward_hook(lambda module, given, k: last.append(k))
    monkeypatch.setattr(theirs.sens_net, "forward", lambda *given: torch.view_as_real(sample.maps))
    with torch.no_grad():
        mask = sample.mask.bool()[..., None].expand(1, 1, height, width, 1)
        magnitude = theirs(torch.view_as_real(sample.kspace), mask)
        k = theirs.cascades[0].sens_reduce(last[0], torch.view_as_real(sample.maps))
        x = ours(sample.kspace, sample.A)
    expected = torch.view_as_complex(k.contiguous())[:, 0]
    assert (x - expected).abs().max() < 1e-4 * expected.abs().max()
    assert magnitude.shape == x.shape and (x - sample.A.H(sample.kspace)).norm() > 0.1 * x.norm()  # and it does much


def test_fastmris_weights_of_another_size_are_refused():
    varnet = pytest.importorskip("fastmri.models.varnet")
    state = varnet.VarNet(num_cascades=1, sens_chans=2, sens_pools=2, chans=4, pools=2).state_dict()
    with pytest.raises(RuntimeError):
        E2EVarNet(cascades=1, width=6, depth=2).load_fastmri(state)
    with pytest.raises((RuntimeError, KeyError)):
        E2EVarNet(cascades=2, width=4, depth=2).load_fastmri(state)


@pytest.mark.parametrize("clean", [False, True])
def test_filters_and_their_adjoint(clean):
    D, x = Filters(5, 3, clean=clean), torch.randn(2, 7, 6, dtype=torch.complex64)
    u = torch.randn(2, 5, 7, 6)
    found = (as_real(D.adjoint(u)) * as_real(x)).sum()
    assert found.item() == pytest.approx((D(x) * u).sum().item(), abs=1e-3)
    k = D.kernels()
    if clean:
        assert k.mean((2, 3)).abs().max() < 1e-6 and (k.square().sum((1, 2, 3)) - 1).abs().max() < 1e-5
    rolled = sum(k[:, :, 1 + i, 1 + j, None, None] * as_real(x).roll((-i, -j), (-2, -1))[:, None]
                 for i in (-1, 0, 1) for j in (-1, 0, 1)).sum(2)  # fmt: skip
    assert (D(x) - rolled).abs().max() < 1e-5


def test_cosine_filters_are_orthonormal_and_see_one_part_each():
    k = Filters(16, 3, cosines=True).weight.data
    assert torch.allclose(k.flatten(1) @ k.flatten(1).mT, torch.eye(16), atol=1e-6)
    assert k.mean((2, 3)).abs().max() < 1e-6 and not k[:8, 1].any() and not k[8:, 0].any()


def test_bells_are_summed_and_differentiated_right():
    phi, z = RadialBasis(3, count=7, reach=2.0).double(), torch.linspace(-4, 4, 24).reshape(2, 3, 2, 2)
    phi.weight.data.normal_()
    centres, sigma = torch.linspace(-2, 2, 7), 4 / 6
    bells = torch.exp(-((z[..., None] - centres) ** 2) / (2 * sigma**2))
    expected = (bells * phi.weight[:, None, None, :]).sum(-1)
    assert (phi(z) - expected).abs().max() < 1e-5
    g = torch.randn(z.shape)
    leaves = z.clone().requires_grad_(), phi.weight
    mine = torch.autograd.grad((phi(leaves[0]) * g).sum(), leaves)
    bells = torch.exp(-((leaves[0][..., None] - centres) ** 2) / (2 * sigma**2))
    plain = torch.autograd.grad(((bells * phi.weight[:, None, None, :]).sum(-1) * g).sum(), leaves)
    assert all((a - b).abs().max() < 1e-4 for a, b in zip(mine, plain))


def test_bells_start_as_a_line():
    z = torch.linspace(-0.5, 0.5, 20).reshape(1, 1, 4, 5)
    assert (RadialBasis(1)(z) - 0.1 * z).abs().max() < 1e-3


def test_a_piecewise_linear_function_is_the_line_between_its_values():
    S = PiecewiseLinear(2, points=5, reach=1.0)
    S.values.data = torch.tensor([[0.0, 1, 3, 3, -2], [1, 1, 1, 1, 2]])
    z = torch.tensor([-1.0, -0.75, 0.25, 1.0, 1.5, -2.0]).reshape(1, 1, 1, 6).expand(1, 2, 1, 6)
    expected = torch.tensor([[0, 0.5, 3, -2, -1.5, -1], [1, 1, 1, 2, 2.5, 0]])
    assert torch.allclose(S(z)[0, :, 0], expected)


def test_a_piecewise_linear_function_starts_as_the_soft_threshold():
    z = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert (PiecewiseLinear(3, t=0.04)(z) - soft(z, 0.04)).abs().max() < 1e-5


def test_every_unrolled_method_names_its_parent():
    start = "without its learned part it is "
    for name, card in METHODS.items():
        if card.section == "2.5":
            assert any(text.startswith(start) for text in claims(name)), name
