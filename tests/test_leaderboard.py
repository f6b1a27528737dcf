"""The board: rows are made once, survive an interruption, and know when they are stale."""

import sys
from inspect import signature

import pytest
import torch

from course_lib import leaderboard
from course_lib.errors import CourseError
from course_lib.leaderboard import board, fingerprint, measure
from course_lib.leaderboard.settings import low, regular, settings
from course_lib.methods import METHODS, card
from course_lib.profiles import profile
from course_lib.teach.board import board as draw


def entries(*methods: str, seconds: float = 1.0, seeds: int = 1, where: str = "ci") -> list[leaderboard.Entry]:
    return list(leaderboard.entries(profile(where), seconds, methods, seeds))


def row(method: str, test: list[float], real: list[float], seed: int = 0, **facts) -> dict:
    metrics = {
        split: {"psnr": psnr, "ssim": [0.5] * len(psnr), "nrmse": [0.1] * len(psnr), "seconds": 0.01}
        for split, psnr in {"test": test, "real": real}.items()
    }
    key = {"method": method, "setting": "random", "acceleration": 4, "seed": seed, "fingerprint": "old"}
    words = {"learns": "nothing", "profile": "ci", "allowed_seconds": 1.0, "parameters": 7, "device": "CPU"}
    return key | words | {"effective": 4.0} | metrics | facts


@pytest.fixture
def written(tmp_path):
    """A board file, not there yet."""
    return tmp_path / "leaderboard_ci.json"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function text -> the code of a module that says so."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text: str, name: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        __import__(name)
        return fingerprint.code(fingerprint.Definition(name, "f"))

    yield make
    for name in [n for n in sys.modules if n.startswith("made_")]:
        del sys.modules[name]


def reached(definition):
    return {f"{d.module}.{d.name}".removeprefix("course_lib.") for d in fingerprint.reached([definition])}


def test_words_do_not_make_a_result_stale_but_statements_do(module):
    first = module('"""One."""\ndef f(x):\n    """Two."""\n    return x + 1  # three\n', "made_a")
    assert first == module('def f(x):\n    """Other words."""\n\n    return  x + 1\n', "made_b")
    assert first == module("def f(x):\n    return x + 1\n\n\ndef claim_a():\n    assert f(1) == 2\n", "made_d")
    assert first != module("def f(x):\n    return x + 2\n", "made_c")


def test_annotations_use_nothing():
    found = reached(fingerprint.MEASURE)
    assert "leaderboard.measure._train" in found and "leaderboard.entry.Entry" not in found


@pytest.mark.parametrize("name", [name for name, c in METHODS.items() if "coils" in signature(c.cls).parameters])
def test_kspace_networks_have_room_for_all_coils_of_the_real_scan(name):
    assert entries(name, where="gpu")[0].built["coils"] >= 13


def test_a_method_reaches_what_it_uses_and_nothing_else():
    found = reached(fingerprint.Definition(card("modl").cls.__module__, "MoDL"))
    assert {"solve.shifted.shifted_inverse", "blocks.cnn.cnn", "losses.mse", "ops.rows.row_matrices"} <= found
    assert not {"solve.loraks.loraks", "blocks.unet.UNet", "losses.ssim", "methods.unrolled.modl.cg"} & found


def test_training_and_evaluation_belong_to_every_result():
    found = reached(fingerprint.MEASURE)
    assert {"train.fit", "metrics.psnr", "metrics.ssim", "evaluate.tuned", "muon.Muon"} <= found
    assert {"leaderboard.sources.hearts", "data.moving.vessels", "data.sample.undersample"} <= reached(
        fingerprint.TASKS
    )


@pytest.mark.parametrize(("changed", "stale"), [("solve.shifted", True), ("train", True), ("solve.loraks", False)])
def test_a_change_of_code_that_is_reached_makes_stale(monkeypatch, changed, stale):
    (entry, *_) = entries("modl")
    before, real = entry.now, fingerprint.code
    monkeypatch.setattr(fingerprint, "code", lambda d: real(d) + "!" * (d.module == f"course_lib.{changed}"))
    assert (entry.now != before) == stale


def test_seconds_matter_to_networks_only():
    for name, matter in {"modl": True, "cs_tv": False}.items():
        assert (entries(name, seconds=1)[0].now != entries(name, seconds=2)[0].now) == matter


def test_other_data_make_stale(tmp_path):
    (tmp_path / "a.h5").write_bytes(b"one")
    before = fingerprint.fingerprint(card("modl"), tmp_path, {})
    (tmp_path / "a.h5").write_bytes(b"longer")
    after = fingerprint.fingerprint(card("modl"), tmp_path, {})
    embedded = (fingerprint.fingerprint(card("modl"), tmp_path / f"embedded-ci-{version}", {}) for version in "ab")
    assert len({before, after, *embedded}) == 4


def test_every_method_has_a_place():
    assert {name for task in settings().values() for name in task.methods} == set(METHODS)


def test_rows_are_made_once(written, monkeypatch):
    todo = entries("zero_filled")
    rows = leaderboard.fill(written, todo)
    assert [r["acceleration"] for r in rows if r["setting"] == "random"] == [4, 8]
    assert all(len(r["test"]["psnr"]) > 1 and min(r["test"]["psnr"]) > 5 for r in rows)
    monkeypatch.setattr(board, "measure", lambda *_: pytest.fail("made again"))
    assert leaderboard.fill(written, todo) == rows


