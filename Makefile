# `make` alone prints what each target does.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-doors test-parts test-slow test-data check format multi30k europarl reproduce bench bench-scale fuzz density tensorboard clean

help:  ## print this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make .venv and install everything into it

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nmt needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

demo: $(READY)  ## three systems on the built-in corpus in about 6 minutes, compared in runs/demo/report/
	$(RUN) -m nmt.compare +comparison=demo

# Tests that start processes, each of which waits for the others: beside them, the rest has a core of its own.
DOORS := $(addprefix tests/test_,configs.py doors.py faults.py kill.py ranks.py scripts.py)

test: $(READY)  ## all tests but the slow ones and those that need real data (what CI runs), in two halves at once
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-doors test-parts

test-doors:
	$(RUN) -m pytest $(DOORS)

test-parts:
	$(RUN) -m pytest $(DOORS:%=--ignore=%)

test-slow: $(READY)  ## the tests that train for minutes
	$(RUN) -m pytest -m slow

test-data: $(READY)  ## the tests that need the corpora under NMT_DATA
	$(RUN) -m pytest -m data

check: $(READY)  ## format, lint, types, and the fast tests, in seconds
	$(VENV)/bin/ruff format --check nmt tests scripts
	$(VENV)/bin/ruff check nmt tests scripts
	$(VENV)/bin/mypy
	$(RUN) -m pytest tests/test_floors.py tests/corpus tests/evaluation tests/training/test_loss.py tests/training/test_optim.py

format: $(READY)  ## mend format and imports
	$(VENV)/bin/ruff format nmt tests scripts
	$(VENV)/bin/ruff check --fix nmt tests scripts

multi30k: $(READY)  ## the README's Multi30k table: 3 systems, 20 minutes each (needs NMT_DATA)
	$(RUN) -m nmt.compare +comparison=multi30k

europarl: $(READY)  ## the README's Europarl table, resumable; MINUTES=3 DEVICE=auto (needs NMT_DATA)
	PYTHON=$(RUN) scripts/europarl.sh $(or $(MINUTES),3) $(or $(DEVICE),auto)

reproduce: $(READY)  ## the README's results again, as far as MINUTES go; resumable, rewrites its tables
	$(RUN) scripts/reproduce.py $(if $(MINUTES),--minutes $(MINUTES))

bench: $(READY)  ## speed, start and memory of every family, what length and corpus size cost, in about 25 minutes
	$(RUN) scripts/benchmark.py

bench-scale: $(READY)  ## text of 10^5 to 10^7 pairs, one process against two, in about 15 minutes
	$(RUN) scripts/benchmark_scale.py

fuzz: $(READY)  ## a million spoilt inputs to everything that reads text, in about 20 minutes
	$(RUN) scripts/fuzz.py

density: $(READY)  ## syntax nodes a code line, comprehensions and longest function of every file
	$(RUN) scripts/density.py

tensorboard: $(READY)  ## watch all runs
	$(VENV)/bin/tensorboard --logdir runs

clean:  ## remove .venv and caches; runs and data stay
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
