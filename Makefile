# Everything a developer and CI call. Needs only make, git and Python 3.11 or later.
#
#   make demo     see it work on real data (about two minutes the first time)
#   make test     everything CI runs
#   make lint     the part of `make test` that takes seconds
#   make format   rewrite the code in the house format
#   make bench    measure, and rewrite the tables of docs/performance.md and docs/quality.md (NAB=DIR: labelled series too)
#   make clean    remove the environment and all caches
#
# Another interpreter: make test PYTHON=python3.13 (VENV=.venv-3.13 to keep both environments)

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
# Each worker of the tests has a server of its own, of about 1.5 GB.
WORKERS ?= 2

SHELL := bash
BIN := $(VENV)/bin
SERIES := $(shell $(PYTHON) -c "import sys; v = sys.version_info; print('%d.%d' % v[:2] if v >= (3, 11) else '')")

# Stamps: an environment is made anew when the interpreter changes, and completed when what is to be in it changes.
MADE := $(VENV)/.made-$(SERIES)
DEMO_READY := $(VENV)/.demo-$(SERIES)
DEV_READY := $(VENV)/.dev-$(SERIES)
BENCH_READY := $(VENV)/.bench-$(SERIES)

# Without compiling ahead of time and in an environment that needs no isolated builds, a minute becomes half of one.
# What is measured against is built in isolation: one of it wants tools that no environment of ours has.
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input --prefer-binary --no-compile \
	--progress-bar off --constraint constraints.txt
BUILD_BACKEND := hatchling editables

# One line that changes on a terminal, a line a package elsewhere; errors go to standard error and stay.
SHOW := awk -v terminal="$$(test -t 1 && echo 1)" '/^ *(Downloading|Using cached|Installing collected)/ { \
	gsub(/^ +/, ""); printf terminal ? "\r\033[K  %.76s" : "  %.76s\n", $$0; fflush() } \
	END { if (terminal) printf "\r\033[K" }'

.PHONY: help demo test lint format bench constraints clean
.DEFAULT_GOAL := help

help:
	@sed -n '3,10s/^# \{0,1\}//p' Makefile

demo: $(DEMO_READY)
	@$(BIN)/outrider demo $(ARGS)

# Kernels are compiled beforehand: two workers would do it side by side, and commands that wait for it have limits.
test: lint
	$(BIN)/python -c "from detector.model.warm_up import warm_up; warm_up(every_profile=True)"
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV_READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCH_READY)
	set -o pipefail; $(BIN)/python -m benchmarks.forest $(ARGS) | $(BIN)/python -m benchmarks.performance forest
	set -o pipefail; $(BIN)/python -m benchmarks.quality $(if $(NAB),--nab "$(NAB)") | $(BIN)/python -m benchmarks.quality.page
	set -o pipefail; $(BIN)/python -m benchmarks.pipeline | $(BIN)/python -m benchmarks.performance pipeline --keep
ifdef NAB
	$(BIN)/python -m benchmarks.tradeoff --nab "$(NAB)" > tradeoff.jsonl
	$(BIN)/python -m benchmarks.performance tradeoff < tradeoff.jsonl
	$(BIN)/python -m benchmarks.tradeoff_plot docs/tradeoff.svg < tradeoff.jsonl
	rm tradeoff.jsonl
endif

$(MADE):
	@if [ -z "$(SERIES)" ]; then \
		echo "Outrider needs Python 3.11 or later; $(PYTHON) is not. Name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; \
	fi
	@echo "Creating the environment $(VENV) with Python $(SERIES)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(DEMO_READY): pyproject.toml constraints.txt | $(MADE)
	@echo "Installing Outrider and what an OpenSearch node of its own needs (once)"
	@set -o pipefail; { $(INSTALL) $(BUILD_BACKEND) && $(INSTALL) --no-build-isolation --editable '.[embedded]'; } | $(SHOW)
	@touch $@

$(DEV_READY): pyproject.toml constraints.txt | $(MADE)
	@echo "Installing Outrider and what its tests need (once)"
	@set -o pipefail; { $(INSTALL) $(BUILD_BACKEND) && $(INSTALL) --no-build-isolation --editable '.[dev]'; } | $(SHOW)
	@touch $(DEMO_READY) $@

$(BENCH_READY): $(DEV_READY)
	@echo "Installing what Outrider is measured against (once)"
	@set -o pipefail; $(INSTALL) --editable '.[bench]' | $(SHOW)
	@touch $@

# Newest versions that fit together, from an environment of nothing else; then `make test`.
constraints:
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && set -e && \
	$(PYTHON) -m venv "$$scratch" && \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check $(BUILD_BACKEND) && \
	"$$scratch/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation '.[bench,dev]' && \
	{ echo "# Exact versions of everything that the extras install; rewritten by \`make constraints\`."; \
	  "$$scratch/bin/python" -m pip freeze --exclude outrider; } > "$$scratch/constraints.txt" && \
	mv "$$scratch/constraints.txt" constraints.txt

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
