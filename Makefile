# Zvon: everything from a bare Debian 12 or Ubuntu 24.04. `make run` and `make test` are all that a newcomer needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
SECONDS ?= 60
comma := ,
NATIVE := $(shell find media sipcore bench -name '*.pyx' -o -name '*.pxd' 2>/dev/null)
SPOKEN := $(wildcard pbx/speech/*.toml pbx/speech/*.py media/synthesis/*.py)
# Real processes use the same addresses and ports: side by side only where each can have a network of its own.
SIDE_BY_SIDE = $(shell command -v ip >/dev/null && unshare --net true 2>/dev/null && echo "-n 2 --dist loadfile")
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run build prompts test check bench fuzz rows clean

help:
	@echo "make run    install what is missing, build, start the phone server with the demo office"
	@echo "make prompts  install recorded prompts and voices, make the prompts that are missing (part of make run)"
	@echo "make test   the same, with the test tools, then every test"
	@echo "make build  environment in .venv and the Cython modules; nothing started"
	@echo "make check  lint, types, import contracts"
	@echo "make bench  speed report"
	@echo "make fuzz   fuzzing of every parser, SECONDS=60 for each"
	@echo "make rows   which rows of the feature catalogue the tests prove"
	@echo "make clean  remove .venv and everything built (the data folder var/ stays)"

run: build $(VENV)/stamp-prompts
	@exec $(BIN)/zvon run $(ARGS)

build: $(VENV)/stamp-built

prompts:
	@rm -f $(VENV)/stamp-prompts
	@$(MAKE) --no-print-directory $(VENV)/stamp-prompts

test: $(VENV)/stamp-prompts $(VENV)/stamp-test-packages $(VENV)/stamp-tools $(VENV)/stamp-peers $(VENV)/stamp-built check
	$(BIN)/pytest -n 3 -m "not e2e"
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "e2e and not alone"
	$(BIN)/pytest -m "e2e and alone"

check: $(VENV)/stamp-tools $(VENV)/stamp-built
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/stamp-test-packages $(VENV)/stamp-tools $(VENV)/stamp-built
	$(BIN)/python -m bench.run $(ARGS)

fuzz: $(VENV)/stamp-fuzz $(VENV)/stamp-built
	@$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(ARGS)

rows: $(VENV)/stamp-tools $(VENV)/stamp-built
	@$(BIN)/python -m tests.rows $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info
	find media sipcore -name '*.so' -delete

# --- stamps: each is remade only when what it depends on has changed ------------------------------------------------

DEPENDENCIES = $(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*$(1), sep="\n")'

$(VENV)/stamp-python: .ci/packages
	@bash .ci/packages build
	@python=$$(bash .ci/packages python); [ -x $(BIN)/pip ] || "$$python" -m venv $(VENV)
	@touch $@

$(VENV)/stamp-libraries: $(VENV)/stamp-python pyproject.toml
	@echo "zvon: installing the libraries into $(VENV)"
	@$(call DEPENDENCIES,(p["dependencies"] + ["setuptools>=77"$(comma) "cython>=3.1"])) >$(VENV)/libraries.txt
	@$(BIN)/pip install --quiet --requirement $(VENV)/libraries.txt
	@touch $@

$(VENV)/stamp-built: $(VENV)/stamp-libraries $(NATIVE)
	@echo "zvon: building the Cython modules"
	@$(BIN)/pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# The server works without prompts: what cannot be had now is left out, and not tried again before `make prompts`.
$(VENV)/stamp-prompts: .ci/packages $(SPOKEN) | $(VENV)/stamp-built
	@bash .ci/packages prompts
	@echo "zvon: making the prompts that no recording says (the first time half a minute to two)"
	@$(BIN)/zvon prompts || echo "zvon: there are no generated prompts; the server works without"
	@touch $@

$(VENV)/stamp-tools: $(VENV)/stamp-libraries
	@echo "zvon: installing the developer tools into $(VENV)"
	@$(call DEPENDENCIES,p["optional-dependencies"]["dev"]) >$(VENV)/tools.txt
	@$(BIN)/pip install --quiet --requirement $(VENV)/tools.txt
	@touch $@

# Has wheels for few versions of Python; only fuzzing needs it.
$(VENV)/stamp-fuzz: $(VENV)/stamp-tools
	@echo "zvon: installing atheris for fuzzing"
	@$(BIN)/pip install --quiet atheris
	@touch $@

# Programs that the tests talk to and that have no Debian package: a test without its peer is skipped and says so.
$(VENV)/stamp-peers: $(VENV)/stamp-tools
	@echo "zvon: installing Sippy for the tests"
	@$(BIN)/pip install --quiet sippy || echo "zvon: Sippy cannot be installed here; its tests are skipped"
	@touch $@

$(VENV)/stamp-test-packages: $(VENV)/stamp-python
	@bash .ci/packages test
	@touch $@
