SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export TOKENIZERS_PARALLELISM ?= false
# Tests never ask the network; `make lab` and `make course` may, so that SDLAB_MODEL=sd15 can be fetched once.
check test test-browser course-anymodel: export HF_HUB_OFFLINE := 1

.PHONY: help setup course course-anymodel check test test-browser lab notebooks lint pocket bench lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/ready: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON) here: install Python 3.10 or newer (on Debian: apt install python3 python3-venv), or name one with make PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 10) else "Python %d.%d is too old: the course needs 3.10 or newer, name one with make PYTHON=…" % v[:2])'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv module (on Debian: apt install python3-venv)"; exit 1; }
	@$(PYTHON) docs/tools/cuda_notice.py
	@echo "Setting up $(VENV) from requirements.lock, once; a few minutes and about 2 GB …"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Ready."

setup: $(VENV)/ready ## install everything into .venv; every other target does this first

course: $(VENV)/ready ## execute every notebook and write build/course/index.html
	@$(RUN) -m docs.tools.publish

course-anymodel: $(VENV)/ready ## run the notebooks on pipelines with models of SD 1.5's and SDXL's shape, with random weights
	@$(RUN) -m docs.tools.derive --solutions build/solutions
	@$(RUN) -m docs.tools.anymodel build/anymodel
	@for model in small-sd15 small-sdxl; do \
	    SDLAB_MODEL=$(CURDIR)/build/anymodel/$$model $(RUN) -m pytest --nbmake --nbmake-timeout=900 --durations 10 \
	    build/solutions/0*.ipynb build/solutions/1[4-9]*.ipynb || exit 1; done

check: $(VENV)/ready ## lint, contracts and the fast tests, in a minute and a half: before every commit
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-logo
	@$(RUN) -m pytest -m "not slow" --numprocesses 2 --durations 10

test: $(VENV)/ready ## everything CI runs: lint, contracts, all tests, every notebook, every exercise
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(VENV)/bin/lint-imports --no-logo
	@$(RUN) -m pytest --numprocesses 2 --durations 10
	@$(RUN) -m docs.tools.derive --solutions build/solutions
	@SDLAB_STRICT=1 SDLAB_CLAIMS=$(wildcard $(CURDIR)/sdlab/assets/results/claims.json) $(RUN) -m pytest --nbmake --nbmake-timeout=900 --durations 10 build/solutions

test-browser: $(VENV)/ready ## the widgets in a real JupyterLab; needs Chromium (make test runs these too, where there is one)
	@$(RUN) -m pytest tests/browser -rs

lab: $(VENV)/ready ## open JupyterLab on the notebooks
	@$(RUN) -m jupyterlab notebooks

notebooks: $(VENV)/ready ## derive notebooks/*.ipynb from notebooks/scripts/*.py
	@$(RUN) -m docs.tools.derive

lint: $(VENV)/ready ## format and check all Python
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

pocket: $(VENV)/ready ## train a pocket model anew (hours on two cores); CONFIG=gpu on a GPU, MODEL=scribble or xl
	@$(RUN) -m pocket --config $(or $(CONFIG),cpu) --model $(or $(MODEL),base)

bench: $(VENV)/ready ## measure speed: import, load, a picture, the world
	@$(RUN) -m benchmarks.speed

lock: $(VENV)/ready ## resolve requirements.lock anew from pyproject.toml (needs uv)
	@uv pip compile --quiet --universal --fork-strategy requires-python --python-version 3.10 --all-extras pyproject.toml \
	    -c <(echo torch==2.13.0) --no-header --no-annotate | grep -vE '^(nvidia-|cuda-|triton==)' > requirements.lock

clean: ## remove what was built; the environment and the trained checkpoints stay
	@rm -rf build/course build/solutions outputs .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
