# Every target sets up what it needs. `make help` lists them.
# The first Python of a supported version. `make setup PYTHON=python3.13` takes another one.
PYTHON ?= $(or $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$python && break; done),\
	$(error bench needs Python 3.11 to 3.14; name one by PYTHON=/path/to/python))
UV_VERSION := 0.13.9
UV := .venv/bin/uv
EXTRAS ?= --all-extras --no-extra wandb --no-extra mlflow --no-extra integrations
LOCKED = $(UV) export --quiet --frozen $(EXTRAS) --no-emit-project
BIN := .venv/bin
READY := .venv/ready
# One test process per core; each uses one thread. Tests start hundreds of processes, so what is imported is kept compiled.
TEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup lock quickstart sample gate lspet lint format reference benchmarks fuzz clean
.PHONY: test test-docs test-faults test-conformance test-integrations test-matrix test-slurm

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## Make the virtual environment

# All versions are those of uv.lock. pip installs torch in its version, in the build that it is configured for (see
# docs/installation.md); the rest is what the lock has the hashes of. Python compiles what it imports of torch: all of it
# would take a quarter of the set-up.
$(READY): pyproject.toml uv.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	$(LOCKED) --no-hashes | grep -E '^torch(vision)?==' > .venv/torch.txt
	$(BIN)/python -m pip install --quiet --no-compile --requirement .venv/torch.txt
	$(LOCKED) --prune torch --prune torchvision > .venv/locked.txt
	$(UV) pip install --quiet --compile-bytecode --python .venv --requirement .venv/locked.txt
	$(UV) pip install --quiet --python .venv --no-deps --editable .
	touch $(READY)

lock: $(READY)  ## Update uv.lock to the newest versions that pyproject.toml allows
	$(UV) lock --upgrade

# All four at once: small networks gain more from a core of their own than from several threads.
quickstart: $(READY)  ## Train four representations on synthetic people and write a report
	$(BIN)/python -m bench run suites/quickstart.yaml --pack 4
	@$(MAKE) --no-print-directory reports/quickstart/report.html

# Read after the run, so that new records make a new report and nothing new makes none.
reports/quickstart/report.html: suites/quickstart.yaml $(wildcard results/evaluations/*/record.json)
	$(BIN)/python -m bench report suites/quickstart.yaml

sample: quickstart  ## Write the sample report that is committed
	$(BIN)/python -m bench vary suites/quickstart.yaml
	$(BIN)/python -m bench report suites/quickstart.yaml --out reports/sample --format html

# Into an empty folder: what is there already was measured by other code. What fails is told by the check.
gate: $(READY)  ## Measure suites/ci.yaml again and compare it with its baseline (half a minute on 2 cores)
	rm -rf results/gate
	-$(BIN)/python -m bench run suites/ci.yaml --results results/gate
	$(BIN)/python -m bench check suites/ci.yaml --results results/gate --baseline results/baselines/ci.yaml \
		--junit results/gate/junit.xml --summary results/gate/summary.md

test: lint  ## Lint, check types and run the tests (under 8 minutes on 2 cores)
	$(TEST)

test-docs: $(READY)  ## Run every command and code block of the documentation
	$(TEST) -m docs

test-slurm: $(READY)  ## Run the tests that need SLURM, on clusters started for it (root on Debian; else they skip)
	slurm/test.sh

test-faults: $(READY)  ## Run the tests of full disks, dying helpers and other faults (under 8 minutes on 2 cores)
	$(TEST) -m faults

fuzz: $(READY)  ## Give every parser 10,000 inputs that no one would write (an hour on 1 core)
	$(BIN)/python -m tests.fuzz --inputs 10000

test-conformance: $(READY)  ## Make all checks on every built-in backbone, and run the GPU benchmark (8 minutes of CPU time)
	$(TEST) -m "conformance or gpu" tests/unit/conformance tests/parity/test_complexity.py tests/unit/benchmarks

test-integrations: $(READY)  ## Check exported metadata and logged curves with the packages that read them (installs these)
	$(UV) export --quiet --frozen --all-extras --no-emit-project --prune torch --prune torchvision > .venv/integrations.txt
	$(UV) pip install --quiet --python .venv --requirement .venv/integrations.txt
	$(TEST) -m integrations

test-matrix: $(READY)  ## Install the wheel beside another Python and torch, use it, and run the tests of numbers there
	tests/matrix.sh

lint: $(READY)  ## Lint and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference: $(READY)  ## Write docs/reference/ from the code
	$(BIN)/python docs/reference.py

lspet: $(READY)  ## Train on real photographs and write reports/lspet (12 hours on 2 cores; needs DATA_ROOT with lspet/)
	$(BIN)/python -m bench data pack lspet train --data-root $(DATA_ROOT)
	$(BIN)/python -m bench run suites/lspet.yaml --data-root $(DATA_ROOT) --pack 2
	$(BIN)/python -m bench vary suites/lspet.yaml --data-root $(DATA_ROOT) \
		--only input_size=64x64 --only train_subset=6000 --only epochs=20
	$(BIN)/python -m bench export suites/lspet.yaml --no-report --out reports/lspet/capsule.zip
	$(BIN)/python -m bench report --capsule reports/lspet/capsule.zip --format html --figures png

benchmarks: $(READY)  ## Measure everything that docs/performance.md tells (20 minutes on 2 cores)
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.step
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.evaluation
	$(BIN)/python -m benchmarks.evaluators
	$(BIN)/python -m benchmarks.variants
	$(BIN)/python -m benchmarks.bootstrap
	$(BIN)/python -m benchmarks.harness

clean:  ## Remove the virtual environment, results, reports and drawn data
	rm -rf .venv data results/trainings results/evaluations results/gate reports/quickstart
