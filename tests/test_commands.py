"""The command line as a person uses it: good input works, bad input gets one line and status 2."""

import json

import h5py
import numpy as np
import pytest
import torch

from course_lib import data, show, weights
from course_lib.__main__ import main
from course_lib.data.phantom import coil_maps, ellipses
from course_lib.ops import Coils, Fourier


@pytest.fixture()
def full(tmp_path):
    """A fully sampled file to the conventions of fastMRI: odd width, zero-padded columns, 2x oversampled readout."""
    height, width, left, right = 96, 53, 4, 49
    object_ = torch.zeros(1, height, width, dtype=torch.complex64)
    object_[:, 24:72] = ellipses(48, width)
    k = (Fourier() @ Coils(coil_maps(4, height, width)))(object_)[0].numpy()
    k[..., :left] = k[..., right:] = 0
    k = np.stack([k, 0.5 * k]) * 1e-5
    return data.write(tmp_path / "full.h5", k, "AXT2", "ab12", recon=(48, 48), padding=(left, right))


def said(capsys, *arguments):
    status = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_reconstruct_a_file_as_fastmri_writes_it(capsys, full, tmp_path):
    output = tmp_path / "out.h5"
    mask = ("--mask", "equispaced", "--acceleration", 2)
    status, out, err = said(capsys, "reconstruct", "sense_cg", full, "-o", output, *mask, "--json")
    assert status == 0, err
    assert json.loads(out.splitlines()[-1])["shape"] == [2, 48, 48]
    with h5py.File(output) as file, h5py.File(full) as truth:
        found, wanted = file["reconstruction"][()], truth["reconstruction_rss"][()]
    assert found.shape == wanted.shape
    assert np.linalg.norm(found - wanted) < 0.15 * np.linalg.norm(wanted)  # units and scale are the file's


@pytest.mark.parametrize("split", ["test", "real"])
def test_reconstruct_one_of_our_files(capsys, tmp_path, split):
    source = sorted((data.root() / split).glob("*.h5"))[0]
    arguments = ("reconstruct", "sense_cg", source, "-o", tmp_path / "x.h5", "--mask", "random")
    assert said(capsys, *arguments)[0] == 0
    assert data.read(source).shape[0] == len(h5py.File(tmp_path / "x.h5")["reconstruction"])


def test_a_masked_file_keeps_its_mask(capsys, tmp_path, full):
    k = h5py.File(full)["kspace"][()]
    mask = np.zeros(53, bool)
    mask[::2] = mask[20:34] = True
    masked = data.write_test(tmp_path / "test.h5", k, mask, "AXT2", "ab12", 2, 14, recon=(48, 48))
    assert said(capsys, "reconstruct", "cs_tv", masked, "-o", tmp_path / "y.h5")[0] == 0
    status, _, err = said(capsys, "reconstruct", "cs_tv", masked, "-o", tmp_path / "z.h5", "--mask", "random")
    assert status == 2 and "already undersampled" in err and not (tmp_path / "z.h5").exists()


def test_bad_input_is_one_line_and_writes_nothing(capsys, tmp_path, full, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path / "none")  # nor have the weights come with the course
    broken = tmp_path / "broken.h5"
    broken.write_bytes(full.read_bytes()[:2000])
    cases = {
        ("reconstruct", "sense_cg", full): "fully sampled",
        ("reconstruct", "sense_cg", broken, "--mask", "random"): "whole HDF5 file",
        ("reconstruct", "sense_cg", tmp_path / "no.h5", "--mask", "random"): "no such file",
        ("reconstruct", "modl", full, "--mask", "random"): "no weights",
        ("reconstruct", "nothing", full, "--mask", "random"): "no method is called",
    }
    for arguments, words in cases.items():
        status, _, err = said(capsys, *arguments, "-o", tmp_path / "out.h5")
        assert status == 2 and words in err and len(err.strip().splitlines()) == 1, err
        assert not (tmp_path / "out.h5").exists()
    assert said(capsys, "train", "cs_tv")[0] == 2
    assert said(capsys, "prepare", "fastmri")[0] == 2
    assert said(capsys, "doctor", "--profile", "huge")[0] in (0, 1)
    assert said(capsys, "prepare", "--profile", "huge")[0] == 2


def test_train_then_evaluate_then_reconstruct(capsys, tmp_path, full):
    file = tmp_path / "w" / "dc.safetensors"
    status, out, err = said(capsys, "train", "dc_cnn", "--seconds", 2, "-o", file, "--acceleration", 4, "--json")
    assert status == 0 and json.loads(out.splitlines()[-1])["steps"] > 0, err
    assert [p.name for p in file.parent.iterdir()] == [file.name]
    status, out, _ = said(capsys, "evaluate", "dc_cnn", "--weights", file, "--json")
    assert status == 0 and set(json.loads(out.splitlines()[-1])) == {"test", "real"}
    mask = ("--mask", "random")
    assert said(capsys, "reconstruct", "dc_cnn", full, "-o", tmp_path / "n.h5", "--weights", file, *mask)[0] == 0


def test_prepare_says_where_the_data_are(capsys):
    status, out, _ = said(capsys, "prepare", "--json")
    root = json.loads(out.splitlines()[-1])["root"]
    assert status == 0 and (data.root() == data.root().__class__(root))


def test_prepare_cuts_a_subset(capsys, tmp_path, full):
    folder = tmp_path / "src" / "multicoil_train"
    folder.mkdir(parents=True)
    full.rename(folder / "file1.h5")
    arguments = ("prepare", "fastmri", "--src", tmp_path / "src", "--out", tmp_path / "out", "--volumes", 1)
    assert said(capsys, *arguments, "--slices", 1)[0] == 0
    assert data.read(tmp_path / "out" / "train" / "file1.h5").shape[0] == 1


def test_a_default_that_is_a_function_is_shown_by_its_name():
    assert "settings: width: int = 32, depth: int = 4, loss = l1\n" in show("unet", source=False, verify=False)


def test_show_check_and_doctor(capsys):
    status, out, _ = said(capsys, "show", "zero_filled")
    assert status == 0 and "A^H y" in out and "✓" in out and "class ZeroFilled" in out
    assert said(capsys, "check", "zero_filled")[0] == 0
    assert "torch" in said(capsys, "doctor")[1]


@pytest.mark.slow
def test_start_tells_the_whole_story(capsys):
    status, out, err = said(capsys, "start", "--seconds", 4, "--json")
    assert status == 0, err
    tables = json.loads(out.splitlines()[-1])["tables"]
    assert set(tables) == {"test R=4", "test R=8", "real R=4", "real R=8"}
    for rows in tables.values():
        assert set(rows) == {"zero_filled", "sense_cg", "cs_wavelet", "cs_tv", "dc_cnn"}
        assert rows["cs_tv"]["psnr"] > rows["zero_filled"]["psnr"]
        assert rows["dc_cnn"]["psnr"] > rows["zero_filled"]["psnr"]
