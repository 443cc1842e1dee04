# The two commands that matter: make demo, make test.
PYTHON := .venv/bin/python

.PHONY: help demo setup app test test-long lint bench bench-long screens lock clean

help:            ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo:            ## environment, the whole pipeline on a made-up shop, the app in the browser
	@scripts/demo.sh

setup:           ## make or refresh .venv
	@scripts/setup.sh

app: setup       ## serve the app on http://127.0.0.1:8501
	@scripts/app.sh

lint: setup      ## formatter, linter, types, the order of the rooms
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-cache --config pyproject.toml

test: setup lint ## everything but what takes minutes: unit, real Milvus, real browser
	@scripts/browser.sh
	$(PYTHON) -m pytest -m "not long" --durations=10

test-long: setup ## what takes minutes: sixty kills, the image from an empty folder; generated inputs drawn anew
	@scripts/browser.sh
	HYPOTHESIS_PROFILE=fresh $(PYTHON) -m pytest -m hypothesis
	$(PYTHON) -m pytest -m long -n 1  # what is killed has 30 s to come back, with the machine to itself

bench: setup     ## every measured figure: pages, inserts, the server's network, models, load, exact search
	@scripts/browser.sh
	$(PYTHON) -m tests.benchmarks.pages
	$(PYTHON) -m tests.benchmarks.insert
	$(PYTHON) -m tests.benchmarks.relay
	$(PYTHON) -m tests.benchmarks.baselines
	$(PYTHON) -m tests.benchmarks.load
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PYTHON) -m tests.benchmarks.exact
	$(PYTHON) -m tests.benchmarks.features
	$(PYTHON) -m tests.benchmarks.serving
	$(PYTHON) -m tests.benchmarks.preprocess
	$(PYTHON) -m tests.benchmarks.training
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PYTHON) -m tests.benchmarks.published

bench-long: setup ## what takes hours: the whole pipeline on 33 million clicks, and an index of 6.2 million users
	$(PYTHON) -m tests.benchmarks.whole
	$(PYTHON) -m tests.benchmarks.users

screens: setup   ## the pictures in docs/screens, of workspace/ or CLICK_ROAD_WORKSPACE
	@scripts/browser.sh
	$(PYTHON) -m tests.benchmarks.screens $${CLICK_ROAD_WORKSPACE:-workspace}

lock:            ## compile requirements.txt anew
	uv pip compile -q --python-version 3.11 --no-header --override requirements-overrides.txt requirements.in -o requirements.txt

clean:           ## remove the environment and what tools left; the workspace stays
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
