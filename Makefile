# The commands that people, README and CI use. Nothing here needs more than Rust and a C compiler, but for `lint`,
# which installs cargo-deny where it is missing, and `test`, which installs and starts a real PostgreSQL, Kafka and Redis.

CARGO ?= cargo

DRILLS := $(addprefix drill-,breaker rent-dead delivery-down overload disk-full slow-client)
# How often drill-kill kills, in each of the two wirings.
KILLS ?= 30
# How many seeds simulate runs; with SEED that one only.
SEEDS ?= 10000
SEED ?=

MANY := --release --features distributed --target-dir target/distributed

.PHONY: run test lint bench bench-distributed model simulate fmt up down status drill-kill $(DRILLS)

run: ## Run the library on this machine
	$(CARGO) run --release

test: release ## Run every test; the killing and the README tests drive the release binary
	$(CARGO) test --workspace --all-features --lib --bins --tests

release:
	$(CARGO) build --release -p rentalbook

lint: ## What CI checks beside the tests
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --all-features --no-deps --document-private-items
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check bans licenses sources

bench: release ## Measure against baselines of the same run: a table and bench/results/latest.json
	$(CARGO) run --release -p bench -- run

bench-distributed: ## Measure the library over many processes, on a real PostgreSQL, Kafka and Redis
	$(CARGO) build $(MANY) -p rentalbook
	$(CARGO) run $(MANY) -p bench -- distributed

$(DRILLS): drill-%: release ## Take something away from a library under load, and print what came of it
	$(CARGO) run --release -p bench -- drill $*

simulate: ## Run the application on real stores with faults between all of its steps, from SEEDS seeds, or from the one of SEED
	SEEDS=$(SEEDS) $(if $(SEED),SEED=$(SEED)) $(CARGO) test -p rentalbook --all-features --test main model::simulation -- --nocapture

drill-kill: release ## Kill processes at random moments, KILLS times in each of the two wirings, and print a table for each
	RENTALBOOK_KILLS=$(KILLS) $(CARGO) test -p rentalbook --all-features --test main -- --nocapture --test-threads 1 \
		the_program_is_killed_at_random_moments any_of_nine_processes_is_killed

model: ## Check the process of one order in every sequence: all configurations, as a table
	nice -n 10 $(CARGO) run -p model

up: ## Start the library as many processes, on a real PostgreSQL, Kafka and Redis
	scripts/library.sh up

down: ## Stop them; what they have kept stays
	scripts/library.sh down

status: ## What of them runs where
	scripts/library.sh status

fmt:
	$(CARGO) fmt --all
