# Every target sets itself up: a virtual environment in .venv, made again only when pyproject.toml changed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test check lint types contract tests clean

demo: $(VENV)/.runtime  ## real tasks on real input, end to end
	@$(RUN)/tq up --demo

test: $(VENV)/.dev  ## the test suite
	@$(RUN)/python -m pytest -n auto -q

check: lint types contract tests  ## what CI runs

lint: $(VENV)/.dev
	@$(RUN)/ruff check . && $(RUN)/ruff format --check .

types: $(VENV)/.dev
	@$(RUN)/mypy

contract: $(VENV)/.dev
	@$(RUN)/lint-imports

tests: $(VENV)/.dev
	@$(RUN)/python -m pytest -n auto -q --cov --cov-report=term:skip-covered --cov-fail-under=90

$(VENV)/.python:
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.runtime: pyproject.toml | $(VENV)/.python
	@echo "setting up $(VENV) ..." >&2
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.python
	@echo "setting up $(VENV) with the development tools ..." >&2
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) .coverage* htmlcov .mypy_cache .ruff_cache .hypothesis
