.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One more than the two cores: tests of the interface mostly wait for it to be idle.
JOBS ?= 3

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo test lint format bench screenshots tables clean

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

setup: $(READY) ## Make the virtual environment with everything in it

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## Open the app on the bundled demo estate
	@$(BIN)/undercroft demo

test: $(READY) ## Run all tests
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m 'not slow'

lint: $(READY) ## Lint, format check, strict types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure the budgets, as ratios inside one run
	$(BIN)/python -m bench $(BENCH)

screenshots: $(READY) ## Draw every screen from the demo estate
	$(BIN)/python -m screenshots

tables: $(READY) ## Write the tables in docs/ that are made from the code
	$(BIN)/python -m tests.collectors.aws.table

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
