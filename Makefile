# `make` says what there is. Nothing here is needed to build or run: that takes Go alone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

FUZZTIME ?= 30s
ROUNDS ?= 200
SECONDS_EACH ?= 60
SCALAR ?= 1.46.4
GOLANGCI := go tool -modfile=tools/golangci/go.mod golangci-lint
REDOCLY := tools/npm/node_modules/.bin/redocly

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## a shop in motion on http://127.0.0.1:8080
	go run ./cmd/emporium serve --demo

.PHONY: test
test: ## all tests
	go test ./...

.PHONY: race
race: ## all tests under the race detector
	go test -race ./...

.PHONY: durability
durability: ## kill and restart the program ROUNDS times under load (200)
	EMPORIUM_TEST_ROUNDS=$(ROUNDS) go test -count=1 -timeout=120m -run 'Durab|Kill' ./...

.PHONY: faults
faults: ## take away servers and processes under load, each for SECONDS_EACH (60)
	EMPORIUM_TEST_FAULTS_SECONDS=$(SECONDS_EACH) go test -count=1 -timeout=120m -v ./internal/app/faulttest | grep -E '^ .*\| |^(---|ok|FAIL)'

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s) each
	tools/fuzz $(FUZZTIME)

.PHONY: bench
bench: ## the measurements of docs/benchmarks.md
	go -C bench run .

.PHONY: lint
lint: tools/npm/node_modules ## go vet, golangci-lint, and redocly on openapi.yaml
	go vet ./...
	$(GOLANGCI) run ./...
	REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(REDOCLY) lint --config redocly.yaml openapi.yaml

.PHONY: fmt
fmt: ## format the code as lint wants it
	$(GOLANGCI) fmt ./...

.PHONY: golden
golden: ## renew the goldens: openapi.yaml, generated docs, answers under testdata/
	tools/goldens

.PHONY: scalar
scalar: ## fetch version SCALAR of the API reference page from npm
	tools/scalar $(SCALAR)

.PHONY: check
check: ## everything that CI checks
	.ci/run

tools/npm/node_modules: tools/npm/package-lock.json
	npm ci --prefix tools/npm --no-audit --no-fund
	@touch $@
