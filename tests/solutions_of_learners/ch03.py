"""Chapter 03, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch.fft import fft2, fftshift, ifft2, ifftshift

AXES = (-2, -1)


def to_kspace(x):
    return fftshift(fft2(ifftshift(x, AXES), norm="ortho"), AXES)


def to_image(k):
    return fftshift(ifft2(ifftshift(k, AXES), norm="ortho"), AXES)


def coil_by_coil(x, maps, mask):
    coils = [to_kspace(x * maps[:, i]) * mask[:, 0] for i in range(maps.shape[1])]
    return torch.stack(coils, 1)


def added_up(y, maps, mask):
    image = torch.zeros_like(y[:, 0])
    for i in range(maps.shape[1]):
        image = image + maps[:, i].conj() * to_image(y[:, i] * mask[:, 0])
    return image


def pixel_by_pixel(aliased, maps, R, solve=lambda S, a: torch.linalg.pinv(S) @ a):
    width = maps.shape[-1]
    image = torch.zeros_like(maps[:, 0])
    for row in range(maps.shape[-2]):
        for column in range(width // R):
            group = [column + r * (width // R) for r in range(R)]
            image[0, row, group] = solve(maps[0, :, row, group] / R, aliased[0, :, row, column])
    return image


def wrong_order(aliased, maps, R):
    image = pixel_by_pixel(aliased, maps, R)
    return torch.stack(image.chunk(R, -1), -1).flatten(-2)


def symmetric_root(kspace, covariance):
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors @ torch.diag_embed(values**-0.5).to(vectors) @ vectors.mH
    return torch.einsum("bij,bjhw->bihw", root, kspace)


def mixed(matrix, kspace):
    return torch.einsum("bij,bjhw->bihw", matrix, kspace)


def cholesky(covariance):
    return torch.linalg.cholesky(covariance)


def g_by_groups(maps, R, number=lambda gram, inverse: (gram.diag() * inverse.diag()).real.sqrt()):
    width = maps.shape[-1]
    g = torch.zeros(maps[:, 0].shape)
    for row in range(maps.shape[-2]):
        for column in range(width // R):
            group = [column + r * (width // R) for r in range(R)]
            gram = maps[0, :, row, group].mH @ maps[0, :, row, group]
            g[0, row, group] = number(gram, torch.linalg.pinv(gram, hermitian=True))
    return g


def by_svd(kspace, coils):
    return torch.linalg.svd(kspace.flatten(2), full_matrices=False)[0][:, :, :coils].mH


RIGHT = {
    "ch03_forward": coil_by_coil,
    "ch03_adjoint": added_up,
    "ch03_unfold": pixel_by_pixel,
    "ch03_whiten": symmetric_root,
    "ch03_gfactor": g_by_groups,
    "ch03_compress": by_svd,
}

WRONG = {
    "ch03_forward": {
        "mask not applied": lambda x, maps, mask: to_kspace(maps * x[:, None]),
        "mask applied to the image": lambda x, maps, mask: to_kspace(maps * x[:, None] * mask),
        "maps not applied": lambda x, maps, mask: mask * to_kspace(x)[:, None].repeat(1, maps.shape[1], 1, 1),
        "conjugate of the maps": lambda x, maps, mask: mask * to_kspace(torch.conj(maps) * x[:, None]),
        "wrong direction": lambda x, maps, mask: mask * to_image(maps * x[:, None]),
        "coil axis missing": lambda x, maps, mask: mask * to_kspace(maps * x),
        "wrong normalisation": lambda x, maps, mask: coil_by_coil(3 * x, maps, mask),
        "the gradient reaches nothing": lambda x, maps, mask: coil_by_coil(x.detach(), maps, mask),
    },
    "ch03_adjoint": {
        "missing conjugate of the maps": lambda y, maps, mask: (maps * to_image(mask * y)).sum(1),
        "mask not applied": lambda y, maps, mask: (maps.conj() * to_image(y)).sum(1),
        "sum over coils missing": lambda y, maps, mask: maps.conj() * to_image(mask * y),
        "mean over coils": lambda y, maps, mask: (maps.conj() * to_image(mask * y)).mean(1),
        "wrong direction": lambda y, maps, mask: (maps.conj() * to_kspace(mask * y)).sum(1),
        "divided by the energy of the maps": lambda y, maps, mask: added_up(y, maps, mask) / (abs(maps) ** 2).sum(1),
        "root of the sum of squares": lambda y, maps, mask: (to_image(mask * y).abs() ** 2).sum(1) ** 0.5,
        "real part only": lambda y, maps, mask: added_up(y, maps, mask).real,
        "magnitude only": lambda y, maps, mask: added_up(y, maps, mask).abs(),
        "wrong shape": lambda y, maps, mask: added_up(y, maps, mask)[:, None],
        "the gradient reaches nothing": lambda y, maps, mask: added_up(y.data, maps, mask),
    },
    "ch03_unfold": {
        "weight of the copies": lambda aliased, maps, R: pixel_by_pixel(aliased, R * maps, R),
        "missing conjugate": lambda aliased, maps, R: pixel_by_pixel(
            aliased, maps, R, lambda S, a: torch.linalg.pinv(S.mT @ S) @ (S.mT @ a)
        ),
        "weighed, not solved": lambda aliased, maps, R: pixel_by_pixel(aliased, maps, R, lambda S, a: S.mH @ a),
        "each pixel alone": lambda aliased, maps, R: pixel_by_pixel(
            aliased, maps, R, lambda S, a: (S.mH @ a) / (S.abs() ** 2).sum(0).clamp(min=1e-12)
        ),
        "pixels in the wrong order": wrong_order,
        "real part only": lambda aliased, maps, R: pixel_by_pixel(aliased, maps, R).real,
        "it stops": lambda aliased, maps, R: pixel_by_pixel(
            aliased, maps, R, lambda S, a: torch.linalg.solve(S.mH @ S, S.mH @ a)
        ),
    },
    "ch03_whiten": {
        "coloured, not whitened": lambda kspace, covariance: mixed(cholesky(covariance), kspace),
        "correlations remain": lambda kspace, covariance: (
            kspace / covariance.diagonal(dim1=1, dim2=2).real[:, :, None, None] ** 0.5
        ),
        "half too much": lambda kspace, covariance: mixed(covariance.inverse(), kspace),
        "conjugate transposed": lambda kspace, covariance: mixed(cholesky(covariance).mH.inverse(), kspace),
        "conjugate of the covariance": lambda kspace, covariance: mixed(cholesky(covariance.conj()).inverse(), kspace),
        "wrong normalisation": lambda kspace, covariance: 2 * symmetric_root(kspace, covariance),
        "wrong shape": lambda kspace, covariance: symmetric_root(kspace, covariance).flatten(2),
        "it returns nothing": lambda kspace, covariance: None,
    },
    "ch03_gfactor": {
        "root forgotten": lambda maps, R: g_by_groups(maps, R) ** 2,
        "always 1": lambda maps, R: g_by_groups(maps, R, lambda gram, inverse: (gram.diag().abs() > 0).float()),
        "half of the product": lambda maps, R: g_by_groups(
            maps, R, lambda gram, inverse: inverse.diag().real.clamp(min=0).sqrt()
        ),
        "sqrt(R) counted": lambda maps, R: g_by_groups(maps, R) * R**0.5,
        "pixels in the wrong order": lambda maps, R: torch.stack(g_by_groups(maps, R).chunk(R, -1), -1).flatten(-2),
        "not finite": lambda maps, R: 1 / g_by_groups(maps, R),
    },
    "ch03_compress": {
        "weakest kept": lambda kspace, coils: (
            torch.linalg.svd(kspace.flatten(2), full_matrices=False)[0].flip(2)[:, :, :coils].mH
        ),
        "weakest first": lambda kspace, coils: by_svd(kspace, coils).flip(1),
        "missing conjugate": lambda kspace, coils: by_svd(kspace, coils).conj(),
        "coils dropped": lambda kspace, coils: torch.eye(kspace.shape[1], dtype=torch.complex64)[:coils].repeat(
            len(kspace), 1, 1
        ),
        "not of unit length": lambda kspace, coils: (
            torch.diag_embed(torch.linalg.svdvals(kspace.flatten(2))[:, :coils]).to(kspace.dtype)
            @ by_svd(kspace, coils)
        ),
        "wrong shape": lambda kspace, coils: by_svd(kspace, coils).mH,
        "it stops": lambda kspace, coils: torch.linalg.eigh(kspace)[1],
    },
}
