# The commands of this project. `make tutorial` and `make test` need Python >= 3.11, pip and make, no more.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: tutorial test lint types contracts unit cluster cluster-demo torture parity bench flame scaling format clean

tutorial: $(VENV)/examples.installed  ## train a population on MNIST and look at it
	@$(BIN)/python examples/mnist_convnet_pbt.py $(ARGS)

test: lint types contracts unit  ## everything that must hold

lint: $(VENV)/dev.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/dev.installed
	$(BIN)/mypy

contracts: $(VENV)/dev.installed  ## which room may import which
	$(BIN)/lint-imports

unit: $(VENV)/dev.installed
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)

cluster: $(VENV)/dev.installed  ## the tests that need a Ray cluster of several nodes
	$(BIN)/pytest -m cluster $(ARGS)

cluster-demo: $(VENV)/dev.installed  ## train on a Ray cluster of three nodes, which loses one on the way
	@$(BIN)/python examples/cluster_demo.py $(ARGS)

torture: $(VENV)/dev.installed  ## kill, break and fill up all that a run stands on; is anything lost?
	@PYTHONPATH=tests/crash $(BIN)/python -m torture $(ARGS)

parity: .venv-parity/installed  ## compare poptune.compat.ray with Ray itself, and write docs/ray_parity.md
	@.venv-parity/bin/python benchmarks/parity/run.py $(ARGS)

bench: .venv-bench/installed  ## time poptune beside Ray Tune and Syne Tune, and write docs/benchmarks.md
	@.venv-bench/bin/python benchmarks/speed/run.py $(ARGS)

flame: .venv-bench/installed  ## sample the processes of the tutorial, and write docs/where_the_time_goes.md
	@.venv-bench/bin/python benchmarks/speed/flame.py $(ARGS)

scaling: $(VENV)/dev.installed  ## simulate large clusters, and bring the figures in docs/scaling.md up to date
	@$(BIN)/python benchmarks/scaling/run.py $(ARGS)

format: $(VENV)/dev.installed
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) .venv-parity .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, for example: make PYTHON=python3.12")'
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/examples.installed: pyproject.toml examples/requirements.txt | $(BIN)/python
	@echo "Installing poptune and what its examples need ..."
	@$(BIN)/pip install --quiet --requirement examples/requirements.txt --editable ".[plot,pandas]"
	@touch $@

$(VENV)/dev.installed: pyproject.toml examples/requirements.txt | $(BIN)/python
	@echo "Installing poptune, what its examples need, and the tools of its developers ..."
	@$(BIN)/pip install --quiet --requirement examples/requirements.txt --editable ".[dev]"
	@touch $@

.venv-parity/installed: pyproject.toml
	@echo "Installing Ray beside poptune ..."
	@$(PYTHON) -m venv .venv-parity
	@echo "*" > .venv-parity/.gitignore
	@.venv-parity/bin/pip install --quiet "ray[tune]==2.60.0" --editable ".[pandas,tensorboard]"
	@touch $@

.venv-bench/installed: pyproject.toml examples/requirements.txt
	@echo "Installing Ray and Syne Tune beside poptune ..."
	@$(PYTHON) -m venv .venv-bench
	@echo "*" > .venv-bench/.gitignore
	@.venv-bench/bin/pip install --quiet "ray[tune]==2.60.0" "syne-tune==0.16.0" "py-spy==0.4.3" \
		--requirement examples/requirements.txt --editable .
	@touch $@
