PYTHON ?= python3
VENV := .venv/bin/python
UV := $(VENV) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header
# What the settings ask for before they can be read; nothing is reached with it.
SETTINGS := SECRET_KEY=only-for-checks-and-not-a-secret TOKEN_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= DATABASE_URL=postgres://nobody@127.0.0.1:1/none REDIS_URL=redis://127.0.0.1:1/0

.DEFAULT_GOAL := help
.PHONY: help run test prove chaos crash mutants bench backup restore screenshots check format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

run: ## set up, start everything and print the address (PORT=8010 make run for another port)
	@$(PYTHON) reflow/bootstrap.py
	@exec $(VENV) manage.py up

test: ## set up, then all tests, those in a browser too
	@$(PYTHON) reflow/bootstrap.py --browser
	@THOROUGH=1 $(VENV) -m pytest -n 2 --durations=10

prove: ## what waits too long for every day: absences proven in real time
	@$(PYTHON) reflow/bootstrap.py --browser
	@PROVE=1 THOROUGH=1 $(VENV) -m pytest -m prove -n 2 --durations=10

chaos: ## all of it under fire (N=500 SEED=1 PLATFORM=intacct make chaos; RECOVERY=1: one fault at a time at real clocks)
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m tests.chaos

crash: ## every step of a worker x kill, exception, freeze x answered, lost, 500 (CELL=part-of-a-name for some)
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m tests.crash

mutants: ## ten bugs put into a copy of the code, and the test that catches each
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m tests.mutants

bench: ## each goal for speed, measured (QUICK=1: to 100,000 invoices in 5 minutes; ONLY=pages: one part)
	@$(PYTHON) reflow/bootstrap.py --browser
	@$(VENV) -m bench

backup: ## a dump of the database (FILE=name; else a new one under .reflow/backups), while it runs or not
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m reflow.copies backup $(FILE)

restore: ## a database made of a dump (FILE=name); it starts as a copy that sends nothing
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m reflow.copies restore $(FILE)

screenshots: ## every page, wide and 390 px, into docs/screenshots/
	@$(PYTHON) reflow/bootstrap.py --browser --font
	@SCREENSHOTS=docs/screenshots $(VENV) -m pytest -n 2 tests/journeys/test_pages_look.py

check: ## style, types and layers, in seconds
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m ruff check
	@$(VENV) -m ruff format --check
	@env $(SETTINGS) $(VENV) -m mypy
	@.venv/bin/lint-imports
	@env $(SETTINGS) $(VENV) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run

format: ## tidy the code
	@$(PYTHON) reflow/bootstrap.py
	@$(VENV) -m ruff check --fix
	@$(VENV) -m ruff format

lock: ## resolve the dependencies anew into requirements*.txt
	@$(PYTHON) reflow/bootstrap.py
	@$(UV) --upgrade pyproject.toml -o requirements.txt
	@$(UV) --upgrade --all-extras --group dev -c requirements.txt pyproject.toml -o requirements-dev.txt
	@echo flask | $(UV) -c requirements-dev.txt - -o requirements-sandbox.txt

clean: ## remove what was made: .venv, caches, and .reflow with all its data
	@rm -rf .venv .reflow staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