def test_an_interruption_loses_one_row_at_most(written, monkeypatch):
    def stopped(entry, folder):
        if entry.acceleration == 8:
            raise KeyboardInterrupt
        return row("zero_filled", [1.0], [1.0]) | entry.key

    monkeypatch.setattr(board, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        leaderboard.fill(written, entries("zero_filled"))
    assert [r["acceleration"] for r in leaderboard.read(written)] == [4]
    assert [f.name for f in written.parent.glob("*.part")] == []


def test_a_new_row_takes_the_place_of_the_old_one(written):
    for psnr in (1.0, 2.0):
        board.add(written, row("unet", [psnr], [psnr]))
    board.add(written, row("unet", [3.0], [3.0], seed=1))
    assert [r["test"]["psnr"] for r in leaderboard.read(written)] == [[2.0], [3.0]]


def test_a_damaged_board_is_one_clear_line(written):
    written.write_text('{"rows": [')
    with pytest.raises(CourseError, match="is damaged.*delete it"):
        leaderboard.read(written)


def test_one_network_serves_both_accelerations_and_is_trained_again_when_stale(written, monkeypatch):
    trained = []
    real = measure._train
    monkeypatch.setattr(measure, "_train", lambda entry, file: (trained.append(entry.seconds), real(entry, file)))
    rows = leaderboard.fill(written, entries("unet", seconds=0.2))
    assert trained == [0.2] and len({r["steps"] for r in rows}) == 1 and rows[0]["parameters"] > 0
    leaderboard.fill(written, entries("unet", seconds=0.3))
    assert trained == [0.2, 0.3]


def test_a_method_that_cannot_take_the_data_says_why(written, monkeypatch):
    def refuses(*_):
        raise CourseError("grappa: too few calibration lines")

    monkeypatch.setattr(measure, "tuned", refuses)
    rows = leaderboard.fill(written, entries("grappa"))
    assert all("too few" in r["reason"] for r in rows)
    text = leaderboard.markdown([*rows, row("cs_tv", [1.0, 2.0], [1.0, 2.0])], [])
    assert "Could not take part" in text and "grappa, regular, R = 4: grappa: too few calibration lines" in text


def test_the_table_ranks_pairs_and_marks():
    rows = [row("cs_tv", [20.0, 30.0], [30.0, 31.0]), row("unet", [22.0, 32.0], [20.0, 21.0])]
    text = leaderboard.markdown(rows, [])
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert lines[0].startswith("| 1 | 2 | unet [10] † | 27.00") and "+2.00 [+2.00, +2.00]" in lines[0]
    assert lines[1].startswith("| 2 | 1 | cs_tv [3] † | 25.00")
    assert "tau between the two ranks: -1.00" in text
    assert leaderboard.stale(rows, []) == rows


def test_a_fresh_row_has_no_mark():
    todo = entries("cs_tv")
    rows = [row("cs_tv", [1.0], [1.0]) | entry.key | {"fingerprint": entry.now} for entry in todo]
    assert leaderboard.stale(rows, todo) == []
    assert not any("†" in line for line in leaderboard.markdown(rows, todo).splitlines() if line.startswith("| "))


def test_seeds_are_averaged_and_their_spread_is_shown():
    rows = [row("unet", [20.0, 30.0], [1.0], 0), row("unet", [22.0, 34.0], [1.0], 1)]
    ((line,),) = leaderboard.tasks(rows, []).values()
    assert line.values("test").tolist() == [21.0, 32.0]
    assert line.spread == pytest.approx(torch.tensor([25.0, 28.0]).std().item())
    assert "± 2.12" in leaderboard.markdown(rows, [])


def test_kendall_counts_pairs_in_the_same_order():
    rows = [row(m, [t], [r]) for m, t, r in (("unet", 3, 3), ("modl", 2, 1), ("cs_tv", 1, 2))]
    ((lines),) = leaderboard.tasks(rows, []).values()
    assert leaderboard.kendall(lines) == pytest.approx(1 / 3)


def test_the_figure_names_every_method():
    rows = [row("cs_tv", [20.0], [30.0]), row("unet", [22.0], [20.0], learns="database")]
    ((lines),) = leaderboard.tasks(rows, []).values()
    picture = draw(lines, "R = 4")
    assert "unet 22.0 dB, real 20.0 dB" in picture.alt
    for one in rows:
        del one["real"]
    ((simulated),) = leaderboard.tasks(rows, []).values()
    assert "real" not in draw(simulated, "R = 4").alt and "tau" not in leaderboard.markdown(rows, [])
    assert picture.png()[:4] == b"\x89PNG"


def test_the_names_of_many_methods_leave_room_for_their_points():
    rows = [row("cs_tv", [20.0 + i], [30.0]) | {"method": f"number_{i}"} for i in range(40)]
    ((lines),) = leaderboard.tasks(rows, []).values()
    picture = draw(lines, "R = 4")
    picture.png()
    assert all(axis.get_position().height > 0.7 for axis in picture.axes)


def test_the_settings_sample_what_they_say():
    for R in (4, 8):
        lines = regular(R)(128, 0)[0, 0, 0]
        assert lines[64 - 13 : 64 + 13].all()
        assert len(set(lines[:50].nonzero().flatten().diff().tolist())) == 1  # outside the centre one distance


def test_super_resolution_has_a_task_of_its_own():
    tasks = settings()
    assert set(tasks["centre"].methods) == {"zero_filled", "sense_cg", "cs_tv", "srcnn", "sr_unet"}
    assert {"sense", "grappa"} <= set(tasks["regular"].methods)
    assert not {"srcnn", "sr_unet"} & {name for key in tasks if key != "centre" for name in tasks[key].methods}
    assert [e.acceleration for e in entries("srcnn")] == [2, 4]
    assert [int(low(2, 4)(64, seed).sum()) for seed in (0, 1)] == [32, 16]  # training draws both
    assert low(4)(64, 0)[0, 0, 0, 24:40].all()
