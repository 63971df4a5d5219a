# `make` prints what there is. Everything that a target needs, scripts/bootstrap brings.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

RUN := scripts/uv run --no-sync
# More for pytest, for example: make test ARGS='-n 0 -x -k seal'; for the demo: ARGS='--events 20000'
ARGS ?=
# How many processes run tests side by side. A module stays whole: its tests share servers.
PROCESSES ?= 3
PYTEST_OPTIONS := -n $(PROCESSES) --dist loadfile --no-loadscope-reorder
PYTEST := $(RUN) pytest $(PYTEST_OPTIONS)

.PHONY: demo
demo: servers ## Run the main job, all 47 prefectures and 1,741 municipalities, and prove it by counting
	$(RUN) jukinet demo $(ARGS)

.PHONY: test
test: tests-ready ## Run all tests against private servers of their own
	$(PYTEST) $(ARGS)

# SEED repeats a run; SCENARIO: random or cluster (for MINUTES), crash-points, storm, outage, backlog.
MINUTES ?= 10
SEED ?=
SCENARIO ?= random

.PHONY: chaos
chaos: tests-ready ## Break everything at random and count: make chaos MINUTES=10 SEED=7 SCENARIO=random
	$(RUN) python -m tests.chaos --minutes $(MINUTES) --scenario $(SCENARIO) $(if $(SEED),--seed $(SEED))

.PHONY: fuzz
fuzz: tests-ready ## Try odd properties, envelopes, files and options, ever new: make fuzz MINUTES=10 SEED=7
	$(RUN) python -m tests.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

.PHONY: test-rabbitmq-4
test-rabbitmq-4: tests-ready ## Run the integration, acceptance and fuzz tests against RabbitMQ 4.3 (root)
	scripts/rabbitmq-4 .jukinet/rabbitmq-4
	JUKINET_TEST_RABBITMQ_ROOT=$(CURDIR)/.jukinet/rabbitmq-4 \
	  $(PYTEST) $(wildcard tests/integration tests/acceptance tests/fuzz) $(ARGS)

.PHONY: test-lowest
test-lowest: packages ## Run the unit tests with the oldest packages that pyproject.toml allows
	scripts/uv venv --quiet --clear .jukinet/lowest
	scripts/uv pip install --quiet --python .jukinet/lowest --resolution lowest-direct \
	  --group dev --editable .
	.jukinet/lowest/bin/pytest $(PYTEST_OPTIONS) tests/unit $(ARGS)

# A Debian suite; as whom: root, or a user who may not install packages; what demo and test are told.
SUITE ?= bookworm
ACCOUNTS ?= root user
DEMO_ARGS ?=
TEST_ARGS ?=

.PHONY: fresh
fresh: ## Run demo and test on a fresh Debian 12, as root and as a user (root): SUITE=trixie for 13
	for account in $(ACCOUNTS); do \
	  scripts/fresh $(SUITE) $$account bash -ec 'make demo ARGS="$$1"; make test ARGS="$$2"' \
	    - '$(DEMO_ARGS)' '$(TEST_ARGS)'; \
	done

.PHONY: lint
lint: packages ## Check style: ruff's rules and its format
	$(RUN) ruff check .
	$(RUN) ruff format --check .

.PHONY: format
format: packages ## Correct style where ruff can
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

.PHONY: types
types: packages ## Check types with mypy, strictly
	$(RUN) mypy

.PHONY: imports
imports: packages ## Check that imports go one way
	$(RUN) lint-imports

.PHONY: generate
generate: packages ## Write the files that the code generates: schemas/, deploy/rabbitmq/, docs/reference/
	$(RUN) jukinet schema generate
	$(RUN) jukinet topology render
	$(RUN) jukinet reference generate

.PHONY: check-generated
check-generated: packages ## Check that the generated files are those of the code
	$(RUN) jukinet schema check
	$(RUN) jukinet topology render --check
	$(RUN) jukinet reference check

.PHONY: ci
ci: ## Run everything that CI runs
	.ci/run

.PHONY: services-up
services-up: servers ## Start the private RabbitMQ and PostgreSQL under .jukinet/
	$(RUN) jukinet services up

.PHONY: services-down
services-down: packages ## Stop them
	$(RUN) jukinet services down

.PHONY: clean
clean: ## Stop the private servers and remove all that was made: .jukinet/, .venv/, caches
	scripts/clean

.PHONY: help
help: ## Print this
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | \
	  while IFS=$$'\t' read -r target text; do printf '  %-17s %s\n' "$$target" "$$text"; done

.PHONY: packages servers tests-ready
packages:
	@scripts/bootstrap
servers:
	@scripts/bootstrap --servers
tests-ready:
	@scripts/bootstrap --tests
