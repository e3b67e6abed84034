# `make demo` and `make test` are all a newcomer needs; each sets everything up first.
SHELL := /bin/bash
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
export UV_CACHE_DIR := $(CURDIR)/var/cache/uv
BIN := .venv/bin

.PHONY: demo up env test lint bench lock reset setup

demo: setup    ## close the demo's months and print what was published
	@$(BIN)/pantau demo

up: setup      ## the running system until Ctrl-C: Airflow with its UI, simulator, audit pages (UP=--without-simulator)
	@exec $(BIN)/pantau up $(UP)

test: setup    ## all tests, against real servers that they start
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: setup    ## style, types, import rules, SQL, rule files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/sqlfluff lint --disable-progress-bar --processes 2 dbt_project/models dbt_project/tests

bench: setup   ## where the time goes, beside the sum of the bare parts
	@$(BIN)/python -m bench

lock:          ## resolve the dependencies of pyproject.toml anew
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  --no-header --no-emit-index-url pyproject.toml --output-file requirements.lock

env:           ## .env for docker compose, with generated secrets (MODE=demo: with the simulator)
	@bin/env $(MODE)

reset:         ## forget everything that runs have made (the environment and its cache stay)
	@[ ! -x $(BIN)/pantau ] || $(BIN)/pantau stop
	rm -rf var/postgres var/postgres.* var/airflow var/landing var/simulator var/log var/dbt var/tmp var/up.lock out inbox

setup:
	@bin/setup
