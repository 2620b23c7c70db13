# Every command a person needs, by name. Each does its own set-up; nothing needs to be typed before it.
#
#   make run        the whole exchange on this machine, with demo traffic, until Ctrl-C
#   make test       lint and tests
#   make test-deep  the long runs
#   make bench      the benchmarks
#   make lint       format, types, import layers and house rules only
#   make lock       renew the locks after a change of pyproject.toml or package.json
#   make clean      remove what set-up made (not the state in .bizzan)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= $(shell scripts/setup/find_python.sh)
NPM ?= npm
UV := .tools/bin/uv
BIN := .venv/bin
TESTS ?= tests
PYTEST_WORKERS ?= 2
PACKAGES := bizzan exchange backend indexer keeper
CODE := $(PACKAGES) $(wildcard scripts tests examples benchmarks)
MODULES := $(shell find $(PACKAGES) -name '*.py')
ENGINE := hatch_build.py $(wildcard exchange/engine/fast/*.px? exchange/domain/*.pyx)
WEB := $(shell find web/src web/public web/plugins web/scripts -type f) $(wildcard web/*.json web/*.html web/*.ts)
CONTRACTS := $(shell find contracts -name '*.vy' -o -name '*.vyi')
DEPLOYED := Custody CustodyExtension CustodyGovernance DepositAddresses DepositAddress OperatorBond test_tokens/TestToken \
  test_wallets/TestWallet

# A user without a home folder, such as nobody, gets one for the caches.
ifeq ($(shell test -w "$$HOME" && echo yes),)
export HOME := $(CURDIR)/.tools/home
endif
export PIP_ROOT_USER_ACTION := ignore
export UV_PYTHON_DOWNLOADS := never
export UV_NO_CONFIG := 1
export UV_LINK_MODE := copy

.PHONY: ape brownie help setup run test test-deep bench lint format lock clean

help:
	@sed -n '3,9s/^# *//p' Makefile

setup: .venv/.stamp .venv/.compiled build/modules/.compiled node_modules/.stamp build/engine/.stamp \
  build/contracts/.stamp backend/web/built/.stamp

.tools/.checked: scripts/setup/check_tools.sh scripts/setup/find_python.sh
	@scripts/setup/check_tools.sh "$(PYTHON)" "$(NPM)"
	@mkdir -p .tools && touch $@

$(UV): | .tools/.checked
	@echo "setup: uv"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --upgrade --target .tools uv

.venv/.stamp: requirements.lock pyproject.toml .tools/.checked | $(UV)
	@echo "setup: Python packages"
	@$(UV) venv --quiet --no-project --allow-existing --python "$(PYTHON)" .venv
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# Where Python is told to write no bytecode, each process would compile all that it imports, at every start.
.venv/.compiled: .venv/.stamp
	@$(BIN)/python -m compileall -q -j 0 .venv/lib || echo "setup: some of it does not compile; Python does so when it is imported"
	@touch $@

build/modules/.compiled: $(MODULES) .venv/.stamp
	@$(BIN)/python -m compileall -q -j 0 $(PACKAGES)
	@mkdir -p $(@D) && touch $@

build/engine/.stamp: $(ENGINE) .venv/.stamp
	@echo "setup: matching engine"
	@$(BIN)/python hatch_build.py
	@mkdir -p $(@D) && touch $@

node_modules/.stamp: package-lock.json .tools/.checked
	@echo "setup: chain node"
	@$(NPM) ci --silent --ignore-scripts --no-fund --no-audit
	@touch $@

build/contracts/.stamp: $(CONTRACTS) .venv/.stamp
	@echo "setup: contracts"
	@$(BIN)/python -c 'from bizzan.contracts import artifact; [artifact(name) for name in "$(DEPLOYED)".split()]'
	@touch $@

web/node_modules/.stamp: web/package-lock.json .tools/.checked
	@echo "setup: web packages"
	@cd web && $(NPM) ci --silent --ignore-scripts --no-fund --no-audit
	@touch $@

backend/web/built/.stamp: $(WEB) web/node_modules/.stamp
	@echo "setup: web app"
	@cd web && $(NPM) run --silent build >../build/web.log 2>&1 || { cat ../build/web.log; exit 1; }
	@touch $@

# A browser for the tests of the web app: one that is there, or Debian's, installed where that is allowed.
build/.browser: scripts/setup/find_browser.sh
	@mkdir -p build
	@scripts/setup/find_browser.sh install >$@

# The consoles of docs/consoles.md, each in an environment of its own.
brownie ape: %: build/venvs/%/.stamp

build/venvs/%/.stamp: tests/%/requirements.lock .tools/.checked | $(UV)
	@echo "setup: $*"
	@mkdir -p build/venvs build/brownie-contracts build/brownie-scripts
	@$(UV) venv --quiet --no-project --allow-existing --python "$(PYTHON)" build/venvs/$*
	@$(UV) pip sync --quiet --python build/venvs/$*/bin/python --require-hashes tests/$*/requirements.lock
	@touch $@

# The order books that the engine's is compared with.
build/venvs/peers/.stamp: benchmarks/engine/peers.lock .venv/.stamp
	@echo "setup: peers of the matching engine"
	@$(BIN)/python -c 'from benchmarks.engine.peers import install; install()'
	@touch $@

run: setup
	@exec $(BIN)/bizzan up

test: setup build/venvs/peers/.stamp build/.browser lint
	@cd web && $(NPM) run --silent test -- --silent --reporter=dot
	@$(BIN)/pytest $(TESTS) -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart=0

test-deep: setup brownie ape
	@$(BIN)/pytest $(TESTS) -m deep -o faulthandler_timeout=7200 -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart=0

bench: setup build/venvs/peers/.stamp build/.browser
	@$(BIN)/bizzan bench all

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make format'"; exit 1; }
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/export_abis.py --check
	@$(BIN)/python scripts/export_openapi.py build/openapi.json
	@cd web && $(NPM) run --silent lint
	@set -e; for rule in scripts/check_*.py; do [ ! -e "$$rule" ] || $(BIN)/python "$$rule"; done

format: setup
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .
	@$(BIN)/python scripts/export_openapi.py build/openapi.json
	@cd web && $(NPM) run --silent types >/dev/null && $(NPM) run --silent format

lock: $(UV)
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links $(LOCKFLAGS) pyproject.toml --group dev -o requirements.lock
	@for tool in brownie ape; do $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(LOCKFLAGS) tests/$$tool/requirements.in \
	  -o tests/$$tool/requirements.lock; done
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links $(LOCKFLAGS) benchmarks/engine/peers.in -o benchmarks/engine/peers.lock
	@$(NPM) install --package-lock-only --ignore-scripts --no-fund --no-audit --silent
	@$(PYTHON) scripts/setup/complete_npm_lock.py package-lock.json
	@cd web && $(NPM) install --package-lock-only --ignore-scripts --no-fund --no-audit --silent

clean:
	@rm -rf .venv .tools node_modules web/node_modules backend/web/built build .build reports dist .mypy_cache .ruff_cache .pytest_cache
