"""Networks do what their formulas say: shifts, receptive fields, parameters, memory, two channels for one complex."""

import pytest
import torch
from torch import nn

from course_lib.blocks import (
    CoilByCoil,
    ConvGRU,
    Critic,
    Encoder,
    OnCoils,
    OnComplex,
    OnComplexChannels,
    Recurrent,
    StridedUNet,
    UNet,
    Update,
    as_complex,
    as_real,
    cnn,
    keep,
    resnet,
    start_as,
)
from course_lib.errors import CourseError


@pytest.fixture(autouse=True)
def double():
    """Sums of many terms agree to the last digits only in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def stirred(net):
    """Last layers start at zero, which hides everything before them."""
    for parameter in net.parameters():
        parameter.data.normal_(std=0.3)
    return net


class Unrolled(nn.Module):
    """Two input channels through a ConvGRU, `steps` times the same cell on the same input."""

    def __init__(self, steps, kernel=3):
        super().__init__()
        self.cell, self.steps = ConvGRU(2, 4, kernel), steps

    def forward(self, x):
        h = None
        for _ in range(self.steps):
            h = self.cell(x, h)
        return h


NETS = {"cnn": (lambda: cnn(6, 3), 3), "ConvGRU, 2 steps": (lambda: Unrolled(2), 4)}


@pytest.mark.parametrize("build, reach", NETS.values(), ids=NETS)
def test_a_shifted_image_gives_the_shifted_output_away_from_the_border(build, reach):
    net, x = stirred(build()), torch.randn(1, 2, 24, 20)
    x[..., -5:, :] = x[..., -5:] = 0  # nothing wraps around
    here, there = net(x), net(x.roll((3, 2), (-2, -1))).roll((-3, -2), (-2, -1))
    inner = (..., slice(reach, 16), slice(reach, 13))
    assert (here - there)[inner].abs().max() < 1e-10 < 1e-3 < here[inner].std()
    assert (here - there).abs().max() > 1e-3  # the zeros around the image are no part of it


def reached(net, size=41):
    """Rows and columns of the input that the middle pixel of the output depends on."""
    x = torch.randn(1, 2, size, size, requires_grad=True)
    net(x)[..., size // 2, size // 2].sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    return int(seen.any(1).sum()), int(seen.any(0).sum())


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_cnn_sees_two_more_pixels_a_layer(depth):
    net = stirred(cnn(4, depth, act=nn.Tanh))
    assert reached(net) == (1 + 2 * depth,) * 2
    assert sum(isinstance(layer, nn.Tanh) for layer in net) == depth - 1


@pytest.mark.parametrize("steps, kernel", [(1, 3), (2, 3), (3, 3), (2, 5)])
def test_a_recurrent_cell_sees_two_kernels_further_with_each_step(steps, kernel):
    """r h is convolved a second time: each step after the first adds two kernels, the first one."""
    assert reached(stirred(Unrolled(steps, kernel))) == (1 + (kernel - 1) * (2 * steps - 1),) * 2


def test_a_unet_shifts_by_its_coarsest_pixel_only():
    net, x, errors = stirred(UNet(width=2, depth=2)), torch.zeros(1, 2, 64, 64), {}
    x[..., 24:36, 24:36] = torch.randn(12, 12)
    for shift in (1, 4):
        moved = net(x.roll((shift, shift), (-2, -1))).roll((-shift, -shift), (-2, -1))
        errors[shift] = (moved - net(x))[..., 26:34, 26:34].abs().max().item()
    assert errors[4] < errors[1] / 10


def test_parameters_are_counted_by_hand():
    def size(net):
        return sum(p.numel() for p in net.parameters())

    assert size(cnn(16, 4)) == (9 * 2 * 16 + 16) + 2 * (9 * 16 * 16 + 16) + (9 * 16 * 2 + 2)
    assert size(ConvGRU(2, 8)) == 3 * (9 * (2 + 8) * 8 + 8)
    assert size(ConvGRU(3, 8, kernel=5)) == 3 * (25 * (3 + 8) * 8 + 8)
    assert size(Unrolled(1)) == size(Unrolled(7))


def test_a_gated_step_is_the_formula():
    cell, x, h = ConvGRU(2, 3), torch.randn(2, 2, 5, 6), torch.randn(2, 3, 5, 6)
    u = torch.sigmoid(cell.gates(torch.cat([x, h], 1)))[:, :3]
    r = torch.sigmoid(cell.gates(torch.cat([x, h], 1)))[:, 3:]
    c = torch.tanh(cell.candidate(torch.cat([x, r * h], 1)))
    assert torch.allclose(cell(x, h), h + u * (c - h))
    assert torch.equal(cell(x), cell(x, 0 * h))


def test_a_closed_gate_remembers_and_an_open_one_forgets():
    cell, x, h = ConvGRU(1, 2), torch.randn(1, 1, 8, 8), torch.randn(1, 2, 8, 8, requires_grad=True)
    bias = cell.gates.bias
    assert bias is not None
    bias.data[:2] = -50  # the update gate
    assert torch.allclose(cell(x, h), h)
    assert torch.allclose(torch.autograd.grad(cell(x, h).sum(), h)[0], torch.ones_like(h))  # and does not fade
    bias.data[:] = torch.tensor([50.0, 50, -50, -50])  # update, and reset all that was
    assert torch.allclose(cell(x, h), cell(x, -h))


def test_the_state_carries_what_the_input_has_lost():
    """Two sequences that differ in the first image only differ in the last state."""
    cell, x = stirred(ConvGRU(1, 2)), torch.zeros(1, 1, 8, 8)
    states = []
    for first in (1.0, -1.0):
        h = cell(x + first)
        for _ in range(3):
            h = cell(x, h)
        states.append(h)
    assert (states[0] - states[1]).abs().max() > 1e-3


def test_a_gradient_reaches_the_first_image_through_time():
    cell, x = ConvGRU(1, 4), torch.randn(5, 1, 1, 9, 9, requires_grad=True)
    h = None
    for frame in x:
        h = cell(frame, h)
    assert h is not None
    h.square().sum().backward()
    assert x.grad is not None and (x.grad.abs().flatten(1).amax(1) > 0).all()


def test_recurrence_over_time_and_iterations_is_its_formulas():
    """Written out, frame by frame and direction by direction, in two iterations."""
    net, x = stirred(Recurrent(3)), torch.randn(4, 2, 2, 5, 6)
    before = [torch.zeros(4, 2, 3, 5, 6)] * 4
    states = None
    for _ in range(2):
        correction, states = net(x, states)
        h = torch.zeros(4, 2, 3, 5, 6)
        for order in (range(4), range(3, -1, -1)):
            state = torch.zeros(2, 3, 5, 6)
            for t in order:
                state = (net.W[0](x[t]) + net.T(state) + net.V[0](before[0][t])).relu()
                h[t] += state
        found = [h]
        for i in (1, 2, 3):
            found.append(torch.stack([(net.W[i](a) + net.V[i](b)).relu() for a, b in zip(found[-1], before[i])]))
        assert all(torch.allclose(a, b) for a, b in zip(states, found, strict=True))
        assert torch.allclose(correction, torch.stack([net.W[4](a) for a in found[-1]]))
        before = found
    assert not Recurrent(3)(x)[0].any()  # at the start nothing is corrected


def test_hidden_states_are_made_where_the_data_are():
    """Released code made them on a GPU, whatever the data were on. The device `meta` is everywhere."""
    correction, states = Recurrent(3).to("meta")(torch.empty(4, 1, 2, 5, 6, device="meta"))
    assert {a.device.type for a in (correction, *states)} == {"meta"}
    assert Recurrent(3).float()(torch.zeros(4, 1, 2, 5, 6, dtype=torch.float32))[0].dtype == torch.float32


def test_real_and_imaginary_part_are_two_channels():
    x = torch.randn(2, 5, 6, dtype=torch.complex128)
    assert torch.equal(as_real(x)[:, 0], x.real) and torch.equal(as_real(x)[:, 1], x.imag)
    assert torch.equal(as_complex(as_real(x)), x)
    turn = nn.Conv2d(2, 2, 1, bias=False)
    turn.weight.data[..., 0, 0] = torch.tensor([[0.0, -1.0], [1.0, 0.0]])  # a rotation of the two channels is times i
    assert torch.allclose(OnComplex(turn)(x), 1j * x)
    free = stirred(OnComplex(cnn(4, 2)))
    assert (free(1j * x) - 1j * free(x)).abs().max() > 1e-3  # but a network need not respect the phase


def test_a_cnn_starts_at_zero():
    x = torch.randn(1, 2, 6, 6)
    assert not cnn(4, 3)(x).any() and stirred(cnn(4, 3))(x).any()


def test_an_encoder_is_made_by_its_seed_and_halves_the_resolution():
    x = torch.randn(2, 1, 17, 24)
    torch.manual_seed(1)
    features = Encoder(width=4, scales=3)(x)
    torch.manual_seed(2)
    again, other = Encoder(width=4, scales=3)(x), Encoder(width=4, scales=3, seed=1)(x)
    assert [tuple(f.shape[1:]) for f in features] == [(4, 17, 24), (8, 8, 12), (16, 4, 6)]
    assert all(torch.equal(a, b) and not torch.allclose(a, c) for a, b, c in zip(features, again, other))


def test_an_encoder_sees_contrast_and_not_brightness():
    encoder, x = Encoder(), torch.randn(1, 1, 16, 16)
    same, brighter, twice = (encoder(image)[0][..., 3:-3, 3:-3] for image in (x, x + 3, 2 * x))  # zeros begin outside
    assert torch.allclose(same, brighter) and not torch.allclose(same, twice)


def test_a_critic_scores_each_image_of_any_size_on_its_own():
    net, x = Critic((3, 5), kernel=4), torch.randn(3, 20, 13, dtype=torch.complex128)
    assert net(x).shape == (3,) and torch.allclose(net(x)[1:], net(x[1:]))
    tiled = Critic((3, 5)).scores  # the mean of all places: away from borders a repeated image scores alike
    once = as_real(x[:1, :16, :12])
    many = tiled(once.tile(1, 1, 5, 5))[..., 4:12, 3:9]
    assert torch.allclose(many.mean(), tiled(once.tile(1, 1, 9, 9))[..., 4:12, 3:9].mean())


def test_the_critic_of_gancs_has_its_parameters():
    """Counted from the layers in the authors' code: 3x3 with stride 2 to 8, 16, 32, 64; 3x3; 1x1; 1x1 to a score."""
    halving = sum(9 * a * b + b for a, b in ((2, 8), (8, 16), (16, 32), (32, 64)))
    tail = (9 * 64 * 64 + 64) + (64 * 64 + 64) + (64 + 1)
    assert sum(p.numel() for p in Critic().parameters()) == halving + tail


