"""Each benchmark runs at a tiny size with ours and sigpy, and its comparison is a real one."""

from dataclasses import replace
from importlib import import_module

import pytest
import torch

from benchmarks import report, step
from benchmarks.__main__ import ROWS
from benchmarks.harness import OURS, TINY, Goal, Row, measure
from benchmarks.import_time import over
from course_lib.profiles import profile

ALONE = {OURS, "sigpy"}  # what every installation has


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny problems: threads only wait for each other, and long when other tests run beside."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", sorted(set(ROWS) - {"import_time"}))
def test_every_row_runs_and_its_results_agree(name):
    for row in import_module(f"benchmarks.{name}").rows(TINY):
        cells = measure(row, TINY, only=ALONE)["cells"]
        assert cells[OURS].get("missing") is None and cells[OURS]["ms"] > 0
        assert set(cells) <= ALONE | set(row.limits)
        timed = [cell for name, cell in cells.items() if "ms" in cell and name not in row.limits]
        assert all(cell["difference"] <= row.tolerance for cell in timed)


def test_the_import_is_measured_in_a_fresh_process():
    assert 0.001 < over("import course_lib.errors")() < 10


def row(**changes) -> Row:
    slow = lambda: sum(range(200_000))
    goals = (Goal("best peer", 1.5),)
    plain = Row("a row", lambda: lambda: 1.0, {"peer": lambda: slow}, lambda x: 0.0, tolerance=0.1, goals=goals)
    return replace(plain, **changes)


def test_a_wrong_result_is_not_timed():
    cells = measure(row(difference=lambda x: abs(float(x) - 1.0)), TINY)["cells"]
    assert "ms" in cells[OURS]
    assert "ms" not in cells["peer"] and "not timed" in cells["peer"]["missing"]


def test_a_missing_peer_is_an_empty_cell_with_its_reason():
    def absent():
        import no_such_library  # noqa: F401

    result = measure(row(peers={"peer": absent}), TINY)
    assert "no_such_library" in result["cells"]["peer"]["missing"]
    assert result["goals"][0]["met"] is None


def test_goals_are_judged_by_the_ratio():
    assert measure(row(), TINY)["goals"][0]["met"] is True
    assert measure(row(goals=(Goal("peer", 1e9),)), TINY)["goals"][0]["met"] is False


def test_the_report_keeps_rows_that_were_not_measured_again(tmp_path):
    facts = {"machine": "some-machine", "versions": {"torch": "2"}, "load_at_start": 0.0, "openmp": {}}
    first, second = measure(row(), TINY), measure(row(title="another"), TINY)
    report.write(facts | {"versions": {"torch": "1", "a peer": "7"}}, [first, second], tmp_path)
    table = report.write(facts, [first], tmp_path).read_text()
    assert "## a row" in table and "## another" in table and "best peer >= 1.50" in table
    assert "torch 2" in table and "a peer 7" in table


@pytest.mark.skipif(not step.RESET.exists(), reason="this system does not say how much memory a process held")
def test_a_training_step_is_taken_apart(monkeypatch):
    monkeypatch.setattr(step, "WHERE", profile("ci"))
    (small,) = step.networks(["srcnn"])
    parameters, megabytes, ms, other = step.measured(small, paper=False)
    assert parameters == 14_114 and megabytes > 0 and ms > 0 and 0 < other < 1
