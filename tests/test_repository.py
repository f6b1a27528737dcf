"""Facts that stand in more than one file agree: versions, dependencies, licences, targets."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from course_lib.solve import calibrate

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
MODULES = {"yaml": "pyyaml", "skimage": "scikit-image"}  # imported under another name than installed
EVERY = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]


def requirements(path: str) -> Iterator[Requirement]:
    lines = (ROOT / path).read_text("utf-8").splitlines()
    yield from (Requirement(line) for line in lines if line and not line.startswith("#"))


PINS = {canonicalize_name(r.name): r for r in requirements("constraints.txt")}


def pinned(name: str) -> Version:
    (pin,) = PINS[canonicalize_name(name)].specifier
    assert pin.operator == "==", f"{name} is not pinned to one version"
    return Version(pin.version)


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository; skipped in a copy without git."""
    try:
        found = subprocess.run(
            ["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in found.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("line", sorted(set(EVERY)))
def test_a_requirement_is_a_lower_bound_and_its_pin_satisfies_it(line):
    requirement = Requirement(line)
    assert [s.operator for s in requirement.specifier] == [">="], "lower bounds only: learners bring their own versions"
    assert pinned(requirement.name) in requirement.specifier


def test_the_pins_are_exact_and_portable():
    for name in PINS:
        assert pinned(name).local is None, f"{name}: a local version such as +cpu is found on one machine only"


@pytest.mark.parametrize("path", ["constraints.txt", "requirements-reference.txt", "requirements-peers.txt"])
def test_nothing_installs_torchvision(path):
    names = {r.name for r in requirements(path)} | {Requirement(line).name for line in EVERY}
    assert not names & {"torchvision", "torchaudio", "pytorch-lightning"}


def test_the_files_without_dependencies_pin_what_they_install():
    for path in ("requirements-reference.txt", "requirements-peers.txt"):
        assert all([s.operator for s in r.specifier] == ["=="] for r in requirements(path)), path


def test_environment_yml_says_what_pyproject_says():
    assert ENVIRONMENT["name"] == PROJECT["name"]
    *conda, last = ENVIRONMENT["dependencies"]
    python, pip = conda
    assert python.replace("=", ">=") == f"python{PROJECT['requires-python']}" and pip == "pip"
    constraint, course = last["pip"]
    assert constraint == "-c constraints.txt"
    (extras,) = re.fullmatch(r"-e \.\[(.+)\]", course).groups()
    assert set(extras.split(",")) <= set(EXTRAS)


def test_the_version_is_one():
    version = PROJECT["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == version
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1] == version
    face = (ROOT / "course_lib" / "__init__.py").read_text("utf-8")
    assert f'__version__ = "{version}"' in face


def top_level_imports(path: Path) -> set[str]:
    """Packages imported when the file is imported (imports inside functions are optional and say so themselves)."""
    body = ast.parse(path.read_text("utf-8")).body
    names = {a.name for n in body if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in body if isinstance(n, ast.ImportFrom) and not n.level}
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)


def test_what_the_library_imports_is_declared():
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    for path in (ROOT / "course_lib").rglob("*.py"):
        missing = {MODULES.get(n, n) for n in top_level_imports(path)} - declared - {"course_lib"}
        assert not missing, f"{path.relative_to(ROOT)} imports {missing}: add it to the dependencies in pyproject.toml"


def test_pre_commit_runs_the_tested_versions():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    lines = [line for repo in config["repos"] for hook in repo["hooks"] for line in hook["additional_dependencies"]]
    pins = [Requirement(line) for line in lines if "==" in line]
    assert pins and all(pinned(r.name) in r.specifier for r in pins)


def test_make_help_lists_every_target():
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert {line.split()[0] for line in listed.splitlines()} == set(phony.split())


@pytest.mark.parametrize("target", ["course", "lab", "test", "check", "notebooks", "run", "bench", "data", "clean"])
def test_a_target_of_make_can_be_planned(target):
    plan = subprocess.run(["make", "-n", target, "HEADLESS=1"], cwd=ROOT, capture_output=True, text=True)
    assert plan.returncode == 0, plan.stderr


def test_what_is_shipped_is_small():
    assert sum(path.stat().st_size for path in tracked("data")) <= 25 * 2**20
    large = [path.name for path in tracked() if path.stat().st_size > 5 * 2**20 and path.parent.name != "data"]
    assert not large


def test_student_notebooks_hold_no_outputs():
    for path in tracked("notebooks/*.ipynb"):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        assert not any(cell.get("outputs") for cell in cells), f"{path.name} holds outputs: run make notebooks"


def test_signatures_are_checked_while_testing():
    with pytest.raises(jaxtyping.TypeCheckError):
        calibrate.walsh(torch.zeros(1, 2, 4, 4))  # real, where complex maps belong


def test_a_wrong_python_is_one_clear_line(tmp_path):
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    made = subprocess.run(
        ["make", "-s", ".venv/python.stamp", f"PYTHON={old}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode != 0 and "Remedy" in made.stderr and not (tmp_path / ".venv").exists()
