# Everything happens in this checkout: .venv holds the packages, var holds what the service makes.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo up test lint clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[worker,dev]"
	touch $@

demo: install
	$(BIN)/python manage.py demo

up: install
	$(BIN)/python manage.py up

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files '*.html' | xargs -r $(BIN)/djade --check --target-version 5.2
	$(BIN)/python manage.py makemigrations --check --dry-run

clean:
	rm -rf .venv build *.egg-info
