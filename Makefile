# Every target sets itself up: a virtual environment in .venv, made again only when pyproject.toml changed.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
export PYTHONDONTWRITEBYTECODE =

CAMPAIGN := $(RUN)/python -m pytest -m campaign -q -s -p no:randomly --timeout 0

.PHONY: demo test check lint types contract proto tests looks screenshots clean
.PHONY: campaign-kills campaign-workers campaign-disk campaign-fuzz campaign-edges campaign-operations campaign-model

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

proto: $(VENV)/.dev  ## after a change of tq.proto: its generated code
	@$(RUN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. tq/edges/grpc/tq.proto

tests: $(VENV)/.dev
	@$(RUN)/python -m pytest -n auto -q --cov --cov-report=term:skip-covered --cov-fail-under=90

# Long runs, not part of make check: docs/testing.md says what they prove. SEED=... repeats one.

campaign-kills: $(VENV)/.dev  ## kill -9 of brokers under load: KILLS=100
	@$(CAMPAIGN) tests/crash/test_broker_kills.py

campaign-workers: $(VENV)/.dev  ## kill -9 of worker processes: KILLS=100
	@$(CAMPAIGN) tests/crash/test_worker_kills.py

campaign-operations: $(VENV)/.dev  ## kill -9 of brokers while they act on many: KILLS=100
	@$(CAMPAIGN) tests/crash/test_operations.py

campaign-disk: $(VENV)/.dev  ## full disks under load, as root: FILLS=50
	@$(CAMPAIGN) tests/crash/test_full_disk.py

campaign-edges: $(VENV)/.dev  ## nonsense for REST and gRPC: FUZZ_SECONDS=60, SCHEMATHESIS=path of the program
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(RUN)/python -m pytest -m "campaign or not campaign" -q -s -p no:randomly --timeout 0 \
		tests/edges/test_fuzz.py

campaign-fuzz: $(VENV)/.dev  ## attacks on a broker's port: FUZZ_SECONDS=120
	@$(CAMPAIGN) tests/crash/test_fuzz.py

campaign-model: $(VENV)/.dev  ## the engine beside its model, at random
	@$(CAMPAIGN) tests/simulation tests/engine

looks: $(VENV)/.dev  ## how the screens look, as the tests have it: read the diff
	@TQ_RENEW_LOOKS=1 $(RUN)/python -m pytest -q tests/tui/test_looks.py
	@$(RUN)/python -m pytest -q --snapshot-update tests/tui/test_heroes.py

screenshots: $(VENV)/.dev  ## the pictures in docs/images, six minutes: NAMES="queues task"
	@$(RUN)/python tools/screenshots.py $(NAMES)

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
