# Two commands matter: `make serve` and `make test`. Each installs what it needs into .venv first.
#   make serve ARGS="--port 9000"      hands ARGS to `lethe serve`
#   make test  PYTEST="tests/guard"    runs only those tests (after lint and types)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install serve lint test clean

GPU := $(shell nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)
BIN := .venv/bin
STAMP := .venv/.installed-$(GPU)

help:
	@echo "make install  install into .venv, and no more"
	@echo "make serve    install into .venv, then serve the embedded model at port 8000"
	@echo "make test     install into .venv, then lint, check types and run all tests"
	@echo "make lint     lint and types only"
	@echo "make clean    remove .venv and caches"

install: $(STAMP)

$(BIN)/python:
	@for name in python3.11 python3.12 python3.13 python3 python; do \
	  if "$$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	  then echo "making .venv with $$name"; exec "$$name" -m venv .venv; fi; \
	done; \
	echo "Lethe needs Python 3.11, 3.12 or 3.13 with its venv module (on Debian: apt install python3 python3-venv)" >&2; \
	exit 1

$(STAMP): requirements/$(GPU).txt requirements/torch-cuda.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements/$(GPU).txt into .venv: a minute or two, once"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile --no-deps -r requirements/$(GPU).txt
	@if ! $(BIN)/python -c 'import torch' 2>/dev/null; then \
	  echo "the package index gave torch's CUDA build; installing the libraries it wants (2 GB more)"; \
	  $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-compile --no-deps -r requirements/torch-cuda.txt; \
	fi
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

serve: $(STAMP)
	@exec $(BIN)/lethe serve $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(PYTEST)

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache *.egg-info build
