# Everything starts here: `make demo`, `make test`. Both set themselves up from nothing but Python 3.11, git and make.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready
# Tests side by side; each uses one thread.
JOBS ?= 2
DEMO := config/demo.yaml

export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help

.PHONY: help
help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/\1|\2/' \
		| awk -F'|' '{printf "  make %-9s %s\n", $$1, $$2}'

.PHONY: install
install: $(READY) ## Create .venv with exactly the versions of requirements.lock.

# Written last, so that an interrupted installation starts again.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
		|| { echo "make: Python 3.11 or 3.12 is needed, '$(PYTHON)' is another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: demo
demo: $(READY) ## The whole pipeline on simulated sets, on a CPU, ending in results/demo/report/index.html.
	$(BIN)/snakemake --cores all --configfile $(DEMO)
	@echo "The report is in results/demo/report/index.html"

.PHONY: test
test: $(READY) lint ## Lint, types, and every test.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadgroup

.PHONY: lint
lint: $(READY) ## Lint, format and types, without the tests.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check --compact-diff workflow Snakefile
	$(BIN)/python tests/lint_workflow.py $(DEMO)

.PHONY: format
format: $(READY) ## Put everything into the project's format.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow Snakefile

.PHONY: browser
browser: ## Get axe-core for the tests that open the report in Chromium.
	npm ci --prefix tests/browser --no-audit --no-fund

.PHONY: lock
lock: $(READY) ## Resolve requirements.lock anew; environment.yml installs it too.
	$(BIN)/uv pip compile pyproject.toml --extra all --extra dev --generate-hashes --python-version 3.11 --universal -o requirements.lock

.PHONY: share
share: $(READY) ## Store finished results with DVC, without pictures that belong to others (docs/sharing.md).
	mkdir -p data/prepared data/demo/prepared
	for folder in $$($(BIN)/adaclip finished results); do \
		$(BIN)/adaclip report --plan $$folder/plan.json --without-third-party || exit 1; \
	done
	$(BIN)/dvc commit --force benchmark

.PHONY: restore
restore: $(READY) ## Bring finished results back: what they were computed from counts as up to date.
	$(BIN)/dvc pull
	for config in $(or $(CONFIG),$$($(BIN)/adaclip finished results --configurations)); do \
		$(BIN)/snakemake --touch --cores 1 --quiet --configfile $$config || exit 1; \
	done

.PHONY: clean
clean: ## Remove what the demo made; downloads and other results stay.
	@if test -x $(BIN)/adaclip; then $(BIN)/adaclip clean $(DEMO) --everything; else rm -rf data/demo results/demo; fi
