# The front door: `make demo` shows the metric on real photographs, `make test` runs the whole suite.
# Each makes its own virtual environment and installs the package the ordinary way.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test check docs web web-test clean

demo: $(VENV)/.demo
	$(BIN)/python -m invariant_lpips.demo --out demo

test: $(VENV)/.test
	$(BIN)/python -m pytest

check: $(VENV)/.check
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.docs
	$(BIN)/mkdocs build --strict
	@if command -v npm >/dev/null; then $(MAKE) web && cp -R web/dist site/try; \
	else echo "docs: site/try, the page that compares pictures, is left out: it needs node and npm, which are not here"; fi

# The page that compares pictures in a browser: web/dist, plain files to serve from anywhere.
web: web/node_modules/.installed web/models/alex.onnx
	cd web && npm run --silent lib && npm run --silent page

# Needs Chromium (apt-get install chromium; CHROMIUM=path for another). Firefox and WebKit are driven too, where they are
# installed (firefox-esr; webkit2gtk-driver and xvfb).
web-test: web $(VENV)/.test
	$(BIN)/python web/tests/make_pairs.py
	cd web && npm test --silent

clean:
	rm -rf $(VENV) demo build dist site web/node_modules web/models web/lib web/dist web/build

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[demo]'
	touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[demo,test]'
	touch $@

$(VENV)/.check: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[docs]'
	touch $@

$(VENV)/.export: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e '.[export]'
	touch $@

web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --silent
	touch $@

web/models/alex.onnx: web/models.py web/winograd.py weights/alexnet.safetensors weights/alexnet-regional.safetensors weights/alexnet-regional-32.safetensors weights/pixels.safetensors weights/pixels-regional.safetensors | $(VENV)/.export
	$(BIN)/python web/models.py
