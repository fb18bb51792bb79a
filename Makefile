# Each target sets up what it needs; the second time that costs nothing.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BENCH_VENV := .venv-bench
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(BENCH_VENV)/.installed
KERBEROS_INSTALLED := $(VENV)/.kerberos
RESOLVE := $(VENV)/bin/uv
# All but kerberos, which compiles against the system's library; only what tests it needs that.
EXTRAS := bluesky dask distributed elog files kafka larpix logbook server shell zmq
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-annotate

# $(call set_up,FOLDER,LOCK): a virtual environment with exactly what a lock file names, and hutch from here.
# The lock file is complete, so pip resolves nothing (--no-deps); older ones stumble over extras in it.
define set_up
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "hutch needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name one that is: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up $(1); this happens once and takes about a minute." >&2
	@test -x $(1)/bin/pip || $(PYTHON) -m venv $(1) || { \
	  rm -rf $(1); echo "Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(1)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(2)
	@$(1)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(1)/.installed
endef

.PHONY: help demo test lint bench lock kerberos

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## record, follow and read back a few scans; options through ARGS="..."
	@$(VENV)/bin/hutch demo $(ARGS)

test: $(INSTALLED)  ## run the tests; options for pytest through ARGS="..."
	@$(VENV)/bin/pytest $(ARGS)

lint: $(INSTALLED)  ## check style, types and the floors
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo

bench: $(BENCH_INSTALLED)  ## measure hutch beside its peers; options through ARGS="--only reading --quick"
	@$(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

kerberos: $(KERBEROS_INSTALLED)  ## add tickets of Kerberos; needs the system's library and a compiler

lock: $(INSTALLED)  ## resolve the lock files for what is new; all of them anew with ARGS=--upgrade
	@$(RESOLVE) pip compile $(LOCK) $(ARGS) $(EXTRAS:%=--extra %) --group dev pyproject.toml -o requirements.lock
	@$(RESOLVE) pip compile $(LOCK) $(ARGS) --extra kerberos -c requirements.lock pyproject.toml -o kerberos.lock
	@$(RESOLVE) pip compile $(LOCK) $(ARGS) --extra bluesky --extra files --extra server \
	  pyproject.toml benchmarks/requirements.txt -o benchmarks/requirements.lock

$(INSTALLED): pyproject.toml requirements.lock
	$(call set_up,$(VENV),requirements.lock)

# It goes into what is set up already, at the versions that are there.
$(KERBEROS_INSTALLED): kerberos.lock $(INSTALLED)
	@command -v krb5-config >/dev/null || { echo "The library of Kerberos is missing; on Debian:" \
	  "apt-get install libkrb5-dev gcc python3-dev" >&2; exit 1; }
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r kerberos.lock
	@touch $@

$(BENCH_INSTALLED): pyproject.toml benchmarks/requirements.lock
	$(call set_up,$(BENCH_VENV),benchmarks/requirements.lock)
