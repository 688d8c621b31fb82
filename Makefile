# `make run` and `make test` do everything on a fresh machine with Python 3.11 or later, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
REPORT := parity-report.html

# What XLA has compiled once, every later run and every test process takes from disk: a quarter of the tests' time.
export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/$(VENV)/xla
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
export JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES := -1

# And what Python has compiled once, every later process takes from disk, whatever the shell says of it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test proof notebooks lint format clean
.DELETE_ON_ERROR:

## Check every built-in pair, print the table, write the HTML report.
run: $(STAMP)
	$(BIN)/parity run --html $(REPORT)

## The tests, a part of each long table of cases; their summary says which part.
test: $(STAMP)
	$(BIN)/pytest -n 2 --dist worksteal

## All tests whole: every case, honest pair, size, seed and dtype, every fault, the long training runs. It takes hours.
proof: $(STAMP)
	$(BIN)/pytest --whole -n 2 --dist worksteal

## Run every notebook and keep what it printed and drew.
notebooks: $(STAMP)
	$(BIN)/python tests/notebooks/execute.py notebooks/*.ipynb

## Lint, format check, types.
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(REPORT)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing PyTorch, JAX and the rest into $(VENV); this takes minutes"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	touch $(STAMP)
