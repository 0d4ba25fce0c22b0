# Core OEM. `make` alone lists what can be made.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
SYNC := --frozen --offline --all-packages --all-extras --all-groups
DEMO_SITE ?= demo-site

# where it is set, every process would compile every module again: half of the time of `make test`
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test coverage check format lock wheels bench faults docs clean debian

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.ready ## make .venv from the lock, through the verified folder wheelhouse/

.venv/.ready: uv.lock tools/uv.txt tools/setup.sh $(wildcard libs/*/pyproject.toml apps/*/pyproject.toml)
	PYTHON=$(PYTHON) tools/setup.sh
	@touch $@

demo: setup ## the whole product once, in demo-site/ (DATA=DIR trades on recorded bars)
	@rm -rf $(DEMO_SITE) $(DEMO_SITE)-vendor
	$(BIN)/oem demo --site $(DEMO_SITE) $(if $(DATA),--data $(DATA))

# a file stays on one worker, with its fixtures; the longest files come first
PARALLEL := -n 3 --dist loadfile --no-loadscope-reorder

test: setup debian ## all tests but the long campaigns
	$(BIN)/python -m pytest -m "not faults" $(PARALLEL) $(PYTEST)

# measuring more than doubles what a test costs: fewer examples, and none of the long ones
coverage: setup debian ## what the libraries' own tests cover, held to its floor
	rm -f .coverage .coverage.*
	OEM_HYPOTHESIS=brief $(BIN)/python -m pytest -m "not faults and not no_cover" $(PARALLEL) --cov --cov-report= \
		$(addprefix tests/,oem_security oem_risk oem_exec oem_tco oem_api reference) $(PYTEST)
	$(BIN)/python tools/coverage_gate.py

check: setup ## format, lint, types, contracts, lock, wheels
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy libs/*/src apps/*/src tools
	$(BIN)/lint-imports
	$(BIN)/python tools/lockfile.py check
	@$(UV) lock --quiet --check --offline || { echo "uv.lock does not fit the pyproject.toml files; run: make lock" >&2; exit 1; }
	$(BIN)/python tools/generate_stubs.py --check
	$(BIN)/python tools/wheels.py

format: setup ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## resolve the dependencies again and write uv.lock without hosts
	PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python tools/lockfile.py renew

wheels: setup ## build every member and install each wheel alone
	$(BIN)/python tools/wheels.py

bench: setup ## ratios against baselines, into var/bench/results.json
	$(BIN)/python tests/benchmarks/run.py $(NAMES)

faults: setup debian ## the long fault campaigns
	$(BIN)/python -m pytest -m faults $(PYTEST)

docs: setup ## HTML pages, man pages and shell completions under build/
	$(BIN)/python tools/build_docs.py

debian: ## the Debian packages the tests use, where that is allowed
	@tools/debian.sh

clean: ## remove what was made
	rm -rf build dist .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.* demo-site demo-site-vendor
