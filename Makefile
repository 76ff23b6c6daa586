# make run     build, make a trial call, go on serving until interrupted
# make demo    build, make a trial call, print the conversation; the call's exit code
# make test    everything that must hold before a change lands
# make bench   gaps, delays, processor time and memory, printed
# make bench-callers   200 turns of the simulated callers with one call and with five, SECONDS (240) of each
#                at a time; says how many it has and goes on from there when called again
# make nightly  calls of twenty minutes and of two, and two hundred power cuts of the database and of the program
# make fuzz-smoke  every parser and state machine under libFuzzer, EACH (60) seconds of each
# make train-test   train the starter model at a twentieth of its size and see that it hears sentences
# make install  the program, its units, users, folders and rules of devices (PREFIX, DESTDIR); a configuration
#                that is there stays
# make deb      a Debian package, target/deb/attendant_VERSION_ARCH.deb (ARCH=arm64: for that, also from another machine)
# make deb-test  installs, calls, upgrades and removes it under systemd in a clean Debian 12 and a clean Debian 13
# make arm64-test  a call between two programs for arm64, in QEMU where this machine is another one
# make licences  all that is linked in: licences with their texts, and a bill of materials (CycloneDX)
# make image   a disk image for x86-64, in target/image/out: VERSION, UPDATE_URL, UPDATE_KEY; image/README.md explains
# make image-test   starts it in a machine of software, calls it, updates it, damages it, cuts its power CUTS (20) times
# make lint    format, clippy, documentation, licences and advisories
# make deps    install the Debian packages that are missing

export GGML_NATIVE ?= OFF

.PHONY: run demo test bench bench-callers nightly fuzz-smoke train-test install uninstall lint deps test-deps build fmt clippy \
	doc deny deb deb-test arm64-test licences image image-nvidia image-test image-again

run: build
	tools/demo --serve

demo: build
	tools/demo

# With CI set a test whose tools are missing fails instead of being left out.
test: test-deps fmt clippy doc
	CI=1 tools/test

bench: test-deps
	cargo bench --locked --bench figures

SECONDS ?= 240

