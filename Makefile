# The verbs of this project. `make` alone lists them; README.md has the same as plain commands.
# Needs Python 3.11 to 3.13 with venv and pip, and nothing else: every target makes what it needs.

PYTHON ?= python3
# Worker processes of the tests (auto: one more than cores, as many tests wait; 0: in this process,
# for a debugger).
WORKERS ?= auto
# Pages of the site that are made at the same time.
PAGES ?= auto
# More for pytest, e.g. make test PYTEST_ARGS="-k golden -x"
PYTEST_ARGS ?=

BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -qq
PYTEST := $(BIN)/python -m pytest
# Each worker gets files that follow one another, so fixtures are made once; who is done takes more.
SPREAD := --dist worksteal
DEMO := .venv/.installed
DEV := .venv/.installed-dev
SITE := .venv/.installed-site
# What `make bench-peers` measures, and which versions.
PEERS := backtesting vectorbt nautilus_trader raptorbt
backtesting := backtesting==0.6.*
vectorbt := vectorbt[rust]==1.2.*
nautilus_trader := nautilus_trader==1.*
raptorbt := raptorbt==0.13.*
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
# What a page shows that runs no kernel: the still form of widgets and charts.
STILL := ["text/html", "image/svg+xml", "image/png", "text/markdown", "text/plain"]

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format types floors coverage coverage-check notebooks browser orders soak bench bench-peers peers docs \
	site pictures test-oldest test-kernels wheel clean

help:  ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(DEMO)  ## install, backtest 90 days of candles, print the summary
	$(BIN)/tradenb demo

test: $(DEV)  ## install with all tools, run the tests
	$(PYTEST) -n $(WORKERS) $(SPREAD) $(PYTEST_ARGS)

lint: $(DEV)  ## look for mistakes, check the format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV)  ## mend what lint can mend by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEV)  ## check the types, strictly
	$(BIN)/mypy tradenb $(wildcard tests/typing)
	$(BIN)/mypy --explicit-package-bases $(wildcard tests/order_lives)
	$(BIN)/python tests/typing/mutants.py

floors: $(DEV)  ## check who may import whom
	$(BIN)/lint-imports --no-logo

coverage: $(DEV)  ## run the tests, then demand 92% of all branches, 99% of the core's
	$(MAKE) test PYTEST_ARGS="$(PYTEST_ARGS) --cov --cov-report="
	$(MAKE) coverage-check

coverage-check: $(DEV)  ## judge the coverage of the last run with --cov
	$(BIN)/python tests/branches.py

notebooks: $(DEV)  ## execute every notebook from top to bottom
	$(if $(NOTEBOOKS),$(PYTEST) -p nbmake.pytest_plugin --nbmake --nbmake-timeout=300 -n $(WORKERS) $(NOTEBOOKS),\
	@echo "no notebooks yet")

browser: $(DEV)  ## use the dashboard in JupyterLab and Notebook 7 (wants chromium)
	TRADENB_BROWSER=1 $(PYTEST) -n 0 tests/browser

orders: $(DEV)  ## play 20,000 lives of the order machine, 300 of whole runs, and every fault over HTTP
	ORDER_LIVES=20000 ORDER_SCENARIOS=all LIVE_ORDER_LIVES=300 ORDER_KILLS=all MONEY_GROUPS=200 \
		$(PYTEST) -n $(WORKERS) $(SPREAD) \
		tests/laws/test_order_lives.py tests/laws/test_live_order_lives.py \
		tests/laws/test_orders_over_http.py tests/laws/test_order_kill_points.py \
		tests/laws/test_money.py tests/brokers/test_order_disk_faults.py

soak: $(DEV)  ## run the longest tests, property tests with many examples, 5,000 simulated lives
	$(PYTEST) -n $(WORKERS) $(SPREAD) -m soak
	TRADENB_HYPOTHESIS=soak $(PYTEST) -n $(WORKERS) $(SPREAD) --timeout=1800 \
		-o faulthandler_timeout=4000 -m hypothesis tests
	$(BIN)/python -m tradenb.testing.simulation --seeds 5000
	ORDER_LIVES=100000 LIVE_ORDER_LIVES=10000 $(PYTEST) -n $(WORKERS) $(SPREAD) \
		tests/laws/test_order_lives.py tests/laws/test_live_order_lives.py

bench: $(DEV)  ## measure speed and memory (not a test: nothing fails)
	$(BIN)/python -m benchmarks

bench-peers: $(DEV) $(PEERS:%=.venv-bench-%/.installed)  ## measure four other engines beside ours, each in an environment of its own
	$(BIN)/python -m benchmarks.peers.speed $(foreach peer,$(PEERS),$(peer)=.venv-bench-$(peer)/bin/python)

peers: .venv-peers/.installed .venv-freqtrade/.installed  ## compare trades with those of four other tools, in environments of their own
	TQDM_DISABLE=1 .venv-peers/bin/python -m benchmarks.peers
	for tool in backtesting vectorbt backtrader; do \
		TQDM_DISABLE=1 .venv-peers/bin/python -m benchmarks.peers.page $$tool || exit 1; done
	TQDM_DISABLE=1 .venv-peers/bin/python -m benchmarks.peers.page freqtrade .venv-freqtrade/bin/python
	.venv-peers/bin/python -m benchmarks.peers.orders .venv-freqtrade/bin/python

