# Few verbs, the same for a person and for CI. Each sets up what it needs; a second run installs nothing.

STARTED := $(shell date +%s)
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: help demo serve test check contract frameworks bench fuzz docs clean

help:  ## these lines
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 8

demo: .venv/.demo  ## the main job end to end: a real model, real load, then everything stops
	@$(BIN)/python -m demo --started $(STARTED)

serve: .venv/.demo  ## the gateway on its embedded defaults, until Ctrl-C; ARGS="--port 9090 ..."
	@exec $(BIN)/gateline serve $(ARGS)

test: .venv/.dev  ## the whole suite; ARGS="tests/wire -k sse ..."
	@$(BIN)/pytest $(ARGS)

check: .venv/.dev  ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

contract: .venv/.dev  ## every client's format against every vendor's, and the table of it in README.md
	@$(BIN)/pytest tests/contract --write-table $(ARGS)

frameworks: .venv/.dev .venv-frameworks/.made  ## LangChain, LlamaIndex, pydantic-ai and OpenAI's Node library against every vendor's format
	@$(BIN)/python -m tests.frameworks.run

.venv-frameworks/.made: tests/frameworks/requirements.txt tests/frameworks/node/package.json
	@$(PYTHON) -m venv .venv-frameworks
	@.venv-frameworks/bin/pip install -q -r tests/frameworks/requirements.txt
	@command -v npm >/dev/null && npm install --silent --no-audit --no-fund --prefix tests/frameworks/node || \
		echo "make: no npm here, OpenAI's Node library is left out" >&2
	@touch $@

bench: .venv/.dev  ## the figures of the README, against nginx and peers; ARGS="--quick ..."
	@$(BIN)/python benchmarks/run.py $(ARGS)

fuzz: .venv/.dev  ## every fuzz target for FUZZ_SECONDS (60), beyond what `make test` replays; ARGS="sse ..."
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/pip install -q --only-binary atheris -c constraints.txt atheris >.venv/atheris.log 2>&1 || { \
		echo "make: fuzzing needs atheris, and pip has no wheel of it for this Python and platform" \
		"($$($(BIN)/python -c 'import sys, sysconfig; print(*sys.version_info[:2], sep=".", end=" on "); \
		print(sysconfig.get_platform())')); its words are in .venv/atheris.log" >&2; exit 1; }
	@$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(ARGS)

docs: .venv/.dev  ## write docs/reference anew from the code
	@$(BIN)/python docs/generate.py

clean:  ## forget .venv and caches (weights in the user's cache and data directories stay)
	rm -rf .venv .venv-bench .venv-frameworks tests/frameworks/node/node_modules build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache

.venv/.demo: EXTRAS := local,demo
.venv/.dev: EXTRAS := local,dev
.venv/.demo .venv/.dev: pyproject.toml constraints.txt make_venv.py
	@test -n "$(PYTHON)" || { echo "make: Gateline needs Python 3.11 or newer, and there is none here:" \
		"install it (Debian/Ubuntu: apt install python3 python3-venv; macOS: brew install python)" >&2; exit 1; }
	@$(PYTHON) make_venv.py $(EXTRAS)
	@touch $@
