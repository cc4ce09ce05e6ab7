# `make` alone lists the targets. Servers come from integration-tests/services, without a container engine.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help prepare build demo demo-onboard test bench torture lint stop

SERVICES := integration-tests/services/services
CARGO ?= cargo

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## install what building needs on Debian (as root; else say what is missing)
	@integration-tests/services/prepare

build: prepare ## the release binary, target/release/onramp
	$(CARGO) build --release --bin onramp

demo: prepare ## an example on real servers, from row to decoded event (EXAMPLE=shop); ends by itself
	@examples/$(or $(EXAMPLE),shop)/demo

demo-onboard: prepare ## thirty unknown tables become running products; ends by itself
	@examples/onboard/demo

test: prepare ## every test there is, on PostgreSQL 15 and 18, Kafka and the registry
	@python3 integration-tests/services/registry/check.py
	$(CARGO) build --workspace --bins
	$(SERVICES) with postgres15 postgres18 kafka registry -- $(CARGO) test --workspace

bench: prepare ## measure; prints a table and writes target/bench/report.json
	$(CARGO) build --release --bin onramp
	$(SERVICES) with postgres15 postgres18 kafka registry -- $(CARGO) run --release -p onramp-integration-tests --bin bench -- $(ARGS)
	$(CARGO) run --release -p onramp-translator --example protection
	$(CARGO) run --release -p onramp-translator --example kinds

torture: prepare ## kill everything at random for hours (ARGS=... is handed on)
	$(CARGO) build --release --bin onramp
	$(SERVICES) with postgres15 postgres18 kafka registry -- $(CARGO) run --release -p onramp-integration-tests --bin torture -- $(ARGS)

lint: prepare ## format, clippy, dependencies and their licences, drift of the generated docs
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny@0.20.2
	$(CARGO) deny check bans licenses sources
	$(CARGO) run -q -p onramp-language --bin reference -- --check

stop: ## end servers that were left running
	@$(SERVICES) stop
