# Every step of the gate is a target of its own, so that make names the one
# that fails.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
PLATFORMS   := linux/arm64 darwin/arm64 darwin/amd64 windows/amd64
MODULES     := $(sort $(dir ./go.mod $(shell find . -name go.mod -not -path '*/.*')))
BENCHSTAT   := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
FUZZTIME    := 30s
BENCH       := .
COUNT       := 10
SOAK        := 1h
TORCH       := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rnnkit/torch

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help build test check generate licences interop goldens corpus bench bench-torch fuzz lab prometheus soak clean
.PHONY: runtime torch format vet staticcheck workflows vulnerabilities tidy licensed generated cross nocgo variants race

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile

build: ## build bin/rnnkit
	go build -o bin/rnnkit ./cmd/rnnkit

test: runtime ## get ONNX Runtime and run all tests
	scripts/test.sh

check: format vet staticcheck workflows vulnerabilities tidy licensed generated cross nocgo variants race ## run every other check, the slow tests left out

generate: ## write the generated code anew
	go generate ./...

licences: ## write docs/licences.md, the licences of all dependencies
	mkdir -p bin
	go -C scripts/licences run . >bin/licences.md
	mv bin/licences.md docs/licences.md

interop: build .venv/requirements.txt scripts/interop/js/node_modules/.package-lock.json ## compare exported models with Python's onnx and onnxruntime, onnxruntime-node and -web
	rm -rf bin/interop
	mkdir -p bin/interop
	bin/rnnkit train sine -o bin/interop/sine.onnx
	bin/rnnkit export bin/interop/sine.onnx -o bin/interop/sine_steps.onnx --state input
	bin/rnnkit train chars --epochs 3 -o bin/interop/chars.onnx
	bin/rnnkit data sine > bin/interop/series.csv
	bin/rnnkit train forecast --data bin/interop/series.csv --updates 50 -o bin/interop/direct.onnx
	cp export/testdata/optional_state_*.onnx bin/interop
	go run ./scripts/interop bin/interop
	.venv/bin/python scripts/interop/interop.py bin/interop
	node scripts/interop/js/main.mjs bin/interop

goldens: torch ## write the answers of PyTorch, NumPy, pyarrow, scikit-learn and statsforecast, which tests compare with, anew (a large download)
	$(TORCH)/bin/python trainer/testdata/torch/golden.py
	$(TORCH)/bin/python trainer/testdata/torch/direct.py
	$(TORCH)/bin/python export/testdata/torch_params.py
	$(TORCH)/bin/python cmd/rnnkit/internal/pca/testdata/golden.py
	$(TORCH)/bin/python cmd/rnnkit/internal/repair/testdata/torch_baked.py
	$(TORCH)/bin/python internal/npy/testdata/golden.py
	$(TORCH)/bin/python internal/baselines/testdata/golden.py
	$(TORCH)/bin/python internal/metrics/testdata/golden.py
	$(TORCH)/bin/python models/testdata/frequency.py
	$(TORCH)/bin/python datasets/testdata/panel.py
	$(TORCH)/bin/python cmd/rnnkit/internal/tablefile/testdata/golden.py

corpus: build torch .venv/requirements.txt ## tell what repair makes of 260 exports of PyTorch (a large download)
	$(TORCH)/bin/python cmd/rnnkit/internal/repair/testdata/corpus_torch.py bin/corpus
	.venv/bin/python cmd/rnnkit/internal/repair/testdata/corpus_score.py bin/rnnkit bin/corpus

bench: SHELL := /bin/bash -o pipefail
bench: ## time an epoch of every workload, COUNT=10 times on 1 and 2 threads
	mkdir -p bin
	go test -run '^$$' -bench '$(BENCH)' -cpu 1,2 -count $(COUNT) -timeout 0 ./bench | tee bin/bench.txt
	go run $(BENCHSTAT) bin/bench.txt

bench-torch: torch ## train the same workloads with PyTorch and compare; flags in ARGS (a large download)
	go build -o bin/bench ./bench
	$(TORCH)/bin/python bench/torch/compare.py $(ARGS)

fuzz: ## run every fuzz target, each for FUZZTIME=30s
	scripts/fuzz.sh $(FUZZTIME)

lab: ## train every preset with ten seeds, and fail unless all claims hold and docs/notebook.md has their figures
	go run ./cmd/rnnkit lab -o bin/lab
	RNNKIT_LAB=$(CURDIR)/bin/lab go test -count 1 -run '^TestPublished$$' ./cmd/rnnkit/internal/lab

prometheus: build ## run Prometheus, Debian's package, around examples/prometheus and rnnkit detect
	scripts/prometheus.sh
	RNNKIT_REQUIRE_PROMETHEUS=1 go test -count 1 -v ./examples/prometheus

soak: ## put load on examples/service for SOAK=1h, and swap its model every second
	RNNKIT_SOAK=$(SOAK) go test -count 1 -timeout 0 -run '^TestSoak$$' -v ./examples/service

clean: ## remove what make has built
	rm -rf bin .venv scripts/interop/js/node_modules

# If ONNX Runtime cannot be had (offline, no cgo) the tests that need it skip, unless
# RNNKIT_REQUIRE_ORT=1 insists on it.
runtime:
	go run ./cmd/rnnkit runtime install || \
		{ test "$$RNNKIT_REQUIRE_ORT" != 1 && echo "no ONNX Runtime: the tests that need it will skip"; }

torch:
	python3 -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --requirement scripts/goldens.txt

format:
	scripts/format.sh

vet:
	for m in $(MODULES); do go -C $$m vet ./... || exit; done

staticcheck:
	for m in $(MODULES); do go -C $$m run $(STATICCHECK) ./... || exit; done

# Without shellcheck and pyflakes, which not every machine has.
workflows:
	go run $(ACTIONLINT) -shellcheck= -pyflakes= .github/workflows/*.yml

vulnerabilities:
	scripts/vulnerabilities.sh $(GOVULNCHECK) $(MODULES)

tidy:
	for m in $(MODULES); do go -C $$m mod tidy -diff || exit; done

licensed:
	go -C scripts/licences run . | diff docs/licences.md - || \
		{ echo "docs/licences.md is out of date: run make licences, and commit it" >&2; exit 1; }

generated:
	scripts/generated.sh

cross:
	for p in $(PLATFORMS); do \
		echo "vet for $$p"; \
		for m in $(MODULES); do \
			CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go -C $$m vet ./... || exit; \
		done || exit; \
	done

# Only ONNX Runtime needs cgo, and nothing else can differ without it.
nocgo:
	for m in $(MODULES); do CGO_ENABLED=0 go -C $$m build -o /dev/null ./... || exit; done
	CGO_ENABLED=0 RNNKIT_REQUIRE_ORT= scripts/test.sh -using infer/ort -short

# Every variant of the kernels that a processor may choose. A build with the tag purego
# has the loops of the variant generic and no others.
variants: runtime
	for v in avx2 generic; do RNNKIT_KERNELS=$$v scripts/test.sh -using internal/kernels -short || exit; done
	go vet -tags purego ./...
	go test -short -tags purego ./internal/kernels ./internal/cell ./bench

# With -race a training takes twenty times as long.
race: runtime
	CGO_ENABLED=1 scripts/test.sh -race -short -skip '^Example|^TestScripts/(sine|same_bytes|lab|kinds|forecast_files)$$'

scripts/interop/js/node_modules/.package-lock.json: scripts/interop/js/package-lock.json
	npm --prefix scripts/interop/js ci --no-progress

.venv/requirements.txt: scripts/interop/requirements.txt
	python3 -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --requirement $<
	cp $< $@
