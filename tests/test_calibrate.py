"""Coil maps equal the plain eigen-decomposition and sigpy's; virtual coils and white noise keep what they promise."""

import pytest
import sigpy.mri
import torch
from torch import Tensor

from course_lib.data.phantom import ellipses
from course_lib.errors import CourseError
from course_lib.ops import Coils, Fourier
from course_lib.solve.calibrate import (
    calibration_size,
    compress,
    espirit,
    mix,
    noise_covariance,
    walsh,
    whiten,
)

C = torch.complex128


def smooth_maps(coils: int, height: int, width: int) -> Tensor:
    """(1, coils, height, width): Gaussian coils on a circle with linear phase, root sum of squares 1."""
    v, u = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    angle = 2 * torch.pi * torch.arange(coils)[:, None, None] / coils
    near = torch.exp(-((u - angle.cos()) ** 2 + (v - angle.sin()) ** 2) / 2)
    maps = torch.polar(near, angle + 0.8 * u * angle.sin() - 0.8 * v * angle.cos())
    return maps[None] / near.square().sum(0).sqrt()


def scan(coils: int, height: int, width: int, noise: float = 1e-3) -> tuple[Tensor, Tensor, Tensor]:
    """Fully sampled k-space (1, coils, height, width), its maps, and where the object is (height, width)."""
    image, maps = ellipses(height, width), smooth_maps(coils, height, width)
    kspace = (Fourier() @ Coils(maps))(image)
    return kspace + noise * torch.randn_like(kspace), maps, image[0].abs() > 0.1


def difference(a: Tensor, b: Tensor, where: Tensor) -> float:
    """NRMSE between two sets of maps (1, coil, height, width) over a region, up to a phase of each pixel."""
    a, b = a[0].to(C) * where, b[0].to(C) * where
    a = a * torch.sgn((b * a.conj()).sum(0))
    return float((a - b).norm() / b.norm())


