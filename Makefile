# `make demo` and `make test` need git, make and a Python 3.9 to 3.13 with venv; tools/environment.sh says what is missing.
# PYTHON=/path/to/python3.12 chooses another Python than python3.

VENV := .venv
RUN := $(VENV)/bin/python
export PYTHON

.PHONY: demo test test-extras lint format environment-demo environment-test

demo: environment-demo  ## trains on handwritten digits, evaluates, exports, predicts; see demo/report.png
	$(RUN) tools/demo.py

test: lint  ## lint, types and all core tests
	$(RUN) -m pytest -m "not gpu"

test-extras: environment-test  ## the wheel in an environment of its own, and the demonstration's accuracy
	rm -rf build && mkdir -p build/demo
	$(RUN) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	tools/environment.sh .venv-wheel requirements.txt
	.venv-wheel/bin/python -m pip install --quiet --force-reinstall --no-deps build/wheel/*.whl
	cd build && ../.venv-wheel/bin/ppcls export -c DLA46_c --untrained
	cd build && ../.venv-wheel/bin/ppcls predict -o Global.infer_imgs=../ppcls/inference/golden.png
	cd build/demo && ../../$(RUN) ../../tools/demo.py > demo.log
	grep -E '^predicted .* top-1 (9[789]|100)' build/demo/demo.log

lint: environment-test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: environment-test
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

environment-demo:
	@tools/environment.sh $(VENV) requirements.txt requirements-demo.txt

environment-test:
	@tools/environment.sh $(VENV) requirements.txt requirements-demo.txt requirements-dev.txt
