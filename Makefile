# Outcry: build, test, lint, run, dist. `make help` lists everything.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO        ?= go
FUZZTIME  ?= 10s

# Loading the embedded engine needs the system's dynamic linker; without the
# engine (the tag noengine) the binary is static, for servers and containers.
# Neither needs a C compiler, and both are the same whoever builds them.
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
TARGETS := linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 linux-amd64-noengine linux-arm64-noengine

# golangci-lint bundles staticcheck, depguard and the others of .golangci.yml;
# it is built once (two minutes on two cores) and kept under its version.
LINTER_VERSION := v2.15.0
LINTER         := bin/tools/golangci-lint-$(LINTER_VERSION)

.PHONY: help build run test lint dist setup test-race test-kafka test-browser test-clients test-ops fuzz bench check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/outcry, with the version stamped in
	@mkdir -p bin
	$(BUILD) -o bin/outcry ./cmd/outcry

setup: build ## fetch the embedded ClickHouse engine, once for this user
	bin/outcry setup

run: setup ## everything in one process tree, playing the demo
	bin/outcry run --demo

test: setup ## unit, whole-pipeline and crash tests
	OUTCRY_TEST_ENGINE=required OUTCRY_TEST_SLOW=1 $(GO) test -timeout 15m ./...

test-race: setup ## the same under the race detector (needs a C compiler)
	OUTCRY_TEST_ENGINE=required CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

test-kafka: setup ## bus and pipeline against a real Apache Kafka (OUTCRY_TEST_KAFKA, or Maven and Java 17)
	@# One package at a time: some of them take the broker away.
	OUTCRY_TEST_ENGINE=required OUTCRY_TEST_SLOW=1 test/kafka/run.sh $(GO) test -p 1 -timeout 15m ./bus/... ./test/...

test-browser: ## the board in a real browser (Chromium and npm)
	npm ci --prefix test/browser --no-audit --no-fund
	npm test --prefix test/browser

test-clients: setup ## the engine's HTTP interface with clients of others (Python 3.10 with venv and pip, curl)
	test/clients/run.sh

test-ops: ## the files for Prometheus and Alertmanager with their own tools (promtool, amtool, alertmanager, curl)
	test/ops/run.sh

fuzz: ## every fuzz test for FUZZTIME (10s)
	@grep -rlE '^func Fuzz' --include='*_test.go' . | while read -r file; do \
	  for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]+)\(.*/\1/p' "$$file"); do \
	    echo "== $$(dirname "$$file") $$name"; \
	    $(GO) test "$$(dirname "$$file")" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) </dev/null; \
	  done; \
	done

$(LINTER):
	@mkdir -p $(@D)
	GOBIN=$(CURDIR)/$(@D) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER_VERSION)
	@mv $(@D)/golangci-lint $@

lint: $(LINTER) ## format, vet, staticcheck, direction of imports, shell scripts
	$(GO) vet ./...
	$(LINTER) run ./...
	@if command -v shellcheck >/dev/null; then shellcheck $$(git ls-files '*.sh' .ci/run); \
	  else echo "shellcheck is not installed: shell scripts not checked"; fi

bench: setup ## the whole pipeline on this machine
	bin/outcry bench

check: build ## is configs/outcry.yaml right?
	bin/outcry check --config configs/outcry.yaml

dist: ## a tarball for each platform, with checksums
	@rm -rf dist && mkdir -p dist
	@for target in $(TARGETS); do \
	  IFS=- read -r os arch tags <<<"$$target"; \
	  name="outcry-$(VERSION)-$$target"; \
	  echo "$$name"; \
	  mkdir -p "dist/$$name"; \
	  GOOS=$$os GOARCH=$$arch $(BUILD) -tags "$$tags" -o "dist/$$name/outcry" ./cmd/outcry; \
	  cp -R README.md docs configs "dist/$$name/"; \
	  rm -f "dist/$$name"/configs/*.go; \
	  tar -C dist --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -czf "dist/$$name.tar.gz" "$$name"; \
	  rm -r "dist/$$name"; \
	done
	@cd dist && sha256sum -- *.tar.gz >SHA256SUMS && cat SHA256SUMS

clean: ## remove what the build made; data stays
	rm -rf bin dist
