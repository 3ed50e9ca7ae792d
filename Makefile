# `make demo` and `make test` need git, make and a Python 3.10 to 3.13 with venv; tools/environment.sh says what is missing.
# PYTHON=/path/to/python3.12 chooses another Python than python3.

VENV := .venv
RUN := $(VENV)/bin/python
# The versions that both commands install, whatever day it is.
FIXED := --constraint=constraints.txt
TESTED := requirements.txt requirements-demo.txt requirements-dev.txt
CORE := -m "not gpu and not long and not chaos and not fuzz" --numprocesses auto --maxprocesses 8 --dist worksteal
export PYTHON

.PHONY: demo test test-long test-fuzz test-chaos test-newest test-oldest test-extras test-wheel test-paddle26 test-pdmodel test-paddleclas test-paddleclas-files test-paddleserving test-onnxruntime test-openvino test-engines test-pages test-serving test-lite test-lite-arm test-cpp test-cpp-windows test-cpp-fuzz lint lint-cpp format constraints environment-demo environment-test

demo: environment-demo  ## trains on handwritten digits, evaluates, exports, predicts; see demo/report/report.html
	$(RUN) tools/demo.py

test: lint  ## lint, types and all core tests
	$(RUN) -m pytest $(CORE)

test-long: environment-test  ## the largest models against the logits of PaddleClas, and every model's Grad-CAM
	$(RUN) -m pytest tests/arch tests/analysis -m long

test-fuzz: environment-test  ## damaged and hostile files for every reader, a minute each
	PPCLS_FUZZ_SECONDS=60 $(RUN) -m pytest tests/fuzz --numprocesses auto --dist worksteal

test-chaos: environment-test  ## processes that are killed, starved or doubled, some minutes
	$(RUN) -m pytest tests/chaos tests/engine/test_starved.py tests/data_pipeline/test_data_loader.py -m chaos --numprocesses auto --maxprocesses 4 --dist worksteal

test-newest:  ## the same tests with the newest versions that the requirements allow
	tools/environment.sh .venv-newest --upgrade $(TESTED)
	.venv-newest/bin/python -m pytest $(CORE) -W default

# Warnings of old versions about each other are of no use.
test-oldest:  ## the core tests with Python 3.10 and the lowest versions that the requirements name
	NEWEST_PYTHON=3.10 tools/environment.sh .venv-oldest --constraint=constraints-oldest.txt $(TESTED)
	.venv-oldest/bin/python -m pytest $(CORE) -W default --disable-warnings

test-extras: test-wheel test-paddle26 test-pdmodel test-paddleclas test-paddleclas-files test-paddleserving test-onnxruntime test-openvino test-engines test-pages test-serving test-lite test-cpp test-cpp-windows test-cpp-fuzz  ## what needs environments of its own, and minutes

