# make demo   install, run every spec in specs/ on the shipped model and data, write Markdown reports
# make test   the test suite            make lint   style, types, import direction
# make stress long tests, as of processes that are killed in the midst of work: make test leaves them out
# make experiments   the long scenarios in experiments/, an hour or more; goes on where it was stopped
# make sensitivity   what each part of the shipped model costs, and a cut within a budget: writes docs/sensitivity-digits
# make bench  speed, peers, predictions, pruned against masked, kills: writes docs/   make clean  remove what these made
PYTHON ?= python3
JOBS ?= 2
REPORTS ?= reports
VENV := .venv
BIN := $(VENV)/bin

# One thread per process: with several processes more threads only wait for each other, and sums come out alike.
export OMP_NUM_THREADS := 1

.PHONY: demo experiments sensitivity test stress lint bench clean

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV): some 7 GB, a few minutes in which pip says nothing …"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[test]' --constraint constraints.txt
	touch $@

demo: $(VENV)/.installed
	@status=0; $(BIN)/python -m pytest specs/ -n $(JOBS) --prune-report-dir "$(REPORTS)" || status=$$?; \
	echo "Reports: $(REPORTS)/index.md (verdicts) and $(REPORTS)/claims.md (the field notes' claims)"; \
	exit $$status

experiments: $(VENV)/.installed
	$(BIN)/yolo-prune-check run experiments/ --report-dir "$(REPORTS)" --jobs $(JOBS)

DIGITS := docs/sensitivity-digits

sensitivity: $(VENV)/.installed
	mkdir -p $(DIGITS)
	$(BIN)/yolo-prune-check sensitivity yolov8n-digits --data digits --jobs $(JOBS) --out $(DIGITS)
	$(BIN)/yolo-prune-check suggest yolov8n-digits --data digits --max-map-drop 0.02 --out $(DIGITS)

test: $(VENV)/.installed
	$(BIN)/python -m pytest tests yolo_prune_check --doctest-modules -n $(JOBS) -q -m "not stress"

stress: $(VENV)/.installed
	$(BIN)/python -m pytest tests -n $(JOBS) -q -m stress

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict yolo_prune_check
	$(BIN)/lint-imports

$(VENV)/.bench-installed: $(VENV)/.installed
	@echo "Installing into $(VENV): what the benchmarks need besides, a minute in which pip says nothing …"
	$(BIN)/python -m pip install --quiet --editable '.[bench]' --constraint constraints.txt
	touch $@

# First what is timed, with nothing beside it. A refuted prediction fails the target once the rest is done.
bench: $(VENV)/.bench-installed
	$(BIN)/python -m benchmarks.predict --write docs/speed.md
	$(BIN)/python -m benchmarks.select --write docs/selection.md
	$(BIN)/python -m benchmarks.peers --jobs $(JOBS) --write docs/peers.md
	$(BIN)/python -m benchmarks.agreement --jobs $(JOBS) --write docs/agreement.md
	$(BIN)/python -m benchmarks.accuracy --write docs/accuracy.md
	$(BIN)/python -m benchmarks.criteria --jobs $(JOBS) --write docs/criteria.md
	$(BIN)/python -m benchmarks.equality --jobs $(JOBS) --write docs/equality.md
	$(BIN)/python -m benchmarks.kills --write docs/kills.md
	$(BIN)/python -m benchmarks.mutants --write docs/mutants.md

clean:
	rm -rf $(VENV) build dist .yolo-prune-check .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
