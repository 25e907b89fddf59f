# The same words for people and for CI. Each can be the first one ever typed: it makes .venv.
# A Python of 3.11 or later is looked for; choose another with `make train PYTHON=python3.13`.

PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed
AS_ROOT := $(shell test "$$(id -u)" = 0 || echo sudo)

.PHONY: train test test-spark test-ray fuzz check ui bench browser
.DEFAULT_GOAL := train

train: $(INSTALLED)
	$(BIN)/sitrep train configs/tfidf.yaml configs/minilm.yaml

test: $(INSTALLED)
	$(BIN)/python -m pytest

# Not part of `make test`: Spark alone is 450 MB, and needs Java 17.
test-spark: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,spark]'
	$(BIN)/python -m pytest tests/spark

test-ray: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,ray]'
	$(BIN)/python -m pytest tests/ray

fuzz: $(INSTALLED)
	SITREP_FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest tests/code/test_fuzz.py

# Chromium for the tests of the UI, which are skipped without it.
browser:
	@command -v chromium >/dev/null || { $(AS_ROOT) apt-get update -qq && \
		$(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; }

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

ui: $(INSTALLED)
	$(BIN)/sitrep ui

bench: $(INSTALLED)
	$(BIN)/python benchmarks/train_speed.py

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "sitrep needs Python 3.11 or later; name one: make PYTHON=…"; exit 2; }
	@echo "installing into .venv with $(PYTHON): a few minutes, 3 GB or more"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
