"""The embedded data set: what the simulated scans must be to be worth training on, and that no accident spoils it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from filelock import FileLock

from course_lib.data import cache as store
from course_lib.data import embedded, simulate
from course_lib.data.fastmri import crop
from course_lib.errors import CourseError
from course_lib.ops.sense import fft2c, ifft2c

PREPARE = "import sys; from course_lib.data.embedded import prepare; prepare('ci', sys.argv[1])"


@pytest.fixture(scope="module")
def folder():
    return embedded.prepare("ci", progress=False)


@pytest.fixture
def copy(folder, tmp_path):
    """A whole data set of our own to damage: links to the files cost nothing until one is replaced."""
    for name in (*embedded.plan("ci"), "manifest.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.link(folder / name, tmp_path / name)
    return tmp_path


def arrays(path):
    with h5py.File(path) as file:
        return {name: torch.from_numpy(file[name][()]) for name in file if name != "ismrmrd_header"}


def coil_images(volume):
    """Images (slice, coil, 2h, w) in the doubled field of view."""
    return ifft2c(volume["kspace"])


def simulated(folder):
    return sorted(path for split in ("train", "val", "test") for path in (folder / split).glob("*.h5"))


# ---------------------------------------------------------------- the simulated scans
def test_no_person_is_in_two_splits(folder):
    people = {}
    for split in ("train", "val", "test", "real"):
        for path in (folder / split).glob("*.h5"):
            with h5py.File(path) as file:
                people.setdefault(file.attrs["patient_id"], set()).add(split)
    assert len(people) >= 6
    assert all(len(splits) == 1 for splits in people.values())


def test_noise_has_the_covariance_asked_for():
    half = torch.complex(torch.randn(4, 4), torch.randn(4, 4))
    covariance = half @ half.mH + torch.eye(4)
    n = simulate.noise(torch.Size((3, 4, 128, 128)), covariance, torch.Generator().manual_seed(1))
    found = torch.einsum("scyx,sdyx->cd", n, n.conj()) / (3 * 128**2)
    assert (found - covariance).norm() < 0.03 * covariance.norm()


def test_outside_the_head_the_doubled_field_of_view_holds_noise_of_the_stated_colour(monkeypatch):
    monkeypatch.setattr(simulate, "SNR", (3.0, 4.0))  # so that noise hides the rims of sharp edges
    scan = simulate.scan(embedded.anatomy("s1")[20:23], embedded.scanner(), 64, 4, 5, augment=True)
    assert scan.kspace.shape[-2] == 2 * scan.image.shape[-2] == 128
    outside = ifft2c(scan.kspace)[:, :, [*range(16), *range(112, 128)]]
    n = outside.transpose(0, 1).flatten(1)
    found, asked = n @ n.mH / n.shape[1], scan.covariance
    assert (found - asked).norm() < 0.08 * asked.norm()
    assert (asked - torch.diag(asked.diagonal())).norm() > 0.1 * asked.norm(), "white noise: no correlation"


def test_tissue_stands_above_noise_as_in_the_real_scan(folder):
    low, high = simulate.SNR
    for path in simulated(folder):
        volume = arrays(path)
        sigma = volume["covariance"].diagonal().real.mean().sqrt() * simulate.MATRIX / volume["image"].shape[-1]
        assert 0.8 * low < simulate.level(volume["image"].abs()) / sigma < 1.25 * high, path.name


def test_the_range_of_snr_is_what_the_same_ruler_finds_in_the_real_scan():
    scans, _ = embedded.real_scan()
    sigma = embedded.scanner().covariance.diagonal().real.mean().sqrt()
    found = [simulate.level(rss) / sigma for rss in ifft2c(scans).abs().square().sum(1).sqrt()]
    assert scans.shape[-1] == simulate.MATRIX
    assert min(found) == pytest.approx(simulate.SNR[0], rel=0.05)
    assert max(found) == pytest.approx(simulate.SNR[1], rel=0.05)


def test_the_fully_sampled_sense_image_is_the_truth_up_to_noise(folder):
    for path in simulated(folder):
        volume = arrays(path)
        maps, truth = volume["maps"], volume["image"]
        combined = (maps.conj() * crop(coil_images(volume), truth.shape[-2:])).sum(1)
        seen = maps.abs().square().sum(1) > 0
        error = (combined - truth)[seen].norm() / truth[seen].norm()
        assert error < 0.05, path.name  # noise, and at 64 x 64 maps change within a pixel, as they do in a scanner


def test_at_128_pixels_the_truth_and_the_sense_image_differ_by_noise_alone():
    scan = simulate.scan(embedded.anatomy("s1")[20:22], embedded.scanner(), 128, 8, 5, augment=True)
    combined = (scan.maps.conj() * crop(ifft2c(scan.kspace), (128, 128))).sum(1)
    expected = torch.einsum("cyx,cd,dyx->yx", scan.maps.conj(), scan.covariance, scan.maps).real
    assert 0.98 < ((combined - scan.image).abs().square() / expected).mean().sqrt() < 1.1


def test_coil_maps_have_unit_root_sum_of_squares_where_there_is_tissue(folder):
    for path in folder.glob("*/*.h5"):
        energy = arrays(path)["maps"].abs().square().sum(1)
        assert (((energy - 1).abs() < 1e-4) | (energy == 0)).all()
        assert 0.3 < (energy > 0).float().mean() < 1


def test_k_space_is_not_conjugate_symmetric(folder):
    for path in simulated(folder):
        k = fft2c(arrays(path)["image"])[:, 1:, 1:]
        k = (
            k * torch.sgn(k[:, k.shape[1] // 2, k.shape[2] // 2].conj())[:, None, None]
        )  # a constant phase does not count
        assert (k - k.flip(-2, -1).conj()).norm() > 0.3 * k.norm(), path.name


def test_the_head_fills_the_frame_and_air_stays_dark(folder):
    for path in folder.glob("t*/*.h5"):
        image = arrays(path)["image"].abs().amax(0)
        rows = torch.nonzero((image > 0.15).sum(1) > 2)
        assert 0.55 < float(rows[-1] - rows[0]) / image.shape[0] < 1, path.name
        assert image[:3].mean() < 0.1, path.name


def test_every_training_volume_is_another_scan(folder):
    volumes = [arrays(path) for path in sorted((folder / "train").glob("colin27*.h5"))]
    first, second = volumes[:2]
    for name in ("image", "maps", "covariance"):
        assert (first[name] - second[name]).norm() > 0.1 * first[name].norm(), name


def test_without_augmentation_contrast_is_left_alone():
    slices = embedded.anatomy("pd")[5:6]
    seen = [simulate.scan(slices, embedded.scanner(), 32, 4, seed, augment=False).image.abs() for seed in (1, 2)]
    levels = [torch.quantile(image[image > 0.3], torch.tensor([0.1, 0.5, 0.9])) for image in seen]
    assert torch.allclose(levels[0] / levels[0][1], levels[1] / levels[1][1], rtol=0.15)


def test_virtual_coils_keep_the_signal_and_its_noise():
    few, all13 = (simulate.scan(embedded.anatomy("s1")[20:21], embedded.scanner(), 32, n, 3, True) for n in (8, 13))
    assert few.kspace.shape[1] == 8 and all13.kspace.shape[1] == 13
    assert all13.image.abs().allclose(few.image.abs(), atol=1e-5)


# ---------------------------------------------------------------- the real scan
def test_only_the_five_even_flip_angles_are_here(folder):
    file = embedded.arrays("real")
    assert file["flip_angle"].tolist() == [1, 5, 9, 13, 17]
    assert file["kspace"].shape[1] == 5
    names = set()
    for path in (folder / "real").glob("*.h5"):
        with h5py.File(path) as scan:
            names.add(scan.attrs["acquisition"])
    assert names == {f"AXFLASH{degrees:02d}" for degrees in (1, 5, 9, 13, 17)}
    assert all("image" not in arrays(path) for path in (folder / "real").glob("*.h5"))


def test_real_coil_images_fit_their_maps(folder):
    """Of the signal in the head all but the noise lies along the maps, so k-space is centred and maps belong to it."""
    volume = arrays(folder / "real" / "flash_1.h5")
    maps = volume["maps"][0]
    images = crop(coil_images(volume), maps.shape[-2:])[0]
    head = maps.abs().sum(0) > 0
    kept = (maps.conj() * images).sum(0)
    assert kept[head].norm() > 0.98 * images[:, head].norm()


def test_shipped_modes_explain_the_real_scan_down_to_its_noise():
    scans, _ = embedded.real_scan()
    images, place = (
        ifft2c(scans[1]),
        torch.stack(torch.meshgrid(simulate.axis(224), simulate.axis(224), indexing="xy"), -1),
    )
    maps = simulate.sensitivities(embedded.scanner().modes, place)
    maps = maps / maps.abs().square().sum(0).sqrt()
    rss = images.abs().square().sum(0)
    head = rss > 0.1 * rss.max()
    rest = (rss - (maps.conj() * images).sum(0).abs().square())[head].mean()
    assert rest < 1.2 * embedded.scanner().covariance.diagonal().real.sum()


# ---------------------------------------------------------------- making, keeping, checking
def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    name = "train/s1_001.h5"
    embedded.plan("ci")[name](tmp_path / "again.h5")
    again, first = arrays(tmp_path / "again.h5"), arrays(folder / name)
    assert all(torch.equal(again[key], first[key]) for key in first)


def test_a_prepared_set_is_found_at_once(folder, monkeypatch):
    monkeypatch.setattr(store, "_make", lambda *_: pytest.fail("made again"))
    start = time.perf_counter()
    assert embedded.prepare("ci") == folder
    assert time.perf_counter() - start < 0.5


def overwrite(path, keep_time):
    """Damage without changing the size; a new file, so that the session's own is not touched."""
    before, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.unlink()
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