test-wheel: environment-test  ## the wheel in an environment of its own, and the demonstration's accuracy
	rm -rf build && mkdir -p build/demo
	$(RUN) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/wheel .
	tools/environment.sh .venv-wheel requirements.txt
	.venv-wheel/bin/python -m pip install --quiet --force-reinstall --no-deps build/wheel/*.whl
	cd build && ../.venv-wheel/bin/ppcls export -c DLA46_c --untrained
	cd build && ../.venv-wheel/bin/ppcls predict -o Global.infer_imgs=../ppcls/inference/golden.png
	cd build/demo && ../../$(RUN) ../../tools/demo.py > demo.log
	grep -E '^predicted .* top-1 (9[789]|100)' build/demo/demo.log

# A library that Paddle 2.6.2 imports looks names up in `ast` that Python 3.12 warns about.
test-paddle26:  ## the models on Paddle 2.6.2, whose GPU build is the newest on the public package index
	NEWEST_PYTHON=3.12 tools/environment.sh .venv-paddle26 tests/extras/requirements-paddle26.txt
	.venv-paddle26/bin/python -m pytest -W "ignore:ast:DeprecationWarning" \
		tests/extras/test_paddle26.py tests/arch/test_arch_import.py

test-pdmodel: environment-test  ## every model in Paddle 2's format, and programs that Paddle 2.6.2 wrote
	NEWEST_PYTHON=3.12 tools/environment.sh .venv-paddle26 tests/extras/requirements-paddle26.txt
	$(RUN) -m pytest tests/extras/test_pdmodel.py

# PaddleClas comes without its requirements: they are of versions that no Python after 3.11 has.
test-paddleclas: environment-test  ## the models against PaddleClas itself, run beside them
	tools/environment.sh .venv-paddleclas tests/extras/requirements-paddleclas.txt
	.venv-paddleclas/bin/python -m pip install --quiet --disable-pip-version-check --no-deps paddleclas==2.6.0
	$(RUN) -m pytest tests/extras/test_paddleclas_oracle.py tests/extras/test_full_strength.py

test-paddleclas-files: environment-test  ## files and commands of a checkout of PaddleClas: PADDLECLAS=FOLDER
	$(RUN) -m pytest tests/extras/test_paddleclas_checkout.py

# The test makes .venv-paddleserving by the script that users run: a Python 3.8 of the PATH or of pyenv, about 1 GB.
test-paddleserving: environment-test  ## the service of `ppcls paddle-serving` on Paddle Serving 0.9
	$(RUN) -m pytest tests/extras/test_paddle_serving_service.py

# paddle2onnx needs a version of onnx that has no build for Python 3.13.
ENGINES := NEWEST_PYTHON=3.12 tools/environment.sh
ENGINE_TESTS := requirements.txt tests/extras/requirements-engines.txt requirements-onnx.txt

test-onnxruntime:  ## bundles by ONNX Runtime, where OpenVINO is not installed
	$(ENGINES) .venv-onnxruntime $(ENGINE_TESTS) requirements-onnxruntime.txt
	.venv-onnxruntime/bin/python -m pytest $(wildcard tests/extras/test_onnxruntime*.py)

test-openvino:  ## bundles by OpenVINO, where ONNX Runtime is not installed
	$(ENGINES) .venv-openvino $(ENGINE_TESTS) requirements-openvino.txt
	.venv-openvino/bin/python -m pytest $(wildcard tests/extras/test_openvino*.py)

test-engines:  ## every engine against Paddle, and int8
	$(ENGINES) .venv-engines $(ENGINE_TESTS) requirements-quantize.txt
	.venv-engines/bin/python -m pytest $(wildcard tests/extras/test_engines*.py)

# Chromium and Node come from the system: on Debian `apt-get install chromium nodejs npm`.
test-pages: environment-test  ## every page in Chromium: narrow and wide, light and dark, by axe's rules
	mkdir -p build/pages && cp tests/extras/pages/* build/pages
	cd build/pages && npm install --silent --no-audit --no-fund
	$(RUN) -m pytest tests/extras/test_pages.py

# KServe and Paddle 3.3.1 have builds for Python 3.11 to 3.13 in common. One process cannot load both KServe's and
# tritonclient's messages, which have the same names.
test-serving:  ## `ppcls serve`: its answers, limits, faults and load, some minutes
	tools/environment.sh .venv-serving requirements.txt requirements-serving.txt requirements-onnxruntime.txt tests/extras/requirements-serving.txt
	mkdir -p build/pages && cp tests/extras/pages/* build/pages
	cd build/pages && npm install --silent --no-audit --no-fund
	.venv-serving/bin/python -m pytest $(filter-out %_deploy.py,$(wildcard tests/extras/test_serving*.py))
	.venv-serving/bin/python -m pytest tests/extras/test_serving_deploy.py

# `ppcls lite` makes the environment of Python 3.7 in .venv-lite by itself.
test-lite: environment-test  ## every family by Paddle Lite for x86, and the C++ program (needs a Python 3.7)
	@tools/debian_packages.sh deploy/lite/packages/test.txt
	$(RUN) -m pytest tests/extras/test_lite_programs.py tests/extras/test_lite_classify.py

test-lite-arm:  ## the tests of the C++ core for 64-bit ARM, under qemu-user
	@tools/debian_packages.sh deploy/lite/packages/arm.txt
	cmake -S deploy/cpp -B build/lite-arm -DPPCLS_CORE_ONLY=ON -DPPCLS_TESTS=ON \
		-DCMAKE_TOOLCHAIN_FILE=$(CURDIR)/deploy/lite/cmake/aarch64-linux-gnu.cmake
	cmake --build build/lite-arm
	ctest --test-dir build/lite-arm --output-on-failure

# The engines are those of the Python that runs these tests. Debian 13 has the headers of ONNX Runtime in
# libonnxruntime-dev; elsewhere ONNXRUNTIME_HEADERS=FOLDER names them. CPP_OPTIONS gives cmake more.
CPP_SITE = $(shell .venv-engines/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
CPP_ENGINES = -DPPCLS_OPENVINO=ON -DOpenVINO_DIR=$(CPP_SITE)/openvino/cmake
CPP_PACKAGES := deploy/cpp/packages
ONNXRUNTIME_HEADERS ?= $(patsubst %/,%,$(dir $(wildcard /usr/include/onnxruntime/onnxruntime_cxx_api.h)))
ifneq ($(ONNXRUNTIME_HEADERS),)
CPP_ENGINES += -DPPCLS_ONNXRUNTIME=ON -DPPCLS_ONNXRUNTIME_INCLUDE=$(ONNXRUNTIME_HEADERS)
test-cpp: export PPCLS_CPP_ENGINES ?= openvino onnxruntime
endif
OLD_ONNXRUNTIMES := 1.19 1.22

test-cpp:  ## the C++ library and `ppcls-classify` against Python, by OpenVINO and, where its headers are, ONNX Runtime
	@tools/debian_packages.sh $(CPP_PACKAGES)/test.txt
	$(ENGINES) .venv-engines $(ENGINE_TESTS) requirements-quantize.txt
	cmake --preset linux -S deploy/cpp $(CPP_ENGINES) $(CPP_OPTIONS)
	cmake --build build/cpp
	ctest --test-dir build/cpp --output-on-failure
	for release in $(if $(ONNXRUNTIME_HEADERS),$(OLD_ONNXRUNTIMES)); do \
		test -d build/onnxruntime-$$release || .venv-engines/bin/python -m pip install --quiet --no-deps \
			--disable-pip-version-check --target build/onnxruntime-$$release "onnxruntime==$$release.*" || exit 1; \
	done
	.venv-engines/bin/python -m pytest $(filter-out %_mutations.py,$(wildcard tests/cpp/test_*.py))

test-cpp-windows:  ## the C++ core for Windows, by MinGW-w64 and Wine
	@tools/debian_packages.sh $(CPP_PACKAGES)/windows.txt
	cmake --preset mingw -S deploy/cpp
	cmake --build build/cpp-mingw
	ctest --test-dir build/cpp-mingw --output-on-failure

test-cpp-fuzz: environment-test  ## damaged files for the C++ readers under sanitizers, and libFuzzer for a minute each
	@tools/debian_packages.sh $(CPP_PACKAGES)/test.txt $(CPP_PACKAGES)/fuzz.txt
	cmake --preset sanitizers -S deploy/cpp && cmake --build build/cpp-sanitizers
	cmake --preset fuzzers -S deploy/cpp && cmake --build build/cpp-fuzzers
	$(RUN) -m pytest tests/cpp/test_mutations.py

lint: environment-test
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

# In a folder of its own: what the tests built is neither needed nor changed.
# The analyzer follows calls into stb_image, a library of headers, and takes memory that it frees later for a leak.
LITE_INCLUDES := -Ideploy/lite/src -Ideploy/cpp/core/include -Ideploy/cpp/runtime/src -isystem /usr/include/stb \
	-isystem /usr/src/googletest/googletest/include

lint-cpp:  ## clang-format and clang-tidy
	@tools/debian_packages.sh $(CPP_PACKAGES)/test.txt $(CPP_PACKAGES)/lint.txt deploy/lite/packages/test.txt
	$(ENGINES) .venv-engines $(ENGINE_TESTS) requirements-quantize.txt
	clang-format --dry-run --Werror $$(git ls-files 'deploy/*.c' 'deploy/*.cpp' 'deploy/*.h' 'deploy/*.hpp')
	cmake --preset linux -S deploy/cpp -B build/cpp-lint $(CPP_ENGINES) -DPPCLS_PADDLE=ON -DPPCLS_FUZZERS=ON \
		-DPADDLE_WHEEL=$(CPP_SITE)/paddle -DPPCLS_PYTHON_LIBRARY=/usr/lib/not-linked.so > /dev/null
	run-clang-tidy -quiet -p build/cpp-lint '/deploy/cpp/'
	clang-tidy --quiet --checks=-clang-analyzer-unix.Malloc $$(git ls-files 'deploy/lite/*.cpp') -- -std=c++17 $(LITE_INCLUDES)

format: environment-test
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

environment-demo:
	@tools/environment.sh $(VENV) $(FIXED) requirements.txt requirements-demo.txt

environment-test:
	@tools/environment.sh $(VENV) $(FIXED) $(TESTED)

COMPILE := .venv-constraints/bin/uv pip compile --quiet --python-version 3.10 --upgrade --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make constraints"

constraints:  ## the versions that `make demo` and `make test` install (the newest), and those that `make test-oldest` does
	tools/environment.sh .venv-constraints --upgrade tools/requirements-constraints.txt
	$(COMPILE) --universal --output-file constraints.txt $(TESTED)
	$(COMPILE) --resolution lowest-direct --output-file constraints-oldest.txt $(TESTED)
