"""Every exercise knows a right answer, another right answer, the stub, and planted mistakes by their names."""

from pathlib import Path

import pytest
import torch
from answers import RIGHT, WRONG, stub, table

from course_lib.errors import CourseError
from course_lib.teach import check, use
from course_lib.teach.exercise import Exercise
from course_lib.teach.relation import relation

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", check.EXERCISES)
def test_the_reference_and_another_solution_are_right(name):
    exercise = check.EXERCISES[name]
    for solution in (exercise.reference, RIGHT[name]):
        verdict = exercise(solution)
        assert verdict.right, verdict


@pytest.mark.parametrize("name", check.EXERCISES)
def test_the_stub_is_not_written_yet_and_the_course_s_solution_runs(name, capsys):
    exercise = check.EXERCISES[name]
    assert exercise(stub).diagnosis == "not written yet"
    assert use(stub, exercise) is exercise.reference and "the course's" in capsys.readouterr().out
    assert use(RIGHT[name], exercise) is RIGHT[name] and "your solution runs" in capsys.readouterr().out


@pytest.mark.parametrize("name, diagnosis, wrong", WRONG, ids=lambda v: v if isinstance(v, str) else "")
def test_a_planted_mistake_is_named(name, diagnosis, wrong):
    verdict = check.EXERCISES[name](wrong)
    assert not verdict.right and verdict.diagnosis == diagnosis, verdict


@pytest.mark.parametrize("name", check.EXERCISES)
def test_at_least_three_mistakes_are_planted_and_every_known_one_says_what_to_think_about(name):
    assert sum(planted == name for planted, _, _ in WRONG) >= 3
    for sentence in check.EXERCISES[name].mistakes:
        assert ": " in sentence, f"{sentence!r} has no explanation after a colon"


@pytest.mark.parametrize("name", check.EXERCISES)
def test_every_known_mistake_is_found_under_its_own_name(name):
    for sentence, mistake in check.EXERCISES[name].mistakes.items():
        assert check.EXERCISES[name](mistake).diagnosis == sentence.split(": ")[0]


def test_one_command_prints_what_every_exercise_answers(monkeypatch):
    first = next(iter(check.EXERCISES))
    monkeypatch.setattr(check, "EXERCISES", {first: check.EXERCISES[first]})
    name, *lines = table()
    assert name == first and len(lines) >= 6 and not any(line.startswith("!") for line in lines)
    monkeypatch.setitem(RIGHT, first, stub)
    assert [line for line in table() if line.startswith("!")] == [next(line for line in table() if "another" in line)]


def test_strict_refuses_a_wrong_solution(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(CourseError, match="not written yet"):
        use(stub, check.ch01_move)


DOUBLE = Exercise(reference=lambda x: 2 * x, cases=lambda: [(torch.tensor([[1.0, 2.0], [3.0, 5.0]]),)])
ANSWERS = [
    ("it returns nothing", lambda x: None),
    ("it stops", lambda x: x @ torch.ones(7)),
    ("it stops", lambda: 1),
    ("wrong shape", lambda x: 2 * x[0]),
    ("wrong kind of result", lambda x: [1, 2]),
    ("wrong dtype", lambda x: torch.zeros(2, 2, dtype=torch.complex64)),
    ("not finite", lambda x: x / 0),
    ("wrong sign", lambda x: -2 * x),
    ("wrong normalisation", lambda x: x),
    ("transposed", lambda x: 2 * x.mT),
    ("it changes its input", lambda x: x.mul_(2)),
    ("wrong values", lambda x: x + 1),
]


@pytest.mark.parametrize("diagnosis, wrong", ANSWERS)
def test_mistakes_that_every_exercise_shares(diagnosis, wrong):
    assert DOUBLE(wrong).diagnosis == diagnosis


def test_right_values_of_another_dtype_are_no_wrong_normalisation():
    verdict = DOUBLE(lambda x: 2 * x + 0j)
    assert (verdict.diagnosis, verdict.words[:43]) == ("wrong dtype", "values right, stored as complex64, expected")
    assert DOUBLE(lambda x: 4 * x + 0j).diagnosis == "wrong normalisation"


def test_a_wrong_answer_is_told_with_its_case_and_the_size_of_the_input():
    assert "(case 1 of 1, input (2, 2))" in DOUBLE(lambda x: x + 1).words
    number = Exercise(reference=lambda n: n, cases=lambda: [(1.0,)])
    assert "(case 1 of 1)" in number(lambda n: n + 1).words


def test_an_error_is_told_with_the_line_in_which_it_happened():
    def wrong(x):
        y = x[0]
        return y @ torch.ones(9)

    assert "torch.ones(9)" in DOUBLE(wrong).words


def test_a_gradient_that_reaches_nothing_is_named():
    differentiable = Exercise(DOUBLE.reference, DOUBLE.cases, differentiable=True)
    assert differentiable(lambda x: x + x).right
    assert differentiable(lambda x: 2 * x.detach()).diagnosis == "the gradient reaches nothing"
    assert (
        differentiable(lambda x: torch.from_numpy(2 * x.detach().numpy())).diagnosis == "the gradient reaches nothing"
    )


def test_tuples_and_numbers_are_compared():
    pair = Exercise(reference=lambda x: (x, 2.0), cases=lambda: [(torch.ones(2),)])
    assert pair(lambda x: (x, 2)).right
    assert pair(lambda x: x.sum()).diagnosis == "wrong number of results"
    assert pair(lambda x: (x, 3.0)).diagnosis == "wrong values"
    assert pair(lambda x: (x, "two")).diagnosis == "wrong kind of result"


def test_relations_of_complex_arrays():
    x = torch.randn(1, 6, 6, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    alternating = x * (-1.0) ** (torch.arange(6)[:, None] + torch.arange(6))
    for name, wrong in {
        "conjugate": x.conj(),
        "real part only": x.real,
        "magnitude only": x.abs(),
        "shift on the wrong side": x.roll((3, 3), (-2, -1)),
        "shift missing on the other side": alternating,
        "upside down": x.flip(-2, -1),
        "wrong normalisation": 2j * x,
    }.items():
        found = relation(wrong, x, 1e-4)
        assert found is not None and found.name == name
    assert relation(x + 1, x, 1e-4) is None and relation(torch.zeros_like(x), x, 1e-4) is None


@pytest.mark.parametrize("name", check.EXERCISES)
def test_the_guide_for_teachers_lists_the_exercise(name):
    assert f"`{name}`" in (ROOT / "docs" / "teaching.md").read_text("utf-8")