def test_a_residual_block_starts_as_the_identity_and_sees_two_convolutions_far():
    net = resnet(4, blocks=3)
    h = torch.randn(1, 4, 9, 9)
    assert all(torch.equal(block(h), h) for block in net[1:4])
    assert sum(p.numel() for p in resnet(4, 3).parameters()) == sum(
        9 * a * b + b for a, b in [(2, 4), *[(4, 4)] * 7]
    ) + (4 * 2 + 2)
    assert reached(stirred(resnet(4, blocks=2))) == (1 + 2 * (1 + 2 * 2 + 1),) * 2


def test_a_strided_unet_keeps_the_size_starts_at_zero_and_sees_far():
    net, x = StridedUNet((4, 6, 8), (8, 6, 4)), torch.randn(2, 2, 23, 17)
    assert net(x).shape == x.shape and not net(x).any()
    stirred(net)
    assert torch.allclose(net(x)[1:], net(x[1:]))
    rows, columns = reached(net, size=32)
    assert rows > 24 and columns > 24


def test_every_scale_of_a_strided_unet_reaches_the_output():
    net = stirred(StridedUNet((4, 6, 8), (8, 6, 4)))
    net(torch.randn(1, 2, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())


def test_fine_scales_of_a_strided_unet_pass_by_the_coarse_ones():
    net, x = stirred(StridedUNet((4, 6, 8), (8, 6, 4))), torch.randn(1, 2, 16, 16, requires_grad=True)
    for parameter in net.up[0].parameters():
        parameter.data.zero_()  # nothing comes up from the coarsest scale
    net(x).square().sum().backward()
    assert x.grad is not None and x.grad.abs().max() > 1e-6


def test_coils_are_channels_real_parts_first_and_a_coil_that_is_missing_is_zero():
    mixing, k = torch.randn(6, 6), torch.randn(2, 3, 5, 4, dtype=torch.complex128)
    net = nn.Conv2d(6, 6, 1, bias=False)
    net.weight.data[..., 0, 0] = mixing
    for coils in (3, 2):
        parts = torch.cat([k[:, :coils].real, k[:, :coils].imag], 1)
        rows = torch.tensor([*range(coils), *range(3, 3 + coils)])
        expected = torch.einsum("ij,bjhw->bihw", mixing[rows][:, rows], parts)
        found = OnCoils(net, 3)(k[:, :coils])
        assert torch.allclose(found, torch.complex(expected[:, :coils], expected[:, coils:]))


def test_more_coils_than_a_network_has_room_for_are_an_error():
    with pytest.raises(CourseError, match="coils=4"):
        OnCoils(nn.Identity(), 3)(torch.zeros(1, 4, 5, 5, dtype=torch.complex128))


def test_measured_samples_stay_and_a_gradient_reaches_the_others_only():
    k, y = (torch.randn(2, 3, 4, 5, dtype=torch.complex128) for _ in "ky")
    mask = torch.tensor([1.0, 0, 0, 1, 0]).reshape(1, 1, 1, 5)
    kept = keep(k.requires_grad_(), y, mask)
    for column in range(5):
        assert torch.equal(kept[..., column], (y if mask[..., column] else k)[..., column])
    kept.abs().square().sum().backward()
    assert k.grad is not None and torch.equal((k.grad != 0).double(), (1 - mask).expand(2, 3, 4, 5).double())


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_chain_that_starts_as_a_matrix_computes_it_and_can_learn(depth):
    matrix = torch.zeros(3, 5)
    matrix[[0, 2]] = torch.randn(2, 5)
    net, x = start_as(cnn(7, depth, channels=5, outside=3), matrix), torch.randn(2, 5, 6, 7)
    assert torch.allclose(net(x), torch.einsum("oi,bihw->bohw", matrix, x), atol=1e-5)
    net(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


def test_one_network_reads_every_coil_alone():
    net = CoilByCoil(OnComplexChannels(stirred(cnn(4, 2, channels=6, outside=4))))
    k = torch.randn(2, 3, 3, 6, 5, dtype=torch.complex128)
    alone = [net(k[:, i : i + 1]) for i in range(3)]
    assert net(k).shape == (2, 3, 2, 6, 5) and torch.allclose(net(k), torch.cat(alone, 1), atol=1e-5)


def test_a_learned_update_starts_with_nothing_and_hands_its_memory_on():
    h, g, x = Update(4), *torch.randn(2, 2, 6, 5, dtype=torch.complex128)
    change, state = h(g, x)
    assert not change.any() and [s.shape for s in state] == [(2, 4, 6, 5)] * 2
    nn.init.normal_(h.last.weight)
    first, again = h(g, x)[0], h(g, x, state)[0]
    assert (first - again).abs().max() > 1e-4 and (first - h(x, g)[0]).abs().max() > 1e-4
    size = sum(p.numel() for p in h.parameters())
    assert size == (25 * 4 * 4 + 4) + 2 * 3 * (8 * 4 + 4) + (9 * 4 * 4 + 4) + 9 * 4 * 2
