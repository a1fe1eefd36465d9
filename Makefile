# `make help` says what there is. A bare machine needs make and Python 3.11 or newer; the rest installs itself into .venv.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PORT ?= 8311#    demo: where Harken answers; the sandbox is on PORT+1
RESET ?=#        demo: 1 starts over
ARGS ?=#         test, cover, bench, evaluate: more for the command, for example ARGS='-m "not slow"'
DATA ?= ../shared/data#  evaluate: the folder with the data sets; without it only our held-back posts are read
CARD ?=#         evaluate: a file to write the model card to
JSON ?=#         evaluate: a file for all figures, or - for JSON instead of the tables
UPGRADE ?=#      lock: 1 takes the newest versions

BIN := .venv/bin
# Tests wait for servers as much as they compute, so a small machine takes more of them at once than it has cores.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 4); echo $$((n > 4 ? n : 4)))
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check --no-input

# The first that runs and is new enough: a name on PATH may be a shim for a version that is switched off.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
    "$$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; \
    done)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- Set-up: a stamp for each lock, so that the second time is quick ---

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Harken needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv;" \
	    "elsewhere: make PYTHON=/path/to/python3)" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv

.venv/.base: requirements/base.txt | $(BIN)/python
	@echo "Installing $$(grep -c '^[a-z]' $<) locked packages into .venv (some minutes the first time)"
	@$(PIP) install --require-hashes -r $<
	@touch $@

.venv/.dev: requirements/dev.txt requirements/base.txt | $(BIN)/python
	@echo "Installing $$(grep -c '^[a-z]' $<) locked packages and tools into .venv (some minutes the first time)"
	@$(PIP) install --require-hashes -r $<
	@touch .venv/.base $@

.venv/.harken: pyproject.toml .venv/.base
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# --- Verbs ---

# make passes SIGTERM on to the process it waits for, which `exec` makes Harken itself; Ctrl-C reaches both.
.PHONY: demo
demo: .venv/.base .venv/.harken ## Harken and a small social network to try it on, no keys needed (PORT=8311, RESET=1)
	@exec $(BIN)/harken demo --home var/demo --port $(strip $(PORT)) $(if $(filter 1 yes true,$(strip $(RESET))),--reset)

.PHONY: test
test: .venv/.dev .venv/.harken ## all tests; says at the end what it skipped and how to get it
	@exec $(BIN)/python -m pytest -q -rs -n $(WORKERS) --dist loadfile $(ARGS)

.PHONY: check
check: .venv/.dev .venv/.harken ## format, lint, types, and who imports whom
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_architecture.py

.PHONY: fix
fix: .venv/.dev ## format, and mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: cover
cover: .venv/.dev .venv/.harken ## all tests with coverage; fails below the floor in pyproject.toml
	@exec $(BIN)/python -m pytest -q -rs --cov --cov-report=term $(ARGS)

.PHONY: evaluate
evaluate: .venv/.base .venv/.harken ## what the shipped model reaches and what it misses (DATA=../shared/data, CARD=FILE, JSON=FILE)
	@exec $(BIN)/harken evaluate $(if $(filter file,$(origin DATA)),$(wildcard $(strip $(DATA))),$(strip $(DATA))) $(if $(strip $(CARD)),--card $(strip $(CARD))) \
	    $(if $(strip $(JSON)),--json $(strip $(JSON))) $(ARGS)

.PHONY: bench
bench: .venv/.dev .venv/.harken ## how fast it is on this machine, as a table (ARGS=--json, HARKEN_PEER_PYTHON=)
	@exec $(BIN)/python -m tests.bench $(ARGS)

COUNT ?= 10000#  malformed: payloads for each listener
.PHONY: malformed
malformed: .venv/.dev .venv/.harken ## what no platform should serve, to each listener over HTTP (COUNT=10000, ARGS='--seed 8 x')
	@exec $(BIN)/python -m tests.bad_input.malformed --count $(strip $(COUNT)) $(ARGS)

KILLS ?= 300#    chaos: how many
SEED ?= 1#       chaos: of the plan
STORE ?= both#   chaos: sqlite, postgresql or both
PACE ?= 20#      chaos: by how much every wait of a city is divided
RESUME ?=#       chaos: 1 goes on with the run of that seed that was cut short

.PHONY: chaos
chaos: .venv/.dev .venv/.harken ## kill it, deceive it, and count at the sandbox (KILLS=300, SEED=1, STORE=both, RESUME=1)
	@exec $(BIN)/python -m tests.chaos --kills $(strip $(KILLS)) --seed $(strip $(SEED)) --store $(strip $(STORE)) \
	    --pace $(strip $(PACE)) $(if $(filter 1 yes true,$(strip $(RESUME))),--resume)

# The locks say what the package index says, not what this machine's pip is set to.
COMPILE := PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= $(BIN)/pip-compile --quiet --generate-hashes \
    --allow-unsafe --strip-extras --no-header --no-emit-options --no-emit-index-url --no-emit-find-links \
    --no-emit-trusted-host $(if $(filter 1 yes true,$(strip $(UPGRADE))),--upgrade)

.PHONY: lock
lock: .venv/.dev ## pin requirements/*.txt anew from pyproject.toml (UPGRADE=1: to the newest)
	@$(COMPILE) --output-file requirements/base.txt pyproject.toml requirements/build.in
	@$(COMPILE) --extra dev --constraint requirements/base.txt --output-file requirements/dev.txt pyproject.toml requirements/build.in
	@for name in base dev; do \
	    { echo "# Written by \`make lock\` from pyproject.toml and requirements/build.in: change those, not this."; \
	      echo "# For Python 3.11, 3.12 and 3.13: pip install --require-hashes -r requirements/$$name.txt"; \
	      grep -v '^# The following packages' requirements/$$name.txt; } > .venv/lock.txt \
	    && cat .venv/lock.txt > requirements/$$name.txt || exit 1; \
	done
