# Two commands for a fresh machine: `make demo` and `make test`. They need Python 3.11+, make and a package index.
PYTHON ?= python3
VENV   ?= .venv
# The versions to install: constraints.txt, or constraints-low.txt for the lowest that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
# The lowest Python that pyproject.toml allows: the lowest versions of numpy, scipy and pyarrow have no wheels for all.
PYTHON_LOW  ?= python3.11
# Extra arguments for pip, for instance an index that holds CPU builds of torch.
PIP_ARGS ?=
OUT    ?= precis-demo

bin     := $(VENV)/bin
install := $(bin)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c $(CONSTRAINTS)

# Half an environment (a Python without ensurepip) must not look like a whole one to the next make.
.DELETE_ON_ERROR:
.PHONY: demo test test-low bench lint docs clean

demo: $(VENV)/.installed
	$(bin)/precis quickstart --out $(OUT)

test: $(VENV)/.installed-dev
	$(bin)/python -m pytest -n 2

test-low:
	$(MAKE) test VENV=.venv-low CONSTRAINTS=constraints-low.txt PYTHON=$(PYTHON_LOW)

bench: $(VENV)/.installed-dev
	$(bin)/python -m benchmarks

lint: $(VENV)/.installed-dev
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy

docs: $(VENV)/.installed-dev
	$(bin)/python docs/generate.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "precis needs Python 3.11 or newer; run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

# torch comes first, by its pinned version: a plain `torch` would bring several gigabytes of CUDA with it.
$(VENV)/.torch: $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "Installing torch (once; a few minutes)"
	$(install) torch
	@touch $@

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS) $(VENV)/.torch
	@echo "Installing precis"
	$(install) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) $(VENV)/.torch
	@echo "Installing precis with its development extra"
	$(install) -e '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) .venv-low $(OUT) .pytest_cache .mypy_cache .ruff_cache
