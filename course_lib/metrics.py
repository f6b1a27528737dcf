"""Image quality: metric(x, ref) -> one number per sample, computed in float64 from magnitudes.

x, ref: (batch, *extra, height, width), real or complex. The data range is the largest value of a sample of `ref`, its
extra axes included, so a volume (1, slices, height, width) follows the fastMRI protocol (Zbontar et al. 2018).
inside: region that fits the images (1 = inside, e.g. the head alone); each metric then averages over this region only,
while the data range stays that of the whole sample, so that both numbers can be compared.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num, Shaped
from torch import Tensor

from .errors import ShapeError

AnyImage = Num[Tensor, "batch *extra height width"]
Region = Shaped[Tensor, "..."] | None
PerSample = Float[Tensor, "batch"]

SSIM_WINDOW, K1, K2 = 7, 0.01, 0.03
LOG_SIZE, LOG_SIGMA = 15, 1.5


def nmse(x: AnyImage, ref: AnyImage, inside: Region = None) -> PerSample:
    """||x - ref||^2 / ||ref||^2."""
    x, ref, inside = _prepare(x, ref, inside)
    return _total((x - ref) ** 2 * inside) / _total(ref**2 * inside)


def nrmse(x: AnyImage, ref: AnyImage, inside: Region = None) -> PerSample:
    """||x - ref|| / ||ref||."""
    return nmse(x, ref, inside).sqrt()


def psnr(x: AnyImage, ref: AnyImage, inside: Region = None) -> PerSample:
    """Peak signal-to-noise ratio 10 log10(range^2 / mean |x - ref|^2), in dB."""
    x, ref, inside = _prepare(x, ref, inside)
    mse = _total((x - ref) ** 2 * inside) / _total(inside)
    return 10 * torch.log10(_range(ref) ** 2 / mse)


def ssim(x: AnyImage, ref: AnyImage, inside: Region = None) -> PerSample:
    """Mean structural similarity (Wang et al. 2004) over 7x7 uniform windows that lie inside the image.

    Equal to scikit-image's structural_similarity(win_size=7, data_range=ref.max()), averaged over the extra axes.
    """
    x, ref, inside = _prepare(x, ref, inside)
    if min(x.shape[-2:]) < SSIM_WINDOW:
        raise ShapeError("ssim: image too small", f"at least {SSIM_WINDOW} pixels", f"{tuple(x.shape[-2:])}")
    quality = _similarity(x, ref, _range(ref).reshape(-1, *[1] * (x.ndim - 1)))
    edge = SSIM_WINDOW // 2
    inside = inside[..., edge:-edge, edge:-edge]
    return _total(quality * inside) / _total(inside)


def hfen(x: AnyImage, ref: AnyImage, inside: Region = None) -> PerSample:
    """High-frequency error norm (Ravishankar & Bresler 2011): NRMSE of the Laplacian-of-Gaussian filtered images."""
    x, ref, inside = _prepare(x, ref, inside)
    kernel = _laplacian_of_gaussian(x)
    error, edges = _filter(x - ref, kernel), _filter(ref, kernel)
    return (_total(error**2 * inside) / _total(edges**2 * inside)).sqrt()


def _similarity(x: Tensor, ref: Tensor, data_range: Tensor) -> Tensor:
    """SSIM of every window, with the sample covariance (n / (n - 1))."""
    n = SSIM_WINDOW**2
    mean_x, mean_ref = _window_mean(x), _window_mean(ref)
    var_x = (_window_mean(x * x) - mean_x**2) * (n / (n - 1))
    var_ref = (_window_mean(ref * ref) - mean_ref**2) * (n / (n - 1))
    covariance = (_window_mean(x * ref) - mean_x * mean_ref) * (n / (n - 1))
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_ref + c1) / (mean_x**2 + mean_ref**2 + c1)
    return luminance * (2 * covariance + c2) / (var_x + var_ref + c2)


def _prepare(x: Tensor, ref: Tensor, inside: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Magnitudes in float64, and the region as an array of the same shape."""
    if x.shape != ref.shape:
        raise ShapeError("metric: x and ref differ in shape", f"{tuple(ref.shape)}", f"{tuple(x.shape)}")
    x, ref = x.abs().double(), ref.abs().double()
    return x, ref, torch.ones_like(ref) if inside is None else inside.to(ref).expand_as(ref)


def _total(a: Tensor) -> Tensor:
    return a.flatten(1).sum(1)


def _range(ref: Tensor) -> Tensor:
    return ref.flatten(1).amax(1)


def _window_mean(a: Tensor) -> Tensor:
    height, width = a.shape[-2:]
    mean = F.avg_pool2d(a.reshape(-1, 1, height, width), SSIM_WINDOW, stride=1)
    return mean.reshape(*a.shape[:-2], *mean.shape[-2:])


def _filter(a: Tensor, kernel: Tensor) -> Tensor:
    planes = a.reshape(-1, 1, *a.shape[-2:])
    return F.conv2d(planes, kernel[None, None], padding=LOG_SIZE // 2).reshape(a.shape)


def _laplacian_of_gaussian(like: Tensor) -> Tensor:
    """The 15x15 kernel of sigma 1.5, of sum 0, so that a constant has no edges."""
    r = torch.arange(LOG_SIZE, device=like.device, dtype=like.dtype) - LOG_SIZE // 2
    r2 = r[:, None] ** 2 + r[None] ** 2
    gauss = torch.exp(-r2 / (2 * LOG_SIGMA**2))
    kernel = gauss / gauss.sum() * (r2 - 2 * LOG_SIGMA**2) / LOG_SIGMA**4
    return kernel - kernel.mean()
