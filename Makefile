# Everything a newcomer needs: `make run`, `make test`, `make check`. Each installs what is missing first.
PYTHON ?= python3.11
VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
ARGS ?=

export MUJOCO_GL ?= egl
export GRADIO_ANALYTICS_ENABLED ?= False

.PHONY: help setup run test check system system-test clean

help:
	@echo "make run     install what is missing, start the workbench and say where it listens (ARGS='--port 7861')"
	@echo "make test    install what is missing, run all tests (ARGS='-m \"not browser\"')"
	@echo "make check   formatting, lint, types"
	@echo "make setup   only install"

setup: system $(STAMP)

$(STAMP): requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 with its venv module (Debian: apt-get install python3.11 python3.11-venv), or name another one: make run PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "The virtual environment could not be made. On Debian: apt-get install python3.11-venv"; exit 1; }
	@echo "Installing the requirements into $(VENV); the first time takes some minutes."
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $(STAMP)

system:
	@bash .ci/system egl

system-test: system
	@bash .ci/system chromium

run: setup
	$(BIN)/python app.py serve $(ARGS)

test: setup system-test
	$(BIN)/python -m pytest $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