bench-callers: test-deps
	cargo bench --locked --bench figures -- callers seconds=$(SECONDS) \
		keep=$(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/callers.jsonl

nightly: test-deps
	CI=1 cargo test --locked --test long_call --test baresip --test systemd -- --ignored --nocapture
	cargo test --locked --test power_cut two_hundred -- --ignored --nocapture
	cargo test --locked --test power_cut_whole two_hundred -- --ignored --nocapture
	$(MAKE) deb-test arm64-test

EACH ?= 60

fuzz-smoke: deps
	tools/fuzz smoke $(EACH)

# Not a part of `test`: it fetches PyTorch and trains for ten minutes. The voices besides espeak-ng and
# flite may be missing; models/train/README.md names them.
train-test: test-deps
	@tools/deps train
	cargo test --locked --test training -- --ignored --nocapture

PREFIX ?= /usr
UNITS = $(PREFIX)/lib/systemd/system
TARGET = $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
PROGRAM = $(TARGET)/release/attendant
# What carries out PROGRAM where it is for another machine than this.
EMULATOR =
LICENCES = $(TARGET)/licences

# Builds nothing, so that it can be run as root after `make build`. The units name /usr/bin: another PREFIX is written
# into them.
install:
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/attendant
	install -d $(DESTDIR)$(UNITS)
	for unit in systemd/*.service systemd/*.socket systemd/*.target; do \
		sed 's|/usr/bin/attendant|$(PREFIX)/bin/attendant|' $$unit >$(DESTDIR)$(UNITS)/$${unit##*/} && \
		chmod 644 $(DESTDIR)$(UNITS)/$${unit##*/} || exit 1; \
	done
	install -D -m 644 systemd/sysusers.d/attendant.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/attendant.conf
	install -D -m 644 systemd/tmpfiles.d/attendant.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/attendant.conf
	install -D -m 644 systemd/system.conf.d/attendant-watchdog.conf \
		$(DESTDIR)$(PREFIX)/lib/systemd/system.conf.d/attendant-watchdog.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/udev/rules.d udev/*.rules
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/attendant README.md attendant.toml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/attendant/attendant.service.d systemd/attendant.service.d/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/attendant/attendant-speech.service.d \
		systemd/attendant-speech.service.d/*
	umask 022 && $(EMULATOR) $(PROGRAM) manual $(DESTDIR)$(PREFIX)/share/man
	if test -d $(LICENCES); then install -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/attendant $(LICENCES)/*; fi
	test -e $(DESTDIR)/etc/attendant/attendant.toml || \
		install -D -m 660 attendant.toml $(DESTDIR)/etc/attendant/attendant.toml
# On the machine itself the users and folders are made at once, and systemd reads its units.
ifeq ($(DESTDIR),)
	systemd-sysusers $(PREFIX)/lib/sysusers.d/attendant.conf
	systemd-tmpfiles --create $(PREFIX)/lib/tmpfiles.d/attendant.conf
	chgrp -R attendant /etc/attendant/attendant.toml
	if test -d /run/systemd/system; then systemctl daemon-reload; udevadm control --reload || true; fi
endif

# Leaves the configuration, the secrets, and what the box has kept. Rules of earlier versions go, too.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/attendant $(DESTDIR)$(UNITS)/attendant*.service $(DESTDIR)$(UNITS)/attendant*.socket \
		$(DESTDIR)$(UNITS)/attendant.target $(DESTDIR)$(PREFIX)/lib/sysusers.d/attendant.conf \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/attendant.conf \
		$(DESTDIR)$(PREFIX)/lib/systemd/system.conf.d/attendant-watchdog.conf \
		$(DESTDIR)$(PREFIX)/lib/udev/rules.d/7[0-2]-attendant-*.rules \
		$(DESTDIR)$(PREFIX)/share/man/man1/attendant.1 $(DESTDIR)$(PREFIX)/share/man/man1/attendant-*.1 \
		$(DESTDIR)$(PREFIX)/share/man/man5/attendant.toml.5
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/attendant

ARCH ?= $(shell dpkg --print-architecture)
ifeq ($(ARCH),$(shell dpkg --print-architecture))
BUILT = $(PROGRAM)
deb: build
else
BUILT = $(TARGET)/$(ARCH)/aarch64-unknown-linux-gnu/release/attendant
deb: cross
endif

deb: licences
	@tools/deps deb
	tools/deb $(BUILT) $(TARGET)/deb $(ARCH)

.PHONY: cross
cross: deps
	@tools/deps arm64
	tools/cross build

licences:
	@tools/deps licences
	tools/licences $(LICENCES)

# What is packed and tried: the program of `make build`, or another that is there, as
# PACKAGED_PROGRAM=target/debug/attendant.
PACKAGED_PROGRAM ?=
deb-test: test-deps $(if $(PACKAGED_PROGRAM),,build)
	@tools/deps trees
	CI=1 PACKAGED_PROGRAM=$(abspath $(or $(PACKAGED_PROGRAM),$(PROGRAM))) cargo test --locked --test package_systemd -- --ignored --nocapture

arm64-test: test-deps cross
	cargo test --locked --test arm64 -- --ignored --nocapture

VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
UPDATE_URL ?=
# Folders with more of the image, as image/luks.
IMAGE_WITH ?=
UPDATE_KEY ?= build/update-key/public.gpg
IMAGE = image/build --program $(PROGRAM) --update-key $(UPDATE_KEY)

# The program is built as whoever calls this; the image as root, with files of other users.
image: build
	$(IMAGE) --version $(VERSION) --update-url "$(UPDATE_URL)" $(IMAGE_WITH:%=--include %)

# With NVIDIA's driver and CUDA, where the CUDA toolkit is installed here and apt has the component non-free.
image-nvidia: deps
	cargo build --locked --release --features cuda
	$(IMAGE) --version $(VERSION) --update-url "$(UPDATE_URL)" --include image/nvidia --root-mib 3072 \
		--components "main contrib non-free non-free-firmware"

# Three versions signed by a key of the test's own, the third of which has a program that does not work.
CUTS ?= 20
TRIAL = target/image/versions
TRIAL_KEY = target/image/trial-key/public.gpg
image-test: build image-versions
	image/test/run --cuts $(CUTS) --program $(PROGRAM) $(TRIAL)/attendant_1.raw $(TRIAL)/update-2 $(TRIAL)/update-3

.PHONY: image-versions
image-versions:
	$(IMAGE) --update-key $(TRIAL_KEY) --tries 1 --output $(TRIAL) --version 3 --include image/test/poison
	$(IMAGE) --update-key $(TRIAL_KEY) --tries 1 --output $(TRIAL) --version 2
	$(IMAGE) --update-key $(TRIAL_KEY) --tries 1 --output $(TRIAL) --version 1
	rm -f $(TRIAL)/attendant_[23].raw $(TRIAL)/attendant_[23].efi

# The same root from the same packages, made twice with nothing kept between.
image-again:
	image/test/again --program $(PROGRAM)

lint: deps fmt clippy doc deny

deps:
	@tools/deps

test-deps:
	@tools/deps test

build: deps
	cargo build --locked --release

fmt:
	cargo fmt --check

clippy:
	cargo clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items

# cargo-deny takes minutes to build, so it is used where it is installed.
deny:
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked --all-features check; \
	else echo "cargo-deny is not installed; 'cargo install --locked cargo-deny' gives it"; fi
