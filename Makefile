# Two commands set up everything: `make demo` and `make test`. Python 3.10+ with pip is all they need.
PYTHON ?= python3
ORT ?= cpu
SEED ?= 0
TASK ?= reach
ARM ?= $(shell sed -n 's/^  $(TASK): //p' sim/defaults.yaml)
MODEL := $(ARM)_$(TASK)
EPISODES ?= $(if $(filter push,$(TASK)),2000,1000)
RESUME ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := $(VENV)/stamps
INPUTS := setup.py package.xml pyproject.toml constraints.txt Makefile

ifdef ROS_DISTRO
RUN := $(ORT),sim
VENV_FLAGS := --system-site-packages
else
RUN := $(ORT),sim,ros
endif

export AMENT_PREFIX_PATH := $(abspath $(VENV))$(if $(AMENT_PREFIX_PATH),:$(AMENT_PREFIX_PATH))

.DEFAULT_GOAL := help
.PHONY: help demo test lint bundle results docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMPS)/run-$(ORT)  ## five episodes over ROS 2 with a shipped model (TASK=push); report in out/demo
	$(BIN)/loopwm sim --task $(TASK) --arm $(ARM) --episodes 5 --out out/demo

test: $(STAMPS)/dev-$(ORT)  ## every test
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMPS)/dev-$(ORT)  ## style, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bundle: $(STAMPS)/dev-$(ORT)  ## make a shipped model from nothing (TASK=push ARM=...): collect, train, export
	$(BIN)/loopwm collect --task $(TASK) --arm $(ARM) --episodes $(EPISODES) --seed $(SEED) --out data/$(MODEL)
	$(BIN)/loopwm train --config config/train/$(TASK).yaml --arm $(ARM) --data data/$(MODEL) --out runs/$(MODEL) $(RESUME)
	rm -rf runs/$(MODEL)/bundle
	$(BIN)/loopwm export --run runs/$(MODEL) --out runs/$(MODEL)/bundle
	mkdir -p models && rm -rf models/$(MODEL)
	cp -r runs/$(MODEL)/bundle models/$(MODEL)

# Every figure in docs/results.md; tools/result_runs.py has the list. Run it on a machine that does nothing else:
# some runs are in real time. RESULTS="push push-nominal" measures these alone, RESULTS=--missing what has no file.
RESULTS ?=
results: $(STAMPS)/run-$(ORT)  ## measure everything that docs/results.md shows
	$(BIN)/python tools/measure_results.py $(RESULTS)

docs: $(STAMPS)/run-$(ORT)  ## write the pages that are made from results and code
	$(BIN)/python tools/render_parameters.py
	$(BIN)/python tools/render_results.py

clean:  ## remove what was built; recordings, runs and reports stay
	rm -rf $(VENV) build dist *.egg-info ros2_ws/build ros2_ws/install ros2_ws/log
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV_FLAGS) $(VENV)

# onnxruntime and onnxruntime-gpu are the same files: only one may be there.
OTHER_ORT := $(if $(filter gpu,$(ORT)),onnxruntime,onnxruntime-gpu)

$(STAMPS)/run-$(ORT): $(INPUTS) | $(BIN)/python
	@rm -rf $(STAMPS)
	$(PIP) uninstall --quiet --yes $(OTHER_ORT)
	$(PIP) install -c constraints.txt -e ".[$(RUN)]"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev-$(ORT): $(STAMPS)/run-$(ORT)
	$(PIP) install -c constraints.txt -e ".[$(RUN),train,dev]"
	@mkdir -p $(STAMPS) && touch $@
