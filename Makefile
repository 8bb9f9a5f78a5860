# Few, short verbs. `make run` and `make test` need nothing but Python 3.11.
PYTHON ?= python3
BIN := .venv/bin
# One torch thread for each test process: two that fight over two cores are slower than one.
# Bytecode is kept, as Python does by itself: some containers say no, and every process that a test
# starts would then compile all of hubel again.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 MPLBACKEND=Agg PYTHONDONTWRITEBYTECODE=

BENCHMARKS := startup networks inference overhead allocator scaling resnets decode augment head stamps duplicates fashion_mnist occlusion patches maximise attacks fooling defence nonsense

.PHONY: run test test-data check slow counts docs bench bench-full peers clean

run: .venv/installed
	$(BIN)/hubel train digits
	$(BIN)/hubel evaluate

test: .venv/tested
	$(TEST_ENV) $(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow" --durations=10 -rs

# what `make test` skips where the published data sets are not
test-data: .venv/tested
	$(TEST_ENV) $(BIN)/python -m pytest -q -m "data and not slow" -rs

slow: .venv/tested
	$(TEST_ENV) $(BIN)/python -m pytest -q -n auto --dist worksteal -m slow --durations=10 -rs

check: .venv/checked
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/sizes.py

bench: .venv/installed
	set -e; for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py --short; done

bench-full: .venv/installed peers
	set -e; for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py; done

peers: .venv/installed
	$(BIN)/python benchmarks/peers.py

# the figures that `hubel networks` lists, where the catalogue has changed
counts: .venv/installed
	$(BIN)/python .ci/count_networks.py

docs: .venv/installed
	$(BIN)/python docs/make_pictures.py

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q -c constraints.txt -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[test]"
	touch $@

.venv/checked: .venv/tested
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
