# `make demo` and `make test` set up .venv on a fresh machine (Python 3.11+, make, the package registry) and then run.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

BENCHES := wait payment memory growth workers journal bill

.NOTPARALLEL:
.PHONY: help demo test hostile mutants lint format clean bench $(BENCHES:%=bench-%)

help:
	@echo "make demo     the lab in a browser: make a payment call (no account, no phone, no key)"
	@echo "make test     lint, types, import contracts, diagrams, tests, coverage"
	@echo "make hostile  play 400 000 steps in which everybody does as they please, and check every promise on each"
	@echo "make mutants  put every slip in a row of the tables to the proofs and the table tests (minutes; files the figures)"
	@echo "make lint     all checks but the tests"
	@echo "make bench    how fast it is, beside floors (bench/README.md); make bench-wait and so on for one of them"
	@echo "make format   format the code and mend what ruff can mend"
	@echo "make clean    remove .venv and everything generated outside git"

demo: $(READY)
	@$(BIN)/payagent $(DEMO)

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report= --paths=fsm_diagrams
	$(BIN)/coverage report --include='src/payagent/flow/*' --fail-under=100
	$(BIN)/coverage report --omit="$$($(BIN)/python tests/services.py)" --fail-under=95

hostile: $(READY)
	$(BIN)/payagent hostile

mutants: $(READY)
	$(BIN)/python tests/mutation.py

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/payagent diagram --check

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# One after the other: each wants the machine for itself. The figures go to bench/results/, from which the plots are drawn.
bench: $(BENCHES:%=bench-%)
	$(BIN)/python -m bench.plots

$(BENCHES:%=bench-%): bench-%: $(READY)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m bench.$* --save bench/results

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov dist build
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is touched last, so that a set-up that broke off is begun again. Dependency groups need pip 25.1.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "payagent needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || \
		{ echo "$(PYTHON) cannot make a virtual environment (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) …" >&2
	@$(BIN)/python -m pip install --quiet 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@
