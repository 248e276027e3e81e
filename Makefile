# Two commands for everybody: make demo, make test. One more for those who change something: make check.

PYTHON ?= python3
BIN := .venv/bin
BUILT_FROM := pyproject.toml setup.py native/build.py $(wildcard native/*.[ch])
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
C_WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Werror
C_SOURCES := $(wildcard native/*.c)
export PYTHON

.PHONY: help venv demo test check static c fuzz fuzz-awake fuzz-codec fuzz-rooms sizes golden mutants coverage spoil estimators crashes golden-arch bench guard guard-mutants elm-emulator hil hil-awake hil-qemu hil-shifted soak endurance rabbitmq fleet-demo fleet-rabbitmq powercut powercut-awake powercut-block powercut-flash deb deb-test arm clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help: ## these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: .venv/.has-check ## the environment in .venv, with every tool

demo: .venv/.has-demo ## a simulated car, the agent and a broker, live, in about a minute
	@$(BIN)/python -m hil.demo $(ARGS)

test: .venv/.has-test ## every test; ARGS are pytest's, as in make test ARGS='-k trip'
	@sh .ci/need tests
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

check: static test ## format, lint, types, C warnings, static analysis, tests

static: .venv/.has-check c ## all of that without the tests
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

c: ## the part of it that is about C
	gcc -std=c11 -O2 $(C_WARNINGS) -fsyntax-only $(C_SOURCES)
	@set -e; for file in $(C_SOURCES); do gcc -std=c11 -O2 -fanalyzer -Werror -c -o /dev/null $$file; done; echo "gcc -fanalyzer: clean"
	@if command -v cppcheck >/dev/null; then cppcheck -q --std=c11 --enable=warning,portability,performance \
	    --inline-suppr --error-exitcode=1 native && echo "cppcheck: clean"; else echo "cppcheck: not installed"; fi

fuzz: .venv/.has-test ## fuzz the core with clang's libFuzzer for FUZZ_S seconds (60)
	@$(BIN)/python -m tests.native.fuzz run $(or $(FUZZ_S),60)

fuzz-awake: .venv/.has-test ## plant bugs in a copy of the core: the fuzzer finds each within FUZZ_S seconds (60)
	@$(BIN)/python -m tests.native.fuzz awake $(or $(FUZZ_S),60)

fuzz-codec: .venv/.has-test ## damage FUZZ bodies and records (1000000): nothing but a CodecError may come (15 min)
	@nice $(BIN)/python -m tests.fuzz_codec $(or $(FUZZ),1000000)

fuzz-rooms: .venv/.has-test ## spoilt bytes, FUZZ for each room that reads what strangers wrote (1000000; 15 min)
	@nice $(BIN)/python -m tests.fuzz_rooms $(or $(FUZZ),1000000)

sizes: .venv/.has-test ## what an hour of samples costs, exact and bounded, beside JSON, msgpack and deflate (1 min)
	@nice $(BIN)/python -m tests.sample_sizes

spoil: .venv/.has-test ## spoil SPOIL descriptions of a bus (2000): each loads, or is refused in one line
	@nice $(BIN)/python -m tests.mutations $(or $(SPOIL),2000)

golden: .venv/.has-test ## write what the golden drives are expected to give anew: look at the difference
	@$(BIN)/python -m tests.golden_drives && $(BIN)/python -m tests.native.fuzz hear
	@$(BIN)/python -m hil run all --place process --write

mutants: .venv/.has-test ## change the core in one place at a time: does a test notice? 400 places, ALL=1: every one
	@$(BIN)/python -m tests.native.mutants $(if $(ALL),--all) $(ARGS)

coverage: .venv/.has-test ## lines and branches of the core that the tests reach, by gcov
	@$(BIN)/python -m tests.native.coverage

estimators: .venv/.has-test ## acceleration from speed: candidates against the open recordings, a table (2 min)
	@nice $(BIN)/python -m tests.native.estimators

crashes: .venv/.has-test ## every crash pulse, rate, range, side, mounting and speed signal: each found once, as it was (5 min)
	@nice $(BIN)/python -m tests.native.crashes

golden-arch: .venv/.has-test ## golden drives on x86-64, aarch64 and armhf (qemu), whole and frame by frame: the same bytes?
	@sh .ci/need golden-arch
	@nice $(BIN)/python -m tests.native.golden_arch

bench: .venv/.has-test ## what core, reader, daemon and replay cost, into out/bench.json; ARGS: core python replay daemon (4 min)
	@sh .ci/need bench
	@$(BIN)/python -m tests.native.bench $(ARGS)

guard: .venv/.has-test ## the transmit guard on every identifier with every beginning of a frame (10 min)
	@nice $(BIN)/python -m tests.native.guard_prove

guard-mutants: .venv/.has-test ## change the guard in one place at a time: does a test notice? (20 min)
	@nice $(BIN)/python -m tests.native.guard_mutants $(ARGS)

elm-emulator: .venv/.has-test ## the ELM327 driver against ELM327-emulator, in an environment of its own (non-commercial licence)
	@$(BIN)/python -m tests.elm_emulator

hil: .venv/.has-test ## every scenario of the bench where it can run, into out/hil.xml (10 min); ARGS as in python -m hil run
	@sh .ci/need tests
	@mkdir -p out
	@$(BIN)/python -m hil run all --junit out/hil.xml $(ARGS)

hil-awake: .venv/.has-test ## plant a defect for each fault of the bench: does it turn red? (10 min)
	@$(BIN)/python -m tests.hil_defects $(ARGS)

hil-qemu: .venv/.has-test ## drivers and scenarios on real controllers, emulated in QEMU (5 min)
	@sh .ci/need qemu
	@$(BIN)/python -m hil.places.qemu_kernel
	@mkdir -p out
	@$(BIN)/python -m tests.in_qemu
	@$(BIN)/python -m hil run controller-asks controller-drive controller-quiet --junit out/hil-qemu.xml

hil-shifted: .venv/.has-test ## every fault at another time of its drive: counts and conservation hold (10 min)
	@sh .ci/need tests
	@$(BIN)/python -m tests.hil_shifted $(ARGS)

soak: .venv/.has-test ## full buses for SOAK_MIN minutes (60): nothing lost, memory flat, latency as a histogram
	@sh .ci/need tests
	@$(BIN)/python -m hil soak --minutes $(or $(SOAK_MIN),60) $(ARGS)

endurance: .venv/.has-test ## weeks offline in a minute: what fits, what goes, how long it takes to tell it all
	@nice $(BIN)/python -m tests.endurance

fleet-demo: .venv/.has-test ## 200 terminals for a minute, a receiver and the broker killed: each record once in PostgreSQL
	@sh .ci/need tests
	@$(BIN)/python -m hil fleet --terminals 200 --minutes 1 --rate 500 --kill 1@15 --kill broker@20 --forge 20 $(ARGS)

fleet-rabbitmq: .venv/.has-test ## the same with three nodes of RabbitMQ, one of them killed (3 min; needs Debian's rabbitmq-server)
	@$(BIN)/python -m hil fleet --engine rabbitmq --terminals 200 --minutes 1 --rate 300 --kill node2@15 --kill 1@25 --forge 20 $(ARGS)

rabbitmq: .venv/.has-test ## daemon, receiver and terminals' permissions against RabbitMQ (2 min; needs Debian's rabbitmq-server)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m tests.rabbitmq

powercut: .venv/.has-test ## the power goes 11400 times: at any writing call, at any write of the disk (15 min); ARGS as --seed 2
	@sh .ci/need tests
	@mkdir -p out
	@nice $(BIN)/python -m tests.powercut --json out/powercut.json $(ARGS)

powercut-awake: .venv/.has-test ## plant defects in the agent: does a power cut show each?
	@$(BIN)/python -m tests.powercut_defects $(ARGS)

powercut-flash: .venv/.has-test ## the power goes at every call with which a bundle comes into force; ARGS as --cuts 100
	@nice $(BIN)/python -m tests.powercut_flash $(ARGS)

powercut-block: .venv/.has-test ## power cuts at any write of the disk, thousands, in a kernel that comes along (5 min)
	@sh .ci/need tests
	@mkdir -p out
	@nice $(BIN)/python -m tests.power_cuts $(ARGS)

deb: ## Debian packages for this machine's architecture, into out/ (2 min)
	@sh .ci/need build
	@sh config/debian/build

deb-test: .venv/.has-test ## the packages built twice, then installed, used, upgraded and purged in a Debian of their own (root; 6 min)
	@sh .ci/need deb
	@nice $(BIN)/python -m tests.debian

arm: .venv/.has-test ## the agent on aarch64 and armhf, emulated: tests, the bench on a board, footprint (root; 15 min); ARGS: tests system footprint
	@sh .ci/need arm
	@nice $(BIN)/python -m tests.arm $(ARGS)

clean: ## remove what was made here
	rm -rf .venv build out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f agent/_core.c agent/*.so drivers/_*.c drivers/*.so
	find . -name __pycache__ -prune -exec rm -rf {} +

# One environment; each stamp says which extras are in it. It is filled again when what it is built from changes.
.venv/.has-demo: EXTRAS := demo
.venv/.has-test: EXTRAS := demo test
.venv/.has-check: EXTRAS := demo test check

.venv/.has-%: $(BUILT_FROM) | $(BIN)/python
	@echo "installing tbox with the extras $(EXTRAS) into .venv"
	@$(PIP) $(foreach extra,$(EXTRAS),-e '.[$(extra)]')
	@touch $(EXTRAS:%=.venv/.has-%)

$(BIN)/python:
	@sh .ci/need build
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
