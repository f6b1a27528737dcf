# Everything runs in .venv; nothing is installed outside it. `make help` lists the targets.
#   PYTHON=python3.12 make course      choose the interpreter (3.11 or newer)
#   TORCH_INDEX=URL make course        take torch from another index (CPU-only or another CUDA)
#   HEADLESS=1 make course             stop after the first results, open nothing
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
PY := .venv/bin/python
INSTALL := $(PY) -m pip install --disable-pip-version-check -qq -c constraints.txt

# One process a core, four at most: each test uses one thread and up to 2 GB.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadgroup --maxschedchunk 1

.PHONY: help course lab test check format notebooks run answers colab bench data clean

help:  ## this list
	@awk -F ':.*##' '/^[a-z]+:.*##/ { printf "%-12s%s\n", $$1, $$2 }' Makefile

course: .venv/course.stamp  ## set up, train a network in minutes, reconstruct a real scan, open JupyterLab
	$(PY) -m course_lib start
	@if [ -z "$(HEADLESS)" ] && [ -t 1 ]; then $(MAKE) lab; else echo "Next: make lab opens the chapters."; fi

lab: .venv/course.stamp  ## open JupyterLab at chapter 00
	$(PY) -m jupyterlab notebooks/00_start_here.ipynb

test: .venv/dev.stamp  ## every test
	$(PY) -m pytest tests $(PARALLEL)

check: .venv/dev.stamp  ## style, types and the quick tests
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m pyright
	$(PY) -m pytest tests $(PARALLEL) -m "not slow"

format: .venv/dev.stamp  ## put the code into ruff's format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

notebooks: .venv/course.stamp  ## write notebooks/ anew from solutions/ (your edits there are lost)
	$(PY) solutions/build.py

run: .venv/course.stamp  ## execute every chapter in the cpu profile, or one: make run CH=05
	$(PY) solutions/build.py run $(CH)

answers: .venv/dev.stamp  ## what every exercise answers to right, unwritten and wrong solutions
	$(PY) tests/answers.py

colab: .venv-colab/colab.stamp  ## run the students' notebooks with Colab's versions of the front end
	COURSE_PROFILE=ci PYTHONPATH="$(CURDIR)" .venv-colab/bin/python -m pytest -q -p no:cacheprovider --nbval-lax notebooks

bench: .venv/bench.stamp  ## time our operators and solvers against their peers
	$(PY) -m benchmarks

data: .venv/dev.stamp  ## build the arrays in data/ anew from the packages they come from
	$(PY) data/build.py

clean:  ## remove the environment and every cache of this folder
	rm -rf .venv .venv-colab .cache build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so an interrupted set-up goes on at the next call; a healthy .venv is kept.
.venv/python.stamp:
	@for p in $(PYTHONS); do \
	  if "$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$p"; break; fi; \
	done; \
	if [ -z "$$found" ]; then echo "No Python 3.11 or newer with venv among: $(PYTHONS)." \
	  "Remedy: install one (Debian, Ubuntu: also python3-venv) or say PYTHON=/path/to/python make ..." >&2; exit 1; fi; \
	$(PY) -m pip --version >/dev/null 2>&1 || "$$found" -m venv --clear .venv
	@touch $@

# What -qq hides are pip's warnings; its errors are shown.
# torch comes first and alone, so that TORCH_INDEX serves it and nothing else.
.venv/torch.stamp: constraints.txt | .venv/python.stamp
	@echo "Setting up .venv: torch ..."
	@$(INSTALL) $(if $(TORCH_INDEX),--no-deps --index-url "$(TORCH_INDEX)") torch
	@touch $@

.venv/course.stamp: pyproject.toml constraints.txt .venv/torch.stamp
	@echo "Setting up .venv: the course and JupyterLab ..."
	@$(INSTALL) -e ".[notebooks]"
	@touch $@

.venv/dev.stamp: requirements-reference.txt .venv/course.stamp
	@echo "Setting up .venv: what the tests need ..."
	@$(INSTALL) -e ".[notebooks,dev]"
	@$(INSTALL) --no-deps -r requirements-reference.txt
	@touch $@

# Its own front end; everything else is borrowed from .venv.
.venv-colab/colab.stamp: constraints-colab.txt .venv/dev.stamp
	@echo "Setting up .venv-colab: the front end of Colab ..."
	@$(PY) -m venv --clear .venv-colab
	@$(PY) -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \
	  "$$(.venv-colab/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/borrowed.pth"
	@.venv-colab/bin/python -m pip install --disable-pip-version-check -qq --ignore-installed -c constraints-colab.txt \
	  ipython ipykernel ipywidgets matplotlib nbval pytest setuptools
	@touch $@

.venv/bench.stamp: requirements-peers.txt .venv/dev.stamp
	@echo "Setting up .venv: the peers of the benchmarks ..."
	@$(INSTALL) -e ".[notebooks,dev,bench]"
	@$(INSTALL) --no-deps -r requirements-peers.txt
	@touch $@
