"""Complex layers against torch's own complex arithmetic, and what they keep: phase and number of parameters."""

import pytest
import torch
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d

from course_lib.blocks import (
    Cardioid,
    ComplexConv,
    CReLU,
    ModReLU,
    OnComplexChannels,
    UNet,
    complex_layers,
    complex_net,
    complex_valued,
    two_channel,
)
from course_lib.errors import CourseError


def size(net):
    return sum(p.numel() for p in net.parameters())


def draw(*shape):
    return torch.randn(shape, dtype=torch.complex64)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_complex_convolution_is_torch_s(kernel):
    layer, x = ComplexConv(3, 4, kernel), draw(2, 3, 7, 6)
    expected = conv2d(x, torch.complex(layer.real, layer.imag), padding=kernel // 2)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    assert size(layer) == 2 * 3 * 4 * kernel**2


def test_a_transposed_complex_convolution_is_torch_s():
    layer, x = complex_layers.ComplexUp(3, 2), draw(2, 3, 5, 4)
    expected = conv_transpose2d(x, torch.complex(layer.real, layer.imag), stride=2)
    assert layer(x).shape == (2, 2, 10, 8) and torch.allclose(layer(x), expected, atol=1e-5)


def test_normalisation_leaves_mean_0_power_1_and_the_phase():
    x = 3 * draw(2, 3, 16, 16) + 5j
    y = complex_layers.ComplexNorm(3)(x)
    assert y.mean((-2, -1)).abs().max() < 1e-4
    assert torch.allclose(y.abs().square().mean((-2, -1)), torch.ones(2, 3), atol=1e-3)
    assert torch.allclose((y * (x - x.mean((-2, -1), keepdim=True)).conj()).imag, torch.zeros(()), atol=1e-4)


def test_activations_are_their_formulas():
    z, mod = draw(2, 3, 4, 5), ModReLU(3)
    mod.b.data[:] = torch.tensor([-0.7, 0.0, 0.4])
    expected = torch.polar((z.abs() + mod.b[:, None, None]).relu(), z.angle())
    assert torch.allclose(mod(z), expected, atol=1e-5) and not mod(z)[:, 0].all()
    assert torch.allclose(CReLU(3)(z), z.real.relu() + 1j * z.imag.relu())
    assert torch.allclose(Cardioid(3)(z), (1 + torch.cos(z.angle())) / 2 * z, atol=1e-5)
    real = torch.linspace(-2, 2, 9).reshape(1, 1, 3, 3) + 0j
    assert torch.allclose(Cardioid(1)(real).real, real.real.relu(), atol=1e-5)


@pytest.mark.parametrize("act", [ModReLU, CReLU, Cardioid])
def test_gradients_are_finite_at_zero_and_only_mod_relu_turns_with_the_phase(act):
    z = torch.zeros(1, 2, 3, 3, dtype=torch.complex64, requires_grad=True)
    act(2)(z).abs().square().sum().backward()
    assert z.grad is not None and z.grad.isfinite().all()
    x, turn = draw(1, 2, 8, 8), torch.tensor(0.6 + 0.8j)
    assert ((act(2)(turn * x) - turn * act(2)(x)).abs().max() < 1e-5) == (act is ModReLU)


def test_the_whole_complex_network_turns_with_a_phase_and_two_channels_do_not():
    x, turn = draw(2, 2, 18, 21), torch.tensor(0.6 + 0.8j)
    for build, turns in ((complex_net, True), (two_channel, False)):
        net = build(4, 2)
        for p in net.parameters():
            if not p.any():
                nn.init.normal_(p, std=0.3)
        assert net(x).shape == x.shape and net(x).is_complex()
        assert ((net(turn * x) - turn * net(x)).abs().max() < 1e-4) == turns


def test_at_widths_7_and_10_both_have_as_many_parameters_and_start_at_zero():
    assert abs(size(complex_net(7, 2)) / size(two_channel(10, 2)) - 1) < 0.02
    x = draw(1, 2, 16, 16)
    assert not complex_net(7, 2)(x).any() and not two_channel(10, 2)(x).any()


def test_several_images_are_two_channels_each_real_parts_first():
    x, first = draw(2, 3, 5, 6), nn.Conv2d(6, 2, 1, bias=False)
    first.weight.data[:] = 0
    first.weight.data[0, 1] = first.weight.data[1, 3] = 1  # real part of the second, imaginary part of the first
    y = OnComplexChannels(first)(x)
    assert torch.equal(y, torch.complex(x[:, 1:2].real, x[:, :1].imag))


def test_complex_layers_are_for_images():
    with pytest.raises(CourseError, match="2 axes"):
        UNet(2, 1, dims=3, layers=complex_valued)


def test_a_3d_unet_sees_other_frames_and_a_frame_alone_is_the_2d_one():
    net = UNet(4, 1, 1, 1, dims=3)
    x = torch.randn(1, 1, 5, 9, 10, requires_grad=True)
    net(x)[:, :, 2].square().sum().backward()
    assert net(x).shape == x.shape and x.grad is not None and (x.grad.abs().amax((0, 1, 3, 4)) > 0).all()


def test_a_third_axis_costs_three_times_the_kernels():
    """Channel pairs of 3 x 3 and of 2 x 2 kernels, counted by hand for width 4 and depth 1."""
    wide, up, last = 1 * 4 + 4 * 4 + 4 * 8 + 8 * 8 + 8 * 4 + 4 * 4, 8 * 4, 4 + 1
    assert size(UNet(4, 1, 1, 1)) == 9 * wide + 4 * up + last
    assert size(UNet(4, 1, 1, 1, dims=3)) == 27 * wide + 8 * up + last
    assert size(UNet(32, 4, 1, 1)) == 7_756_097


def test_the_2d_unet_keeps_the_names_of_its_weights():
    assert list(UNet(2, 1).state_dict()) == [
        "down.0.0.weight", "down.0.3.weight", "bottom.0.weight", "bottom.3.weight", "up.0.0.weight",
        "merge.0.0.weight", "merge.0.3.weight", "last.weight", "last.bias",
    ]  # fmt: skip


def test_a_3d_unet_computes_in_float32_on_a_cpu_whatever_autocast_says():
    """In bfloat16 the gradient of a 3-D convolution's weight was NaN now and then."""
    seen, x = {}, torch.randn(1, 2, 4, 8, 8)
    for dims, image in ((2, x[:, :, 0]), (3, x)):
        net = UNet(2, 1, dims=dims)
        net.bottom[0].register_forward_hook(lambda layer, given, out, dims=dims: seen.update({dims: out.dtype}))
        with torch.autocast("cpu", torch.bfloat16):
            net(image)
    assert seen == {2: torch.bfloat16, 3: torch.float32}
