# The commands of this project. `make demo` and `make test` need nothing but Debian, Rust, git and make.

# Options for the demo, e.g. make demo DEMO="--items 48"
DEMO ?=

.PHONY: help demo test bench lint format build release deny

help: ## Show this list.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

demo: ## Everything on this machine: release, service, worker, three real models, board at a printed address.
	@deploy/setup demo
	@cargo build --locked -p ffasr
	@target/debug/ffasr demo $(DEMO)

test: ## Format, lints, all tests over the real parts.
	@deploy/setup test
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo nextest run --locked --workspace

bench: ## Speed beside the tools in use elsewhere, one line a room (BENCH_LARGE=1 adds what needs 8 GB).
	@deploy/bench/run scoring throughput
	@deploy/bench/run acoustics wave hybrid image_source
	@deploy/bench/run scene render
	@deploy/bench/run store queue
	@deploy/bench/run sandbox overhead
	@deploy/bench/run web board

lint: ## Format and lints alone.
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

format: ## Bring the code into its format.
	cargo fmt --all

build: ## A development build.
	cargo build --locked --workspace

release: ## An optimised build.
	cargo build --locked --release -p ffasr

deny: ## Licences, sources and duplicates of all dependencies (needs cargo-deny).
	cargo deny --locked check licenses bans sources
