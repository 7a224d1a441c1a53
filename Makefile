# One command each. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.runtime
DEV := $(VENV)/.dev
TESTS ?= backend/tests
WORKERS ?= 2

.PHONY: help test check lock mutants
.DEFAULT_GOAL := help

mutants: $(DEV) ## plant faults in the engine and show that each is caught
	$(BIN)/python backend/tests/oracle/mutations.py

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): backend/requirements.lock backend/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r backend/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e backend
	touch $@

$(DEV): $(STAMP) backend/requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r backend/requirements-dev.lock
	touch $@

test: $(DEV) ## install and run every test
	$(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) $(TESTS)

check: $(DEV) ## style, types, import rules
	$(BIN)/ruff check backend/src backend/tests
	$(BIN)/mypy --config-file backend/pyproject.toml backend/src/haechi/core
	cd backend && ../$(BIN)/lint-imports --config pyproject.toml --no-cache

lock: $(DEV) ## pin every dependency by hash again
	cd backend && ../$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --no-header -o requirements.lock pyproject.toml
	cd backend && ../$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --no-header -o requirements-dev.lock requirements-dev.in
