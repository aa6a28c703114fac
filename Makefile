# Names for the scripts, nothing more. SERVE=0 keeps `make demo` from serving a page afterwards.
export SERVE ?= 1

.PHONY: install check test build bench demo clean
install check test build bench demo:
	@scripts/$@

clean:
	rm -rf build dist .venv .mypy_cache .ruff_cache .import_linter_cache .coverage