def truncate(path):
    before, data = path.stat(), path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 3])
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "damage, thorough",
    [
        (Path.unlink, False),
        (truncate, False),
        (lambda path: overwrite(path, keep_time=False), False),
        (lambda path: overwrite(path, keep_time=True), True),
    ],
    ids=["missing", "truncated", "overwritten", "rotten"],
)
def test_a_damaged_file_is_made_again(copy, damage, thorough):
    path = copy / "train" / "s1_001.h5"
    whole = path.read_bytes()
    damage(path)
    embedded.prepare("ci", copy, progress=False, thorough=thorough)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["", "[]", '{"train/s1_001.h5": 3}'])
def test_files_without_a_sound_manifest_are_not_trusted(copy, text, monkeypatch):
    made = []
    monkeypatch.setattr(store, "_make", lambda _, name, __: made.append(name))
    (copy / "manifest.json").unlink()
    (copy / "manifest.json").write_text(text)
    embedded.prepare("ci", copy, progress=False)
    assert sorted(made) == sorted(embedded.plan("ci"))


def test_a_copied_set_is_checked_and_not_made_again(copy, monkeypatch):
    monkeypatch.setattr(store, "_make", lambda *_: pytest.fail("made again"))
    path = copy / "test" / "pd_000.h5"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    embedded.prepare("ci", copy, progress=False)
    assert path.stat().st_mtime_ns == json.loads((copy / "manifest.json").read_text())["test/pd_000.h5"]["time"]


