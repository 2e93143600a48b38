# Each target sets up .venv by itself; all that it needs is Python 3.10 or newer.
#   make demo    see it all in a few minutes, offline        make demo ARGS="--help"
#   make test    ruff, mypy and every test                   make test ARGS="-k latent" WORKERS=4
#   make lint    ruff and mypy only
#   make docs    the documentation as a site in site/: open site/index.html
#   make bench   the benchmarks (on a machine that does nothing else)
#   make demo TORCH_INDEX=ADDRESS    PyTorch from that package index: its CPU builds take a third of the disk
#   make clean   remove .venv and caches; runs/, datasets/ and demo/ stay

PYTHON  ?= python3
WORKERS ?= 2
ARGS    ?=
TORCH_INDEX ?=
BIN     := .venv/bin
INPUTS  := pyproject.toml constraints.txt

.PHONY: help demo test lint docs bench clean
help:
	@sed -n 's/^#   //p' Makefile

demo: .venv/.installed
	$(BIN)/facegan demo $(ARGS)

test: lint .ci/page/node_modules
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  echo "chromium is missing: the tests of the pages are skipped (Debian: apt-get install chromium)"
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

# What checks the studio's page. Without Node.js or a connection, those tests are skipped.
.ci/page/node_modules: .ci/page/package-lock.json
	@command -v npm >/dev/null || exit 0; \
	  timeout 120 npm ci --prefix .ci/page --silent --no-audit --no-fund && touch $@ || \
	  echo "npm: the modules of .ci/page cannot be installed; the tests of the studio's script are skipped"

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "The documentation: site/index.html"

bench: .venv/.installed-dev
	@code=0; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || code=1; done; exit $$code

clean:
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment ------------------------------------------------------------------------------------

PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt

define install
	@echo "Installing $(1) into .venv. The first time this downloads PyTorch: some minutes and gigabytes."
	@$(if $(TORCH_INDEX),$(PIP) --index-url '$(TORCH_INDEX)' $(2))
	@$(PIP) -e '$(1)'
endef

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "facegan needs Python 3.10 or newer: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv .venv || \
	  { rm -rf .venv; echo "Python's venv module is missing (Debian: apt-get install python3-venv)"; exit 1; }

.venv/.installed: $(INPUTS) | .venv/bin/pip
	$(call install,.,torch)
	@touch $@

.venv/.installed-dev: $(INPUTS) | .venv/bin/pip
	$(call install,.[dev],torch torchvision)
	@touch .venv/.installed $@

.venv/.installed-docs: $(INPUTS) | .venv/bin/pip
	$(call install,.[docs],torch)
	@touch .venv/.installed $@
