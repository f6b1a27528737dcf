"""Files in fastMRI's format: the official tools read what we write, we read what they describe, bad files are told."""

import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from course_lib import data
from course_lib.data.dataset import prepare
from course_lib.data.header import make_header, read_header, write_header
from course_lib.data.phantom import coil_maps, ellipses
from course_lib.errors import CourseError, ShapeError
from course_lib.ops import Sense, fft2c, ifft2c
from course_lib.sampling import poisson, protocol, uniform

PROTOCOL = protocol(4.0)


def scan(slices=3, coils=4, height=32, width=27, zeros=(0, 0)):
    """K-space as a scanner gives it (2x oversampled readout, zero columns at the edges), with its maps and images."""
    images = torch.cat([ellipses(height, width, seed) for seed in range(slices)])
    maps = coil_maps(coils, height, width)
    wide = torch.nn.functional.pad(maps * images[:, None], (0, 0, height // 2, height - height // 2))
    k = fft2c(wide)
    k[..., : zeros[0]] = 0
    k[..., width - zeros[1] :] = 0
    return k.numpy(), maps.numpy(), images.numpy()


def saved(path, **shape):
    """A file with maps and images, so that nothing needs to be calibrated; returns its path."""
    k, maps, images = scan(**shape)
    return data.write(path, k, "AXT2", "0", {"maps": maps, "image": images})


@pytest.fixture(params=["multicoil", "multicoil, zero columns", "single coil", "wide", "narrow"])
def volume(request, tmp_path):
    """(path, k-space, challenge, size of the reconstruction): the kinds of file that fastMRI holds."""
    shape, zeros, recon = {
        "multicoil": ((3, 4, 32, 27), (0, 0), None),
        "multicoil, zero columns": ((3, 4, 32, 27), (4, 3), (32, 20)),
        "single coil": ((3, 1, 32, 30), (0, 0), (20, 20)),
        "wide": ((2, 2, 20, 40), (0, 1), (20, 20)),
        "narrow": ((2, 3, 32, 21), (2, 0), (32, 32)),
    }[request.param]
    k = scan(*shape, zeros)[0]
    k = k[:, 0] if shape[1] == 1 else k
    path = data.write(tmp_path / "train" / "file1000001.h5", k, "AXT2", "0a1b", recon=recon)
    size = recon or shape[2:]
    return path, k, "singlecoil" if shape[1] == 1 else "multicoil", (min(size[0], 2 * shape[2]), min(size[1], shape[3]))


# ---------------------------------------------------------------- the format
def test_the_official_loader_reads_what_we_write(volume):
    mri_data = pytest.importorskip("fastmri.data.mri_data")
    import fastmri
    from fastmri.data import transforms

    path, k, challenge, size = volume
    official = mri_data.SliceDataset(path.parent, challenge)
    assert len(official) == len(k)
    targets = []
    for i, (kspace, mask, target, _, name, number) in enumerate(official):
        assert np.array_equal(kspace, k[i]) and mask is None and (name, number) == (path.name, i)
        coils = fastmri.complex_abs(fastmri.ifft2c(transforms.to_tensor(k[i])))
        rss = fastmri.rss(coils) if challenge == "multicoil" else coils
        assert np.allclose(target, transforms.center_crop(rss, size), atol=1e-6)
        targets.append(target)
    header, facts = data.read(path).header, official[0][3]
    assert (facts["padding_left"], facts["padding_right"]) == header.padding == data.read(path).padding
    assert facts["recon_size"] == header.recon and facts["encoding_size"] == header.encoded == (*k.shape[-2:], 1)
    assert facts["acquisition"] == "AXT2" and facts["patient_id"] == "0a1b"
    assert facts["norm"] == pytest.approx(np.linalg.norm(targets)) and facts["max"] == np.max(targets)


def test_ismrmrd_reads_our_header_and_we_read_theirs():
    xsd = pytest.importorskip("ismrmrd.xsd")
    header = make_header((640, 213), (320, 180), padding=(10, 209), voxel=(0.5, 0.75, 3.0))
    theirs = xsd.CreateFromDocument(write_header(header))
    encoding = theirs.encoding[0]
    assert (encoding.encodedSpace.matrixSize.x, encoding.encodedSpace.matrixSize.y) == (640, 213)
    assert encoding.reconSpace.fieldOfView_mm.y == pytest.approx(135)
    assert encoding.trajectory.value == "cartesian" and theirs.experimentalConditions.H1resonanceFrequency_Hz > 1e8
    again = read_header(xsd.ToXML(theirs))
    assert again.padding == (10, 209) and again.encoded == (640, 213, 1) and again.recon == (320, 180, 1)


def test_zero_columns_are_found_and_stay_outside_the_mask(tmp_path):
    path = saved(tmp_path / "a.h5", zeros=(4, 3))
    assert data.read(path).padding == (4, 24)
    mask = data.Slices(path, lambda width, seed: torch.ones(width))[0].mask[0, 0, 0]
    assert mask.tolist() == [0] * 4 + [1] * 20 + [0] * 3


def test_a_volume_is_read_slice_by_slice_and_slices_can_be_chosen(volume):
    path, k, _, _ = volume
    whole, last = data.read(path), data.read(path, [len(k) - 1])
    assert len(whole) == len(k) and len(last) == 1 and whole.shape[2:] == k.shape[-2:]
    assert np.array_equal(last.kspace(0).numpy().reshape(k[-1].shape), k[-1])
    assert torch.equal(whole.reconstruction(len(k) - 1), last.reconstruction(0))
    data.check_file(path)


def test_maps_that_all_slices_share_are_stored_once(tmp_path):
    k, maps, images = scan()
    extra = {"maps": np.broadcast_to(maps, (3, *maps.shape[1:])), "image": images}
    path = data.write(tmp_path / "a.h5", k, "AXT2", "0", extra)
    with h5py.File(path) as file:
        assert file["maps"].shape == (1, 4, 32, 27)
    volume = data.check_file(path)
    assert np.array_equal(volume.maps(2)[0], maps[0]) and np.array_equal(volume.image(2)[0], images[2])


def test_a_submission_is_scored_by_the_official_tool(tmp_path):
    evaluate = pytest.importorskip("fastmri.evaluate")
    import argparse
    from pathlib import Path

    k = scan()[0]
    truth = data.write(tmp_path / "val" / "a.h5", k, "AXT2", "0")
    images = np.stack([data.read(truth).reconstruction(i) for i in range(3)])
    data.write_submission(tmp_path / "out" / "a.h5", images)
    where = argparse.Namespace(
        target_path=Path(truth).parent, predictions_path=tmp_path / "out", challenge="multicoil", acquisition=None
    )
    where.acceleration = None
    assert evaluate.evaluate(where, "reconstruction_rss").means()["SSIM"] == pytest.approx(1)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path, before = tmp_path / "a.h5", b"an older file"
    path.write_bytes(before)
    with pytest.raises(KeyboardInterrupt), data.whole(path) as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    with pytest.raises(CourseError, match="No space left.*remedy"), data.whole(path):
        raise OSError(28, "No space left on device")
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.h5"]


# ---------------------------------------------------------------- samples
def test_the_image_and_maps_of_the_file_make_its_kspace(tmp_path):
    k, maps, images = scan(height=31, width=27)
    path = data.write(tmp_path / "a.h5", k, "AXT2", "0", {"maps": maps, "image": images}, recon=(31, 27))
    full = prepare(data.read(path), 1)
    assert torch.allclose(Sense(torch.ones(1, 1, 1, 27), full.maps)(full.image), full.kspace, atol=1e-5)
    assert np.allclose(full.image[0], images[1], atol=1e-6)


def test_without_maps_espirit_finds_them_and_the_image_is_the_coils_combined(tmp_path):
    k, _, images = scan(height=48, width=45)
    path = data.write(tmp_path / "a.h5", k, "AXT2", "0")
    full = prepare(data.read(path), 0)
    inside = full.maps.abs().square().sum(1) > 0
    assert inside[0][torch.from_numpy(np.abs(images[0])) > 0.2].float().mean() > 0.97
    assert torch.allclose(full.image.abs()[inside], torch.from_numpy(np.abs(images[:1]))[inside], atol=0.05)
    assert torch.allclose(full.maps.abs().square().sum(1)[inside], torch.ones(1), atol=1e-4)


def test_a_single_coil_has_maps_of_ones(tmp_path):
    k, _, images = scan(coils=1)
    path = data.write(tmp_path / "a.h5", k[:, 0], "CORPD_FBK", "0")
    full = prepare(data.read(path), 2)
    assert torch.equal(full.maps, torch.ones_like(full.maps))
    assert torch.allclose(full.image.abs(), torch.from_numpy(np.abs(images[2:])), atol=1e-5)


def test_samples_are_undersampled_and_normalised(tmp_path):
    k, maps, images = scan()
    path = data.write(tmp_path / "a.h5", 1e-5 * k, "AXT2", "0", {"maps": maps, "image": 1e-5 * images})
    sample = data.Slices(path, PROTOCOL)[0]
    assert torch.all(sample.kspace[(sample.mask == 0).expand_as(sample.kspace)] == 0)
    AHy = sample.A.H(sample.kspace).abs().flatten()
    assert data.scale(sample.kspace, sample.A).item() == pytest.approx(1, abs=1e-5)
    assert (AHy <= 1 + 1e-5).float().mean() >= 0.99 and (AHy < 1 - 1e-5).float().mean() < 0.99
    factor = sample.image.abs().max() / np.abs(1e-5 * images[0]).max()
    expected = prepare(data.read(path), 0).kspace * sample.mask * factor
    assert torch.allclose(sample.kspace, expected, rtol=1e-4, atol=1e-6)


def test_batches_are_samples_side_by_side(tmp_path):
    path = saved(tmp_path / "a.h5")
    samples = [data.Slices(path, PROTOCOL)[i] for i in range(3)]
    batch = data.stack(samples)
    assert len(batch) == 3 and batch.mask.shape == (3, 1, 1, 27)
    assert torch.allclose(batch.A.H(batch.kspace)[1:2], samples[1].A.H(samples[1].kspace), atol=1e-6)
    other = saved(tmp_path / "b.h5", width=30)
    with pytest.raises(ShapeError, match="27.*30.*size"):
        data.stack([samples[0], data.Slices(other, PROTOCOL)[0]])


def test_virtual_coils_keep_the_model_exact(tmp_path):
    full = prepare(data.read(saved(tmp_path / "a.h5", coils=6)), 0, coils=2)
    assert full.kspace.shape[1] == 2
    assert torch.allclose(Sense(torch.ones(1, 1, 1, 27), full.maps)(full.image), full.kspace, atol=1e-5)
    assert torch.allclose(full.maps.abs().square().sum(1), torch.ones(1), atol=1e-4)


def test_size_keeps_the_field_of_view_and_the_intensities(tmp_path):
    path = data.write(tmp_path / "a.h5", scan(height=64, width=61, zeros=(9, 0))[0], "AXT2", "0")
    fine, coarse = (prepare(data.read(path), 0, size=size) for size in (None, (32, 47)))
    assert coarse.kspace.shape == (1, 4, 32, 47) and coarse.padding == (2, 47)
    rss = [ifft2c(s.kspace).abs().square().sum(1).sqrt() for s in (fine, coarse)]
    centres = fine.kspace[..., 32, 30] * (32 / 64 * 47 / 61) ** 0.5, coarse.kspace[..., 16, 23]
    assert torch.allclose(*centres, atol=1e-6)
    assert rss[1].mean() == pytest.approx(rss[0].mean().item(), rel=0.03)
    with pytest.raises(CourseError, match="at most \\(64, 61\\)"):
        prepare(data.read(path), 0, size=(32, 64))


def test_a_strip_is_the_same_problem_on_fewer_rows(tmp_path):
    path = saved(tmp_path / "a.h5")
    whole, strip = data.Slices(path, PROTOCOL)[0], data.Slices(path, PROTOCOL, strip=10)[0]
    assert strip.kspace.shape[-2] == strip.image.shape[-2] == strip.maps.shape[-2] == 10
    assert torch.allclose(strip.A(strip.image), strip.kspace, atol=1e-4)
    assert torch.allclose(strip.A.H(strip.kspace), whole.A.H(whole.kspace)[:, 11:21], atol=1e-5)
    planes = data.Slices(path, lambda width, seed: poisson((32, width), 3, 8, seed=0), strip=10)
    with pytest.raises(ShapeError, match="whole columns"):
        planes[0]


# ---------------------------------------------------------------- masks
def test_a_volume_has_one_mask_made_from_its_name(tmp_path):
    for name in ("a.h5", "b.h5"):
        saved(tmp_path / name, width=64)
    masks = [sample.mask for sample in data.Slices(tmp_path, PROTOCOL)]
    assert len(masks) == 6
    assert all(torch.equal(m, PROTOCOL(64, tuple(map(ord, "a.h5")))) for m in masks[:3])
    assert torch.equal(masks[3], masks[5]) and not torch.equal(masks[0], masks[3])


def test_training_masks_are_fresh_and_reproducible(tmp_path):
    path = saved(tmp_path / "a.h5", width=64)

    def masks(epoch):
        slices = data.Slices(path, PROTOCOL, training=True, strip=8)
        slices.epoch = epoch
        return [slices[i] for i in (0, 0, 1, 2)]

    first, again, later = masks(0), masks(0), masks(1)
    drawn = {tuple(s.mask.flatten().tolist()) for s in first + later}
    assert len(drawn) == 8
    assert all(torch.equal(a.mask, b.mask) and torch.equal(a.image, b.image) for a, b in zip(first, again))


def test_a_file_of_the_test_split_keeps_its_mask(tmp_path):
    k = scan(width=40, zeros=(3, 0))[0]
    mask = uniform(40, 4, calibration=16).flatten().numpy()
    path = data.write_test(tmp_path / "a.h5", k, mask, "AXT2", "0", 4, 16, padding=(3, 40))
    with pytest.raises(CourseError, match="no target.*undersampled.*target=False"):
        data.Slices(path)
    sample = data.Slices(path, target=False)[1]
    assert torch.equal(sample.mask.flatten()[3:], torch.from_numpy(mask)[3:]) and not sample.mask.flatten()[:3].any()
    assert not sample.image.any() and sample.maps.abs().square().sum(1).max() == pytest.approx(1, abs=1e-4)
    mri_data = pytest.importorskip("fastmri.data.mri_data")
    kspace, theirs, target, facts, *_ = mri_data.SliceDataset(tmp_path, "multicoil")[0]
    assert np.array_equal(theirs, mask != 0) and target is None and np.array_equal(kspace, k[0] * mask)
    assert (facts["acceleration"], facts["num_low_frequency"], facts["padding_left"]) == (4, 16, 3)


# ---------------------------------------------------------------- many files
LOADER = """
import os, sys, torch
from course_lib import data
from course_lib.sampling import protocol

torch.set_num_threads(1)
slices = data.Slices(sys.argv[1], protocol(4), training=True)
for i in range(len(slices)):
    slices[i]
    if i in (9, 999):
        pages = int(open("/proc/self/statm").read().split()[1])
        print(pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")))
"""


def test_a_thousand_files_hold_no_more_than_ten(tmp_path):
    first = saved(tmp_path / "000.h5", slices=1)
    for i in range(1, 1000):
        os.link(first, tmp_path / f"{i:03d}.h5")
    answer = subprocess.check_output([sys.executable, "-c", LOADER, tmp_path], text=True)
    (few, open_few), (many, open_many) = (map(int, line.split()) for line in answer.splitlines())
    assert open_few == open_many
    assert many - few < 20 * 2**20  # a thousand slices have 60 MB k-space and maps


def test_kept_slices_are_read_once_and_only_up_to_the_limit(tmp_path):
    path = saved(tmp_path / "a.h5")
    size = prepare(data.read(path), 0).bytes
    slices = data.Slices(path, PROTOCOL, keep=2 * size)
    before = [s.kspace for s in slices]
    assert len(slices.kept) == 2
    path.unlink()
    assert torch.equal(slices[1].kspace, before[1])
    with pytest.raises(CourseError, match="no such file"):
        slices[2]


@pytest.mark.filterwarnings("ignore:This process")
def test_two_worker_processes_read_the_same_samples(tmp_path):
    for name in ("a.h5", "b.h5"):
        saved(tmp_path / name)
    slices = data.Slices(tmp_path, PROTOCOL)
    loader = DataLoader(slices, batch_size=2, num_workers=2, collate_fn=data.stack)
    for batch, i in zip(loader, (0, 2, 4)):
        assert torch.allclose(batch.kspace, data.stack([slices[i], slices[i + 1]]).kspace, atol=1e-6)


# ---------------------------------------------------------------- subsets
def fastmri_folder(root):
    """A small copy of what a learner downloads: train and val with targets, test with masks."""
    for split in ("train", "val"):
        for i in range(4):
            k = scan(slices=5, width=27 + i)[0] * (1 + np.arange(5))[:, None, None, None]
            data.write(root / f"multicoil_{split}" / f"file{i}.h5", k.astype(np.complex64), "CORPD_FBK", f"{i}")
    k = scan(slices=5, width=40)[0]
    mask = uniform(40, 4, calibration=12).flatten().numpy()
    data.write_test(root / "multicoil_test" / "file9.h5", k, mask, "CORPD_FBK", "9", 4, 12)


def test_a_subset_keeps_splits_headers_and_central_slices(tmp_path):
    fastmri_folder(tmp_path / "src")
    written = data.subset(tmp_path / "src", tmp_path / "out", volumes=2, slices=3)
    assert [p.parent.name for p in written] == ["test", "train", "train", "val", "val"]
    for path in written:
        source = tmp_path / "src" / f"multicoil_{path.parent.name}" / path.name
        with h5py.File(source) as old, h5py.File(path) as new:
            assert np.array_equal(new["kspace"], old["kspace"][1:4]) and set(new) == set(old)
            assert new["ismrmrd_header"][()] == old["ismrmrd_header"][()] and new.attrs.keys() == old.attrs.keys()
            if path.parent.name != "test":
                assert new.attrs["max"] == new["reconstruction_rss"][()].max() < old.attrs["max"]
                assert new.attrs["norm"] == pytest.approx(np.linalg.norm(new["reconstruction_rss"]))
    assert data.subset(tmp_path / "src", tmp_path / "out", volumes=2, slices=3) == written
    assert data.subset(tmp_path / "src", tmp_path / "b", volumes=2, slices=3, seed=1) != written


def test_a_subset_says_what_is_wrong(tmp_path):
    fastmri_folder(tmp_path / "src")
    data.subset(tmp_path / "src", tmp_path / "out", volumes=1, slices=3)
    for src, out, slices, words in (
        (tmp_path / "src", tmp_path / "out", 2, "is there.*another --out"),
        (tmp_path / "src", tmp_path / "src", 2, "other than the source"),
        (tmp_path / "none", tmp_path / "out", 2, "no data.*correct --src"),
        (tmp_path / "src", tmp_path / "out", 0, "at least 1"),
    ):
        with pytest.raises(CourseError, match=words):
            data.subset(src, out, volumes=1, slices=slices)
    (tmp_path / "src" / "multicoil_train").rename(tmp_path / "src" / "singlecoil_val")
    with pytest.raises(CourseError, match="two folders for val.*multicoil_val and singlecoil_val"):
        data.subset(tmp_path / "src", tmp_path / "out", volumes=1)


# ---------------------------------------------------------------- bad input: one line that names the file
def truncated(file):
    os.truncate(file, os.path.getsize(file) // 2)


def no_hdf5(file):
    file.write_bytes(b"PK" + bytes(1000))


def change(key, new):
    """Replace a data set by new(old), or take it away if that is None."""

    def spoil(path):
        with h5py.File(path, "r+") as file:
            array = new(file.pop(key)[()] if key in file else None)
            if array is not None:
                file[key] = array

    return spoil


def nan(k):
    k[1, 2, 3, 4] = np.nan
    return k


def infinite(k):
    k[2, 2, 3, 4] = np.inf
    return k


def two_reals(k):
    return np.stack([k.real, k.imag], -1)


BAD = {
    "truncated": (truncated, "cannot be read.*whole HDF5 file.*truncated"),
    "not HDF5": (no_hdf5, "cannot be read.*whole HDF5 file"),
    "not there": (lambda path: path.unlink(), "no such file.*check the path"),
    "no k-space": (change("kspace", lambda k: None), "missing; expected kspace; found ismrmrd_header, recon"),
    "no header": (change("ismrmrd_header", lambda x: None), "missing; expected ismrmrd_header; found kspace"),
    "header is no XML": (change("ismrmrd_header", lambda x: b"<a>"), "ismrmrd_header is damaged.*XML"),
    "header lacks a field": (
        change("ismrmrd_header", lambda x: x.replace(b"maximum", b"least")),
        "whole number at encoding/encodingLimits/kspace_encoding_step_1/maximum; found None",
    ),
    "two axes": (change("kspace", lambda k: k[0, 0]), "kspace; expected .slice, coil, height, width.*found .64, 27."),
    "no slices": (change("kspace", lambda k: k[:0]), "kspace; expected .slice, coil.*found .0, 4, 64, 27."),
    "two reals": (change("kspace", two_reals), "complex numbers; found float32 .3, 4, 64, 27, 2.*1j"),
    "NaN": (change("kspace", nan), "kspace of slice 1; expected finite samples; found NaN"),
    "infinite": (change("kspace", infinite), "kspace of slice 2; expected finite samples; found NaN or infinity"),
    "reconstruction with other slices": (
        change("reconstruction_rss", lambda x: x[:2]),
        "reconstruction_rss; expected .slice height width. with 3 slices.*found .2, 32, 27.",
    ),
    "reconstruction with NaN": (
        change("reconstruction_rss", lambda x: x * np.nan),
        "of slice 0; expected finite",
    ),
    "no reconstruction": (
        change("reconstruction_rss", lambda x: None),
        "no target.*found no reconstruction",
    ),
    "undersampled": (change("mask", lambda x: np.arange(27) % 2 == 0), "no target.*found an undersampled file"),
    "mask of zeros": (change("mask", lambda x: np.zeros(27, bool)), "mask; expected at least one acquired column"),
    "mask of another width": (change("mask", lambda x: np.ones(30, bool)), "mask; expected .27,..*found .30,."),
    "maps of another size": (
        change("maps", lambda x: np.ones((3, 4, 64, 27), np.complex64)),
        "maps of a slice; expected .1, 4, 32, 27.; found .1, 4, 64, 27.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_line(case, tmp_path):
    spoil, words = BAD[case]
    path = data.write(tmp_path / "file7.h5", scan()[0], "AXT2", "0")
    spoil(path)
    with pytest.raises(CourseError, match=words) as told:
        data.check_file(path)
    line = str(told.value)
    assert "\n" not in line and "file7.h5" in line and "remedy: " in line


BAD_ARRAYS = {
    "two axes": (lambda k: k[0, 0], "kspace; expected"),
    "empty": (lambda k: k[:0], "kspace; expected"),
    "two reals": (two_reals, "kspace; expected"),
    "real": (np.abs, "complex numbers"),
    "NaN": (nan, "finite"),
    "zeros": (np.zeros_like, "zeros only"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_bad_array_is_not_written(case, tmp_path):
    spoil, words = BAD_ARRAYS[case]
    with pytest.raises(CourseError, match=words):
        data.write(tmp_path / "a.h5", spoil(scan()[0]), "AXT2", "0")
    assert not os.listdir(tmp_path)


def test_slices_say_what_is_wrong_with_masks_and_folders(tmp_path):
    path = saved(tmp_path / "a.h5")
    with pytest.raises(CourseError, match="a.h5: mask; expected .1, 1, 1, 27.; found .1, 1, 1, 30."):
        data.Slices(path, lambda width, seed: torch.ones(30))[0]
    with pytest.raises(CourseError, match="a.h5: mask; expected at least one"):
        data.Slices(path, lambda width, seed: torch.zeros(width))[0]
    with pytest.raises(CourseError, match="a.h5 is fully sampled.*protocol"):
        data.Slices(path)
    with pytest.raises(CourseError, match="no data in .*empty"):
        (tmp_path / "empty").mkdir()
        data.Slices(tmp_path / "empty", PROTOCOL)
    with pytest.raises(CourseError, match="a.h5.*numbers from 0 to 2"):
        data.read(path, [3])
    with pytest.raises(IndexError):
        data.Slices(path, PROTOCOL)[3]