docs: $(DEV)  ## run the examples of the docstrings, render the notebooks to build/notebooks
	$(PYTEST) --doctest-glob='*.md' --ignore=docs/pictures --ignore=docs/conf.py --ignore=docs/site tradenb docs
	$(BIN)/python -m nbconvert --execute --to html --output-dir build/notebooks --log-level WARN \
		--NbConvertBase.display_data_priority='$(STILL)' $(NOTEBOOKS)

site: $(SITE)  ## build the documentation site in build/site, run its code, check its links
	rm -rf build/site docs/reference/generated
	$(BIN)/python -m sphinx -b html -c docs -d build/site-pages -j $(PAGES) -W --keep-going -q . build/site
	$(BIN)/python docs/site/check_links.py build/site
	@echo "open build/site/index.html"

pictures: $(DEV)  ## make the pictures of the README and of charts anew (wants chromium)
	$(BIN)/python docs/pictures/make.py
	$(BIN)/python docs/pictures/dashboard.py
	$(BIN)/python docs/pictures/charts.py

test-oldest: .venv-oldest/.installed  ## run the tests with the oldest supported dependencies
	.venv-oldest/bin/python -m pytest -n $(WORKERS) $(SPREAD) $(PYTEST_ARGS)

test-kernels: $(DEV) .venv-kernel/.installed  ## live runs in real kernels, longer, newest and oldest
	TRADENB_BUSY_SECONDS=20 $(PYTEST) --timeout=300 tests/live/test_kernel.py
	TRADENB_BUSY_SECONDS=20 .venv-kernel/bin/python -m pytest --timeout=300 tests/live/test_kernel.py

wheel: $(DEV)  ## build dist/*.whl
	rm -rf dist
	$(BIN)/python -m build --wheel --outdir dist .

clean:  ## remove environments, caches and everything built; never a state folder (dump/)
	rm -rf .venv .venv-oldest .venv-kernel .venv-peers .venv-freqtrade .venv-bench-* build dist *.egg-info .coverage .coverage.* htmlcov
	rm -rf docs/reference/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: an environment is installed again only when pyproject.toml has changed since.

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else \
	"tradenb needs Python 3.11 to 3.13, $(PYTHON) is %d.%d; try make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv .venv

$(DEMO): pyproject.toml | .venv/bin/python
	@echo "installing tradenb into .venv, about a minute the first time"
	$(PIP_INSTALL) -e .
	@touch $@

$(DEV): pyproject.toml | .venv/bin/python
	@echo "installing tradenb and its tools into .venv, about two minutes the first time"
	$(PIP_INSTALL) -e '.[dev,judges]'
	@touch $(DEMO) $@

$(SITE): pyproject.toml | .venv/bin/python
	@echo "installing tradenb and what makes its site into .venv, about two minutes the first time"
	$(PIP_INSTALL) -e '.[site]'
	@touch $(DEMO) $@

.venv-oldest/.installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-oldest
	$(PYTHON) -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*(d.replace(">=", "==") for d in project["dependencies"]), sep="\n")' \
	> .venv-oldest/constraints.txt
	@echo "installing the oldest versions into .venv-oldest, about two minutes the first time"
	.venv-oldest/bin/python -m pip install --disable-pip-version-check -qq \
		-c .venv-oldest/constraints.txt -e '.[dev,judges]'
	.venv-oldest/bin/python -m pip check
	@touch $@

.venv-peers/.installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-peers
	@echo "installing tradenb, backtesting.py, vectorbt and backtrader into .venv-peers, about two minutes the first time"
	.venv-peers/bin/python -m pip install --disable-pip-version-check -qq -e . \
		'backtesting==0.6.*' 'vectorbt==1.2.*' 'backtrader==1.9.*'
	@touch $@

.venv-freqtrade/.installed:
	$(PYTHON) -m venv --clear .venv-freqtrade
	@echo "installing freqtrade into .venv-freqtrade, about two minutes the first time"
	.venv-freqtrade/bin/python -m pip install --disable-pip-version-check -qq 'freqtrade==2026.9'
	@touch $@

.venv-bench-%/.installed:
	$(PYTHON) -m venv --clear .venv-bench-$*
	@echo "installing $* into .venv-bench-$*"
	.venv-bench-$*/bin/python -m pip install --disable-pip-version-check -qq '$($*)' numpy || \
		{ echo "$* cannot be installed here, it is left out"; rm -rf .venv-bench-$*/bin; }
	@touch $@

.venv-kernel/.installed: pyproject.toml
	$(PYTHON) -m venv --clear .venv-kernel
	@echo "installing tradenb with ipykernel 6.31 into .venv-kernel, about two minutes the first time"
	.venv-kernel/bin/python -m pip install --disable-pip-version-check -qq -e '.[dev]' \
		'ipykernel==6.31.*'
	@touch $@