def start(target):
    """`prepare` in a process of its own."""
    command = (sys.executable, "-c", PREPARE, str(target))
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


def test_after_a_kill_the_next_run_waits_its_turn_and_completes_it(folder, tmp_path):
    killed = start(tmp_path)
    while not (tmp_path / "manifest.json").exists():
        assert killed.poll() is None, killed.stderr.read()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (tmp_path / "train" / ".half.h5.1.part").write_bytes(b"left by a killed process")
    with FileLock(tmp_path / ".lock"):  # another process is at work
        second = start(tmp_path)
        assert any("another process is preparing" in line for line in second.stderr)
        listed = json.loads((tmp_path / "manifest.json").read_text())
    assert second.wait(timeout=120) == 0, second.stderr.read()
    assert len(listed) < len(embedded.plan("ci"))
    assert not list(tmp_path.rglob("*.part"))
    for name in embedded.plan("ci"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_full_disk_is_one_line_and_leaves_only_whole_files(folder, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))  # a write past this fails, as on a full disk
        with pytest.raises(CourseError) as error:
            embedded.prepare("ci", tmp_path, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(error.value) and "disk" in str(error.value)
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("*.h5"))
    only = {"test/pd_000.h5": embedded.plan("ci")["test/pd_000.h5"]}
    monkeypatch.setattr(embedded, "plan", lambda _: only)
    embedded.prepare("ci", tmp_path, progress=False)
    assert (tmp_path / "test/pd_000.h5").read_bytes() == (folder / "test/pd_000.h5").read_bytes()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CourseError, match="could not be written to .*remedy: .*COURSE_DATA") as error:
        embedded.prepare("ci", tmp_path / "file" / "data")
    assert "\n" not in str(error.value)


