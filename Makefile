# One command each. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.runtime
DEV := $(VENV)/.dev
CLIENTS := $(VENV)/.clients
TESTS ?= backend/tests
WORKERS ?= 2
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
COMPILE := ../$(BIN)/pip-compile -q --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --no-header

.PHONY: help run test services check bench soak mutants sabotage lock
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(STAMP) ## install and start the platform; ARGS="--market FILE --speed 600" plays real history
	$(BIN)/haechi serve $(ARGS)

test: $(DEV) $(CLIENTS) ## install and run every test
	$(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) --dist worksteal $(TESTS)

services: $(DEV) ## the tests over private PostgreSQL, Redis and nginx alone; what is not installed is skipped
	$(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) -rs backend/tests/services

.PHONY: test-services
test-services: services

check: $(DEV) ## style, types, import rules
	$(BIN)/ruff check .
	cd backend && ../$(BIN)/mypy --config-file pyproject.toml src/haechi/core src/haechi/trading src/haechi/bots src/haechi/venue src/haechi/exchanges
	cd backend && ../$(BIN)/lint-imports --config pyproject.toml --no-cache

bench: $(DEV) ## measure against other systems, one core, same run; writes benchmarks/RESULTS.md
	$(BIN)/python benchmarks/run.py $(ARGS)

soak: $(DEV) ## long searches: fresh random cases for engine, venue, grid and the API, times that could tell, and 30 days of parity, in memory and over the wire (two hours)
	HAECHI_CASES=1000 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) backend/tests/oracle backend/tests/unit/venue
	HAECHI_SAMPLES=2000 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend backend/tests/integration/test_app_enumeration.py
	HAECHI_EXAMPLES=300 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) backend/tests/services/test_generated_requests.py
	HAECHI_SEEDS=5000 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) backend/tests/simulation/dst
	HAECHI_PARITY_DAYS=30 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) --ignore backend/tests/simulation/dst backend/tests/simulation
	HAECHI_WIRE_DAYS=30 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -s backend/tests/simulation/test_parity_over_the_wire.py
	HAECHI_KILLS=1000 HAECHI_TRIALS=100 HAECHI_LOCKED_S=60 $(BIN)/python -m pytest -c backend/pyproject.toml --rootdir backend -n $(WORKERS) backend/tests/crash backend/tests/services/test_trading_while_postgresql_fails.py

mutants: $(DEV) ## plant faults in the engine and show that each is caught
	$(BIN)/python backend/tests/oracle/mutations.py

sabotage: $(DEV) ## plant bugs in trading and show that each is noticed by the tests named for it; ARGS=--write renews the table
	$(BIN)/python backend/tests/sabotage.py $(ARGS)

lock: $(DEV) ## pin every dependency by hash again
	cd backend && $(COMPILE) -o requirements.lock pyproject.toml
	cd backend && $(COMPILE) -o requirements-dev.lock requirements-dev.in

$(STAMP): backend/requirements.lock backend/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r backend/requirements.lock
	$(PIP) --no-deps --no-build-isolation -e backend
	touch $@

$(DEV): $(STAMP) backend/requirements-dev.lock
	$(PIP) --require-hashes -r backend/requirements-dev.lock
	touch $@

# The clients of others that trade on the venue in the tests. ccxt names versions of its own, so it lives in an environment of its own.
CCXT_LOCK := backend/tests/contract/ccxt_day/requirements.lock
NODE_LOCK := backend/tests/contract/node/package-lock.json
$(CLIENTS): $(STAMP) $(CCXT_LOCK) $(NODE_LOCK)
	$(PYTHON) -m venv $(VENV)/ccxt
	$(VENV)/ccxt/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(CCXT_LOCK)
	if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix $(dir $(NODE_LOCK)); else echo "no npm: bitget-api's day is skipped"; fi
	touch $@