def plainly(kspace: Tensor, calibration: int = 24, kernel: int = 6) -> Tensor:
    """ESPIRiT by its definition: an eigen-decomposition at every pixel, in float64, nothing clever."""
    coils, height, width = kspace.shape[1:]
    top, left = height // 2 - calibration // 2, width // 2 - calibration // 2
    centre = kspace[0, :, top : top + calibration, left : left + calibration].to(C)
    places = range(calibration - kernel + 1)
    windows = torch.stack([centre[:, i : i + kernel, j : j + kernel].flatten() for i in places for j in places])
    _, values, vectors = torch.linalg.svd(windows, full_matrices=False)
    kernels = vectors[values > 0.02 * values[0]].reshape(-1, coils, kernel, kernel)
    rows, columns = (
        torch.exp(2j * torch.pi * torch.outer(torch.arange(n).double() - n // 2, torch.arange(kernel).double()) / n)
        for n in (height, width)
    )
    images = torch.einsum("ncij,hi,wj->hwcn", kernels, rows, columns) / kernel
    return torch.linalg.eigh(images @ images.mH)[1][..., -1].permute(2, 0, 1)[None]


@pytest.mark.parametrize("shape", [(6, 100, 101), (4, 48, 41), (12, 40, 36)])
def test_espirit_is_the_eigen_decomposition_at_every_pixel(shape):
    """Interpolated from 77 points along an axis of 100; below 77 nothing is. 12 coils: more unknowns than windows."""
    kspace, truth, object = scan(*shape)
    maps = espirit(kspace, crop=0.0)
    assert difference(maps, plainly(kspace), object) < 2e-5
    assert difference(maps, truth, object) < 0.02
    assert torch.allclose(maps.abs().square().sum(1), torch.ones(()))


def test_espirit_is_sigpys():
    """NRMSE between the two, where the object is: 4e-6."""
    kspace, _, object = scan(6, 96, 96)
    theirs = sigpy.mri.app.EspiritCalib(kspace[0].numpy(), show_pbar=False).run()
    ours = espirit(kspace)
    assert difference(ours, torch.from_numpy(theirs)[None], object) < 2e-5
    kept = torch.from_numpy(abs(theirs).sum(0)) > 0
    assert ((ours[0].abs().sum(0) > 0) == kept).float().mean() > 0.995, "the crop differs"
    assert 0.2 < kept.float().mean() < 0.9


def test_the_principal_coil_has_no_phase_and_maps_are_smooth():
    kspace, _, object = scan(6, 64, 64)
    maps = espirit(kspace)
    _, matrix = compress(kspace[..., 20:44, 20:44], 1)
    principal = mix(matrix, maps)[0, 0][object]
    assert (torch.sgn(principal).real > 0.999).all()
    both = object[1:] & object[:-1]
    assert (maps.diff(dim=2)[0] * both).abs().max() < 0.2


def test_each_sample_has_its_own_maps():
    kspace = torch.cat([scan(4, 40, 40)[0], scan(4, 40, 40)[0].flip(1)])
    assert torch.allclose(espirit(kspace)[1:], espirit(kspace[1:]))


def test_few_lines_are_enough_and_the_centre_is_found():
    kspace, truth, object = scan(4, 64, 63)
    mask = torch.zeros(1, 1, 1, 63)
    mask[..., 26:37] = mask[..., ::4] = 1
    maps = espirit(mask * kspace, calibration=(40, 24))
    assert difference(maps, truth, object) < 0.05
    assert difference(maps, espirit(kspace, calibration=(40, 11)), object) < 1e-5
    with pytest.raises(CourseError, match="too few calibration lines.*found 24 x 1"):
        espirit(kspace * (torch.arange(63) % 2), calibration=24)


def test_the_size_of_the_calibration_area():
    lines, points, none = torch.zeros(1, 1, 1, 20), torch.zeros(1, 1, 20, 21), torch.zeros(2, 1, 8, 8)
    lines[..., 7:13] = lines[..., 0] = 1
    assert calibration_size(lines.expand(1, 1, 9, 20)) == (9, 6)
    points[..., 6:14, 7:13] = points[..., 3, :] = 1
    assert calibration_size(points) == (8, 6)
    none[0] = 1
    assert calibration_size(none[:, None]) == (0, 0)
    assert calibration_size(torch.ones(1, 1, 5, 6)) == (5, 6)


def test_walsh_finds_the_maps_where_there_is_signal():
    kspace, truth, object = scan(5, 48, 47)
    maps = walsh(Fourier().H(kspace))
    assert difference(maps, truth, object) < 0.05
    assert torch.allclose(maps.abs().square().sum(1), torch.ones(()), atol=1e-5)
    strongest = kspace[0].flatten(1).norm(dim=1).argmax()
    assert (torch.sgn(maps[0, strongest]).real > 0.999)[object].all()
    frames = torch.stack([Fourier().H(kspace), 2 * Fourier().H(kspace).flip(-1)], 2)
    assert difference(walsh(frames)[:, :, 0], maps, object) < 1e-4, "frames are calibrated one by one"


def test_virtual_coils_hold_the_most_energy_strongest_first():
    kspace = torch.cat([scan(6, 24, 24)[0], torch.randn(1, 6, 24, 24, dtype=torch.complex64)])
    virtual, matrix = compress(kspace, 3)
    assert virtual.shape == (2, 3, 24, 24) and torch.allclose(matrix @ matrix.mH, torch.eye(3) + 0j, atol=1e-5)
    energy = virtual.flatten(2).norm(dim=2)
    for i in range(2):
        assert torch.allclose(energy[i], torch.linalg.svdvals(kspace[i].flatten(1))[:3], rtol=1e-4)
        assert torch.allclose(virtual[i], torch.einsum("vc,chw->vhw", matrix[i], kspace[i]), atol=1e-4)
    with pytest.raises(CourseError, match="more virtual than real coils"):
        compress(kspace, 7)


def test_compressed_maps_belong_to_compressed_kspace():
    image, maps = ellipses(24, 24), smooth_maps(6, 24, 24)
    virtual, matrix = compress((Fourier() @ Coils(maps))(image), 4)
    assert torch.allclose((Fourier() @ Coils(mix(matrix, maps)))(image), virtual, atol=1e-5)


def test_whitened_noise_is_white():
    colour = torch.linalg.cholesky(torch.eye(3) + 0.4 * (torch.ones(3, 3) - torch.eye(3)) + 0j)
    colour = colour * torch.tensor([1, 2, 1j])[:, None]
    noise = torch.einsum("ij,bjhw->bihw", colour, torch.randn(2, 3, 64, 64, dtype=torch.complex64))
    covariance = noise_covariance(noise)
    assert torch.allclose(covariance, (colour @ colour.mH).expand(2, 3, 3), atol=0.3)
    assert torch.allclose(noise_covariance(whiten(noise, covariance)), torch.eye(3) + 0j, atol=1e-4)
