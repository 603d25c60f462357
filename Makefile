# `make run` and `make test` set up all they need: a virtual environment in .venv, filled once.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Nothing is installed but wheels whose hashes are listed; none runs code while it is installed.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet \
	--require-hashes --only-binary=:all:

# Without bytecode files TensorFlow takes three times as long to import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test check leases faults fuzz fuzz-coverage train verifier evaluate screenshots pins \
	audit sbom clean

run: $(VENV)/.installed
	@exec $(BIN)/python manage.py up

# As many processes test side by side as there are cores; a file's tests stay together, and files
# come in the order that tests/conftest.py gives them. PROCESSES=0 tests in one process.
PROCESSES ?= auto

test: $(VENV)/.installed-dev
	@exec $(BIN)/python -m pytest --numprocesses=$(PROCESSES) --maxprocesses=4 \
		--dist=loadfile --no-loadscope-reorder $(ARGS)

# A state machine does to leases whatever may happen to them; `make test` takes fewer steps.
leases: $(VENV)/.installed-dev
	LEASE_STEPS=100000 $(BIN)/python -m pytest tests/queue/test_lease_states.py

# Mutated files of each format, 20,000 a reader; FUZZ="--inputs 1000 --seed 2 png zip" for others.
FUZZ ?=

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz $(FUZZ)

# The same guided by coverage, for so many seconds a reader.
SECONDS ?= 3600
READERS ?= images csv idx labels gzip zip datasets forms model

fuzz-coverage: $(VENV)/.installed-dev
	@set -e; for reader in $(READERS); do \
		echo "$$reader"; $(BIN)/python -m tests.fuzz.guided $$reader $(SECONDS); done

# Faults done to running installations, on SQLite and PostgreSQL: some forty minutes. Where
# libfaketime cannot be installed, the faults of clocks are left out, and the table says so.
faults: $(VENV)/.installed-dev
	-@$(PIP) -r requirements-faults.txt
	$(BIN)/python -m tests.system.faults --page docs/faults.md $(ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml manage.py digits webapp worker
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python manage.py makemigrations --check --dry-run
	HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING

train: $(VENV)/.installed
	$(BIN)/python manage.py train --output worker/bundled

verifier: $(VENV)/.installed
	$(BIN)/python manage.py train_verifier --output worker/bundled

# Fashion-MNIST (Debian's dataset-fashion-mnist) is measured too where it is installed.
FASHION := /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz
COLLECTIONS := var/collections

evaluate: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.collections $(COLLECTIONS)
	$(BIN)/python manage.py evaluate --model worker/bundled/digits.keras \
		--metrics worker/bundled/metrics.json --plots var/plots \
		mnist=worker/data/mnist/t10k-images-idx3-ubyte.gz $(COLLECTIONS)/* \
		$(if $(wildcard $(FASHION)),--not-digits fashion-mnist=$(FASHION))

screenshots: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.screenshots var/screenshots

# Versions and hashes of what the .in files name go into the .txt files. A version that is there stays,
# unless UPGRADE="django pillow" names it; UPGRADE=all takes the newest of everything.
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make pins" \
	$(if $(filter all,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package=,$(UPGRADE)))

pins: $(VENV)/.installed-dev
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) --constraint requirements.txt requirements-web.in --output-file requirements-web.txt
	$(COMPILE) --constraint requirements.txt requirements-worker.in \
		--output-file requirements-worker.txt
	$(COMPILE) requirements-gpu.in --output-file requirements-gpu.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt
	$(COMPILE) requirements-faults.in --output-file requirements-faults.txt

# Known vulnerabilities of what is pinned; PyPI's database is asked, or AUDIT="--osv ADDRESS". The file for
# GPUs holds all of requirements.txt.
AUDIT ?=

audit: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.pins $(AUDIT) \
		requirements-gpu.txt requirements-dev.txt requirements-faults.txt

# A bill of materials (CycloneDX) of what requirements.txt pins; the same pins give the same file.
SBOM ?= var/sbom.json

sbom: $(VENV)/.installed-dev
	@mkdir -p $(dir $(SBOM))
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file $(SBOM) requirements.txt
	@echo "$(SBOM)"

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache

$(BIN)/python:
	@echo "Making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(BIN)/python
	@echo "Installing what requirements.txt names (once, a few minutes)"
	@$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing what requirements-dev.txt names"
	@$(PIP) -r requirements-dev.txt
	@touch $@
