# Everything runs in .venv, with the versions that constraints.txt pins.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
LINES := 0.0.72 0.3.3

.SECONDARY:
.PHONY: benchmark test test-slow lint test-lines check-wheel docs results clean

benchmark: .venv/core
	$(BIN)/semantic-router-lora benchmark

# Most of the time goes into starting processes: two at a time, one file each.
test: .venv/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# What starts servers or trains for long.
test-slow: .venv/dev
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m slow

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The other two lines of semantic-router, each in an environment of its own. They need older
# numpy and openai packages and themselves, so those pins are left out.
test-lines: $(LINES:%=test-line-%)

test-line-%: .venv-%/installed
	.venv-$*/bin/python -m pytest tests/test_routers.py tests/test_embedder.py tests/test_docs.py \
	  tests/test_merged_model.py tests/test_merging_odd_models.py tests/test_merging_refusals.py \
	  tests/test_registration.py tests/test_fitted_routers.py

.venv-%/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-$*
	grep -v -e '^numpy' -e '^openai' -e '^semantic-router' constraints.txt > .venv-$*/constraints.txt
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint .venv-$*/constraints.txt \
	  semantic-router==$* pytest --editable '.[offline]'
	touch $@

# A wheel built from the sdist must bring every module and every adapter.
check-wheel: .venv/dev
	rm -rf dist .venv-wheel
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	wheel=$$(ls dist/*.whl) && .venv-wheel/bin/python -m pip install --quiet \
	  --disable-pip-version-check --constraint constraints.txt "$$wheel[offline]"
	cd dist && ../.venv-wheel/bin/python ../.ci/check_wheel.py

# The documentation site, into site/.
docs: .venv/dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What README and docs show: figures of committed results, the catalogue, options, the transcript.
results: .venv/dev
	$(BIN)/python docs/render_results.py
	$(BIN)/python docs/render_catalogue.py
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/transcript/record.py

.venv/core: pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) --editable '.[offline]'
	touch $@

.venv/dev: .venv/core
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-* dist site
