# `make` alone prints what each target does.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Two steps of one environment: what a user needs, and what the tests and checks need on top.
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
INSTALL := $(RUN) -m pip install --quiet --constraint constraints.txt --editable

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test test-doors test-parts test-slow test-data check format multi30k europarl reproduce bench bench-scale fuzz density tensorboard clean

help:  ## print this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## make .venv and install what a user needs: training, report, export

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nmt needs Python 3.11 or newer; say make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) '.[ctranslate2]'
	touch $(READY)

setup-dev: $(READY_DEV)  ## the same, and what developers need: tests, lint, types

$(READY_DEV): $(READY)
	$(INSTALL) '.[dev]'
	touch $(READY_DEV)

demo: $(READY)  ## three systems on the built-in corpus in about 6 minutes, compared in runs/demo/report/
	$(RUN) -m nmt.compare +comparison=demo

# Tests that start processes, each of which waits for the others: beside them, the rest has a core of its own. Others
# are with them so that the halves take alike long.
DOORS := $(addprefix tests/test_,configs.py data.py doors.py extending.py fairness.py faults.py finetuning.py kill.py \
	ranks.py scripts.py stopping.py streams.py) tests/corpus/fetching

test: $(READY_DEV)  ## all tests but the slow ones and those that need real data (what CI runs), in two halves at once
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-doors test-parts

test-doors:
	$(RUN) -m pytest $(DOORS)

test-parts:
	$(RUN) -m pytest $(DOORS:%=--ignore=%)

test-slow: $(READY_DEV)  ## the tests that train for minutes
	$(RUN) -m pytest -m slow

test-data: $(READY_DEV)  ## the tests on real text; each that lacks its corpus is skipped, and names what fetches it
	$(RUN) -m pytest -m data

check: $(READY_DEV)  ## format, lint, types, and the fast tests, in seconds
	$(VENV)/bin/ruff format --check nmt tests scripts
	$(VENV)/bin/ruff check nmt tests scripts
	$(VENV)/bin/mypy
	$(RUN) -m pytest tests/test_floors.py tests/corpus tests/evaluation tests/training/test_loss.py tests/training/test_optim.py

format: $(READY_DEV)  ## mend format and imports
	$(VENV)/bin/ruff format nmt tests scripts
	$(VENV)/bin/ruff check --fix nmt tests scripts

multi30k: $(READY)  ## fetch Multi30k (3 MB), and compare 3 systems on it, 20 minutes each
	$(RUN) -m nmt.data corpus=multi30k_en_de
	$(RUN) -m nmt.compare +comparison=multi30k

# Without a GPU europarl_cpu, which is smaller. DEVICE=auto asks torch. BUDGET is each system's, by default that of the
# comparison: 16000000 target tokens on a CPU (half an hour, and an hour for the Transformer), 3 minutes on a GPU.
SEEDS := [1,2,3]
europarl: $(READY)  ## fetch Europarl (345 MB), and compare 3 systems on it, on a CPU 2 hours a seed; SEEDS= BUDGET= DEVICE=auto
	$(if $(MINUTES),$(error europarl: MINUTES= is BUDGET= now, in target tokens on a CPU and in minutes on a GPU))
	$(RUN) -m nmt.data corpus=europarl_en_fr
	@device=$(or $(DEVICE),auto); comparison=europarl; \
	if [ $$device = auto ]; then \
	  device=$$($(RUN) -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")'); \
	fi; \
	if [ $$device = cpu ]; then comparison=europarl_cpu; fi; \
	set -x; $(RUN) -m nmt.compare +comparison=$$comparison 'seeds=$(SEEDS)' $(if $(BUDGET),budget=$(BUDGET)) device=$$device

reproduce: $(READY)  ## all of docs/results.md again, as far as MINUTES allow; fetches, is resumable, rewrites the tables
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