def test_a_whole_set_in_a_read_only_folder_is_used(copy, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: (_ for _ in ()).throw(PermissionError("read-only")))
    assert embedded.prepare("ci", copy) == copy


def test_a_damaged_shipped_file_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "real.npz").write_bytes((embedded.SHIPPED / "real.npz").read_bytes()[:1000])
    monkeypatch.setattr(embedded, "SHIPPED", tmp_path)
    for name in ("real", "anatomy"):
        with pytest.raises(CourseError, match=f"{name}.npz.*remedy: get the file again"):
            embedded.arrays(name)


# ---------------------------------------------------------------- which data set is meant
def test_course_data_names_a_folder_in_the_format(folder, tmp_path, monkeypatch):
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "knee.h5").write_bytes(b"")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    assert embedded.root("ci") == tmp_path


def test_course_data_may_be_a_name_in_the_cache(cache, monkeypatch):
    known = cache / "course_lib" / "knee-for-a-test" / "train"
    known.mkdir(parents=True, exist_ok=True)
    (known / "a.h5").write_bytes(b"")
    monkeypatch.setenv("COURSE_DATA", "knee-for-a-test")
    assert embedded.root() == known.parent


def test_course_data_may_be_an_empty_folder_to_fill(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    monkeypatch.setattr(embedded, "plan", lambda _: {"train/a.h5": lambda path: path.parent.mkdir() or path.touch()})
    for _ in range(2):
        assert embedded.root("ci") == tmp_path / f"embedded-ci-{embedded.version('ci')}"


@pytest.mark.parametrize("name", ["nowhere", "strange"])
def test_a_wrong_course_data_is_one_line(name, tmp_path, monkeypatch):
    (tmp_path / "strange" / "photos").mkdir(parents=True)
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / name))
    with pytest.raises(CourseError, match="COURSE_DATA=.*expected.*remedy"):
        embedded.root("ci")


def test_an_unknown_profile_is_one_line():
    with pytest.raises(CourseError, match="expected ci, cpu, gpu; found huge"):
        embedded.prepare("huge")


def test_the_arrays_shipped_stay_small():
    assert sum(path.stat().st_size for path in embedded.SHIPPED.glob("*.npz")) < 20e6
    assert np.iscomplexobj(embedded.arrays("real")["covariance"])
