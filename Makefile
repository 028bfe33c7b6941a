# Counterfoil. `make` alone prints what there is to make, and how long it takes on two cores.
#
# One cargo profile and one selection of packages (--release --workspace) serve everything but `bench` and `dist`, so that
# little is compiled twice, and RocksDB once for a machine (scripts/rocksdb). Cold means an empty cache folder: then everything is compiled,
# in 10 to 20 minutes, most of it RocksDB. The cache folder is COUNTERFOIL_CACHE, by default ~/.cache/counterfoil.

export COUNTERFOIL_CACHE ?= $(HOME)/.cache/counterfoil
export CARGO_TARGET_DIR ?= $(COUNTERFOIL_CACHE)/target
SHELL := /bin/bash

cargo := scripts/cargo
demo := target/demo
bench := COUNTERFOIL_BIN="$(CARGO_TARGET_DIR)/dist/counterfoil" "$(CARGO_TARGET_DIR)/dist/counterfoil-bench"

.DEFAULT_GOAL := help
.PHONY: help demo test torture bench bench-large bench-peers bench-build build verifier dist lint fmt clean

help: ## Print this. At once
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

demo: build ## Build, make up a company, import it, and tell its story. 10 to 20 minutes cold, 30 s warm
	@scripts/install demo
	@rm -rf $(demo) && mkdir -p $(demo)
	PATH="$(COUNTERFOIL_CACHE)/tools/bin:$$PATH" bin/counterfoil demo --data $(demo)/ledger

test: build ## Run every test and print the totals. A few minutes, after 10 to 20 cold
	@scripts/install test
	@scripts/test

torture: build ## Try every fault as often as docs/faults.md says; SEED=… repeats a run. 40 to 60 minutes, once it is built
	@scripts/install test
	@scripts/torture

bench: bench-build ## Measure the figures: target/bench.json, and of the entity map target/bench-map.json. 10 minutes, after 10 to 30 cold
	@scripts/kafka install >/dev/null
	@status=0; $(bench) $(EVENTS) || status=1; $(bench) map || status=1; exit $$status

bench-large: bench-build ## Measure the services' memory at EVENTS events, by default 10,000,000: target/bench-large.json. 15 minutes
	$(bench) large $(EVENTS)

bench-peers: bench-build ## Measure against PostgreSQL 15, which it installs: target/bench-peers.json. 5 minutes
	@scripts/install bench-peers
	$(bench) peers $(EVENTS)

bench-build:
	@scripts/install build
	$(cargo) build --profile dist -p counterfoil-bench -p counterfoil
	@mkdir -p target

build: ## Install what compiling needs, then leave the programs in bin/. 10 to 20 minutes cold, seconds warm
	@scripts/install build
	$(cargo) build --release --workspace
	@mkdir -p bin
	@install -m 755 "$(CARGO_TARGET_DIR)/release/counterfoil" bin/counterfoil
	@$(MAKE) --no-print-directory verifier

verifier: ## Build the auditor's program alone, linked statically: it needs nothing but Rust and cc. 2 minutes cold
	CARGO_INCREMENTAL=0 cargo rustc --release --locked -p counterfoil-verify-cli --target-dir "$(CARGO_TARGET_DIR)/verifier" -- -C target-feature=+crt-static
	@mkdir -p bin
	@install -m 755 "$(CARGO_TARGET_DIR)/verifier/release/counterfoil-verify" bin/counterfoil-verify

dist: ## As build, and a fifth faster: optimised across crates, as what is handed out should be. 5 minutes more, warm too
	@scripts/install build
	$(cargo) build --profile dist
	@mkdir -p bin
	@install -m 755 "$(CARGO_TARGET_DIR)/dist/counterfoil" bin/counterfoil
	@$(MAKE) --no-print-directory verifier

lint: ## Install the checkers, then check format, clippy, licences, protos, types, tidiness. 30 minutes cold, a minute warm
	@scripts/install build
	@scripts/install lint
	@scripts/lint

fmt: ## Format the Rust sources. Seconds
	cargo fmt --all

clean: ## Delete bin/, target/ and what cargo built; keep the RocksDB library and the checkers. Seconds
	rm -rf bin target verify-ts/dist "$(CARGO_TARGET_DIR)"
