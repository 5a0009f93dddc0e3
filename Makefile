# exeat: GNU make. "make help" lists the targets; everything is built below $(BUILD), nothing elsewhere.
#
# Variables for the command line: BUILD, CC, CFLAGS, LDFLAGS, PREFIX, DESTDIR, WERROR= (warnings stay warnings), SANITIZE=address,undefined,
# V=1 (whole command lines).
# The lists of sources are read from the folders; the libraries are asked for only when a recipe runs, so that "make deps" works first.
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
DATE    := 2026-11-22
PYTHON  ?= $(firstword $(wildcard /usr/bin/python3) python3)
CLANG   ?= clang-14
ifeq ($(origin CC),default)
CC := gcc
endif

.DEFAULT_GOAL := all
Q = $(if $(V),,@)
say = $(if $(V),@:,@echo '  $(1)  $(patsubst $(CURDIR)/%,%,$@)')

# --- Packages (Debian and Ubuntu names; a|b: either will do; tests/deps installs what is missing and says what to do elsewhere) ------

DEPS_BUILD    := gcc libc6-dev pkg-config libuv1-dev libssl-dev libjansson-dev libkrb5-dev libsecret-1-dev libcrypt-dev gss-ntlmssp gss-ntlmssp-dev libseccomp-dev
DEPS_PAC      := libjavascriptcoregtk-4.1-dev
DEPS_TRAY     := libdbusmenu-glib-dev libglib2.0-dev libjansson-dev
DEPS_RUN      := curl
DEPS_TEST     := python3 openssl libcmocka-dev libhttp-parser-dev squid-openssl curl git npm openssh-client openssh-server util-linux dbus-daemon gnome-keyring libsecret-tools \
                 libglib2.0-bin gsettings-desktop-schemas dconf-gsettings-backend patch \
                 man-db mandoc zsh fish $(DEPS_PAC) $(DEPS_TRAY) python3-gi python3-prometheus-client \
                 xvfb xfce4-panel openbox xdotool imagemagick librsvg2-common adwaita-icon-theme \
                 dconf-cli pinentry-tty pinentry-curses pinentry-gtk2
DEPS_REALM     = $(shell sed -e 's/\#.*//' tests/realm/packages.txt 2>/dev/null)
DEPS_LINT     := python3 clang-format-14 clang-tidy-14 cppcheck shellcheck
DEPS_FUZZ     := clang-14 libclang-rt-14-dev
DEPS_COVER    := gcovr
DEPS_DEB      := build-essential debhelper lintian debootstrap desktop-file-utils

# --- Flags ----------------------------------------------------------------------------------------------------------------------------

PACKAGES_AGENT := libuv libssl libcrypto jansson libseccomp
PACKAGES_KEYS  := krb5-gssapi krb5 libsecret-1 libcrypto libseccomp
PACKAGES_PAC   := javascriptcoregtk-4.1 libseccomp libcrypto
PACKAGES_TRAY  := dbusmenu-glib-0.4 gio-unix-2.0 jansson

WERROR   ?= -Werror
WARNINGS := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HARDEN   := $(if $(findstring -O0,$(CFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3) -fstack-protector-strong -fPIE \
            $(if $(filter x86_64 i686,$(shell uname -m)),-fcf-protection)
CFLAGS   ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DEXEAT_VERSION='"$(VERSION)"' -DEXEAT_LIBEXEC='"$(PREFIX)/libexec/exeat"' -DEXEAT_ICONS='"$(PREFIX)/share/icons"' -Iagent -I.
ALL_CFLAGS  = -std=gnu11 $(WARNINGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,$(HARDEN)) $(CFLAGS)
ALL_LDFLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE),-pie -Wl,-z,relro,-z,now) $(LDFLAGS)

AGENT_LIBS = $(shell pkg-config --libs $(PACKAGES_AGENT))
KEYS_LIBS  = $(shell pkg-config --libs $(PACKAGES_KEYS)) -lcrypt -lpthread
KEYS_INC   = $(shell pkg-config --cflags $(PACKAGES_KEYS))


# exeat-pac is for those who have a PAC file, and a package of its own: it is built where its libraries are.
HAVE_PAC  := $(shell pkg-config --exists $(PACKAGES_PAC) 2>/dev/null && echo yes)
PAC_LIBS   = $(shell pkg-config --libs $(PACKAGES_PAC))
PAC_INC    = $(if $(HAVE_PAC),$(shell pkg-config --cflags $(PACKAGES_PAC)))

# exeat-tray is for desktops, and a package of its own too.
HAVE_TRAY := $(if $(wildcard tray/main.c),$(shell pkg-config --exists $(PACKAGES_TRAY) 2>/dev/null && echo yes))
TRAY_LIBS  = $(shell pkg-config --libs $(PACKAGES_TRAY))
TRAY_INC   = $(if $(HAVE_TRAY),$(shell pkg-config --cflags $(PACKAGES_TRAY))) -Itray

# --- The programs -------------------------------------------------------------------------------------------------------------------

FLOOR_SRC := $(wildcard agent/base/*.c agent/wire/*.c config/*.c)
AGENT_SRC := $(wildcard agent/*.c agent/cli/*.c agent/apps/*.c agent/relay/*.c agent/upstream/*.c agent/admit/*.c agent/route/*.c \
                        agent/helpers/*.c agent/control/*.c agent/source/*.c agent/http/*.c agent/net/*.c)
KEYS_SRC  := $(wildcard agent/keys/*.c)
PAC_SRC   := $(if $(HAVE_PAC),$(wildcard agent/pac/*.c))
PAC_FLOOR := $(wildcard agent/base/*.c agent/wire/*.c)
TRAY_SRC   := $(if $(HAVE_TRAY),$(wildcard tray/*.c))
TRAY_FLOOR := agent/base/buf.c agent/base/span.c agent/base/err.c config/paths.c agent/helpers/program.c
# What of exeat-tray knows no desktop.
TRAY_PARTS := tray/model.c tray/notice.c
ICONS      := $(foreach kind,symbolic light dark,$(patsubst tray/icons/%.svg,$(BUILD)/icons/hicolor/scalable/apps/%-$(kind).svg,$(wildcard tray/icons/*.svg)))
# What of exeat-pac is tested by itself: all but the engine and the program.
PAC_PARTS := $(filter-out agent/pac/main.c agent/pac/engine.c $(if $(HAVE_PAC),,agent/pac/sandbox.c),$(wildcard agent/pac/*.c))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

all: $(BUILD)/exeat $(BUILD)/exeat-keys $(if $(HAVE_PAC),$(BUILD)/exeat-pac,no-pac) $(if $(HAVE_TRAY),$(BUILD)/exeat-tray $(ICONS),no-tray) papers ## build the programs

no-pac:
	@echo '  exeat-pac is left out, so there will be no PAC files: it needs $(DEPS_PAC)'
no-tray:
	@echo '  exeat-tray is left out, so there will be no icon on the desktop: it needs $(DEPS_TRAY)'

$(BUILD)/exeat: $(call obj,$(AGENT_SRC) $(FLOOR_SRC)) $(BUILD)/sources
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(AGENT_LIBS)
$(BUILD)/exeat-keys: $(call obj,$(KEYS_SRC) $(FLOOR_SRC)) $(BUILD)/sources
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(KEYS_LIBS)
$(BUILD)/exeat-pac: $(call obj,$(PAC_SRC) $(PAC_FLOOR)) $(BUILD)/sources
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(PAC_LIBS)

$(BUILD)/exeat-tray: $(call obj,$(TRAY_SRC) $(TRAY_FLOOR)) $(BUILD)/sources
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(TRAY_LIBS)

# Symbolic icons are coloured by the panel; the others are for panels that do not do that.
$(BUILD)/icons/hicolor/scalable/apps/%-symbolic.svg: tray/icons/%.svg
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/icons/hicolor/scalable/apps/%-dark.svg: tray/icons/%.svg
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/icons/hicolor/scalable/apps/%-light.svg: tray/icons/%.svg
	@mkdir -p $(@D)
	$(Q)sed 's/#2e3436/#f6f5f4/' $< > $@

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,cc  )
	$(Q)$(CC) $(CPPFLAGS) $(if $(findstring agent/keys/,$<),$(KEYS_INC)) $(if $(findstring agent/pac/,$<),$(PAC_INC)) $(if $(findstring tray,$<),$(TRAY_INC)) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Two files that change only when what they hold changes: other flags compile everything again, a source that came or went links again.
remember = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' > $@
$(BUILD)/flags: FORCE
	$(call remember,$(CC) $(CPPFLAGS) $(ALL_CFLAGS))
$(BUILD)/sources: FORCE
	$(call remember,$(ALL_LDFLAGS) $(AGENT_SRC) $(KEYS_SRC) $(PAC_SRC) $(TRAY_SRC) $(FLOOR_SRC) $(MANUAL_SRC) $(DATE))

# --- Manual pages and completions, made from the tables of verbs and settings ---------------------------------------------------------

MANUAL_SRC := $(wildcard agent/manual/*.c)
PAPERS     := $(addprefix $(BUILD)/papers/,exeat.1 exeat.conf.5 exeat.bash _exeat exeat.fish \
                exeat-tray.1 exeat-tray.bash _exeat-tray exeat-tray.fish)
papers: $(PAPERS)
$(BUILD)/exeat-manual: $(call obj,$(MANUAL_SRC) tray/options.c $(filter-out agent/main.c,$(AGENT_SRC)) $(FLOOR_SRC)) $(BUILD)/sources
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(AGENT_LIBS)
$(BUILD)/papers/%: $(BUILD)/exeat-manual
	@mkdir -p $(@D)
	$(call say,make)
	$(Q)$(if $(findstring thread,$(SANITIZE)),setarch -R) $(BUILD)/exeat-manual $* $(DATE) >$@
# What is the same for all verbs stands in config/completions.
$(BUILD)/papers/exeat.bash $(BUILD)/papers/_exeat: $(BUILD)/papers/%: config/completions/% $(BUILD)/papers/words
	$(call say,make)
	$(Q)sed -e '/^@TABLE@$$/{r $(BUILD)/papers/words' -e 'd;}' $< >$@
$(BUILD)/papers/exeat.fish: config/completions/exeat.fish $(BUILD)/papers/fish
	$(call say,make)
	$(Q)cat $^ >$@

# --- Tests ----------------------------------------------------------------------------------------------------------------------------

# One cmocka program per file in tests/unit; linked with everything of the agent and the keyholder but the two main functions.
UNIT_SRC := $(filter-out $(if $(HAVE_PAC),,tests/unit/test_pac_sandbox.c),$(wildcard tests/unit/test_*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
UNIT_OBJ  = $(call obj,$(filter-out agent/main.c agent/keys/main.c,$(AGENT_SRC) $(KEYS_SRC)) $(PAC_PARTS) $(TRAY_PARTS) $(FLOOR_SRC))
unit: $(UNIT_BIN)
$(BUILD)/unit/libunder_test.a: $(UNIT_OBJ) $(BUILD)/sources
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,ar  )
	$(Q)ar rcs $@ $(filter %.o,$^)
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/obj/tests/unit/one_case.o $(BUILD)/unit/libunder_test.a
	$(call say,link)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(AGENT_LIBS) $(KEYS_LIBS) $(if $(HAVE_PAC),-lseccomp) -lcmocka -lhttp_parser

# "make test" and its like compile with all cores unless -j was given.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

deps: ## install the packages that building, "make run" and "make test" need
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REALM)

run: ## build, start a practice proxy that demands a password, and exeat in front of it (PRACTICE="--auth ntlm" for options)
	@tests/deps $(DEPS_BUILD) $(DEPS_RUN)
	+@$(MAKE) --no-print-directory $(JOBS) all
	@'$(BUILD)/exeat' practice $(PRACTICE)

test: ## build and run every test (SUITES="unit scenarios ..." for some)
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REALM)
	+@$(MAKE) --no-print-directory $(JOBS) all unit
	@$(PYTHON) tests/run --build '$(BUILD)' $(SUITES)

check-asan: ## the tests again, built with AddressSanitizer and UBSan, but for those that mostly wait for others
	+@$(MAKE) --no-print-directory BUILD='$(BUILD)/asan' SANITIZE=address,undefined CFLAGS='-O1 -g1 -fno-sanitize-recover=all' test

# The agent has one thread of its own beside libuv's pool, the keyholder has workers: the tests that drive those, without address-space
# randomisation, with which this sanitizer does not start on newer kernels.
check-tsan: ## unit and keyholder tests, built with ThreadSanitizer
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST)
	+@$(MAKE) --no-print-directory $(JOBS) BUILD='$(BUILD)/tsan' SANITIZE=thread CFLAGS='-O1 -g' all unit
	@setarch -R $(PYTHON) tests/run --build '$(BUILD)/tsan' $(or $(SUITES),unit keys)

mutate: ## take out each guard in turn; its tests must fail (MUTATIONS="words" for some)
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REALM)
	@$(PYTHON) tests/mutate.py --build '$(BUILD)' $(MUTATIONS)

# Each target starts from its seeds in tests/fuzz/corpus/NAME and keeps what it finds in $(BUILD)/fuzz/corpus/NAME.
# clang minds a table's row without its last members, which gcc does not.
FUZZ_SECONDS ?= 30
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
fuzz: ## run each fuzzer for FUZZ_SECONDS=30
	@tests/deps $(DEPS_BUILD) $(DEPS_PAC) $(DEPS_FUZZ)
	+@$(MAKE) --no-print-directory $(JOBS) BUILD='$(BUILD)/fuzz' CC=$(CLANG) SANITIZE=fuzzer-no-link,address,undefined \
	    CFLAGS='-O1 -g -Wno-missing-field-initializers' fuzzers
	@$(PYTHON) tests/fuzz/run.py --build '$(BUILD)/fuzz' --seconds $(FUZZ_SECONDS) $(FUZZERS)
fuzzers: $(patsubst tests/fuzz/%.c,$(BUILD)/bin/%,$(FUZZ_SRC))
$(BUILD)/bin/%: $(BUILD)/obj/tests/fuzz/%.o $(BUILD)/unit/libunder_test.a
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $^ $(AGENT_LIBS) $(KEYS_LIBS) $(if $(HAVE_PAC),-lseccomp)

lint: ## clang-format, clang-tidy, cppcheck, shellcheck, floors
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_LINT)
	@$(PYTHON) tests/lint.py --build '$(BUILD)' -- -std=gnu11 $(CPPFLAGS) $$(pkg-config --cflags $(PACKAGES_AGENT) $(PACKAGES_KEYS)) $(PAC_INC) $(TRAY_INC)

format: ## let clang-format write
	clang-format-14 -i $(shell find agent config tray tests -name '*.[ch]')

cover: ## which lines the tests reach: $(BUILD)/cover/index.html
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REALM) $(DEPS_COVER)
	-+@$(MAKE) --no-print-directory BUILD='$(BUILD)/cover' LDFLAGS=--coverage \
	    CFLAGS='-O0 -g --coverage -fprofile-update=atomic -DEXEAT_COVERAGE=\"$(abspath $(BUILD))\"' test
	@gcovr --root . --object-directory '$(BUILD)/cover' --filter agent/ --filter config/ --filter tray/ --exclude-unreachable-branches \
	    --html-details '$(BUILD)/cover/index.html' --print-summary --txt

bench: ## figures: speed, memory, round trips
	@tests/deps $(DEPS_BUILD) $(DEPS_TEST) $(DEPS_REALM)
	+@$(MAKE) --no-print-directory $(JOBS) all
	@EXEAT_BUILD='$(abspath $(BUILD))' $(PYTHON) tests/bench/run.py

# --- Installing -----------------------------------------------------------------------------------------------------------------------

# What goes where, as SOURCE:PATH:MODE; $(UNITS_SYSTEM) and $(UNITS_USER) hold /usr/local, which becomes PREFIX.
# A prefix in one's own home (~/.local) is for oneself alone: the user's systemd and the desktop look elsewhere there, and root is not needed.
AT_HOME      := $(if $(HOME),$(filter $(HOME)/%,$(PREFIX)))
UNITS_USER   ?= $(PREFIX)/$(if $(AT_HOME),share,lib)/systemd/user
UNITS_SYSTEM ?= $(PREFIX)/lib/systemd/system
# Where desktops look for what starts with a session: below /etc, wherever else PREFIX is.
AUTOSTART    ?= $(if $(AT_HOME),$(or $(XDG_CONFIG_HOME),$(HOME)/.config),/etc/xdg)/autostart
DOC          := $(PREFIX)/share/doc/exeat
INSTALLED_TRAY = \
    $(BUILD)/exeat-tray:$(PREFIX)/bin/exeat-tray:755 \
    config/systemd/exeat-tray.service:$(UNITS_USER)/exeat-tray.service:644 \
    config/desktop/exeat-tray.desktop:$(PREFIX)/share/applications/exeat-tray.desktop:644 \
    config/desktop/exeat-tray.desktop:$(AUTOSTART)/exeat-tray.desktop:644 \
    $(BUILD)/papers/exeat-tray.1:$(PREFIX)/share/man/man1/exeat-tray.1:644 \
    $(BUILD)/papers/exeat-tray.bash:$(PREFIX)/share/bash-completion/completions/exeat-tray:644 \
    $(BUILD)/papers/_exeat-tray:$(PREFIX)/share/zsh/site-functions/_exeat-tray:644 \
    $(BUILD)/papers/exeat-tray.fish:$(PREFIX)/share/fish/vendor_completions.d/exeat-tray.fish:644 \
    $(foreach icon,$(ICONS),$(icon):$(PREFIX)/share/icons/hicolor/scalable/apps/$(notdir $(icon)):644)
INSTALLED = \
    $(BUILD)/exeat:$(PREFIX)/bin/exeat:755 \
    $(BUILD)/exeat-keys:$(PREFIX)/libexec/exeat/exeat-keys:755 \
    $(if $(HAVE_PAC),$(BUILD)/exeat-pac:$(PREFIX)/libexec/exeat/exeat-pac:755) \
    $(BUILD)/papers/exeat.1:$(PREFIX)/share/man/man1/exeat.1:644 \
    $(BUILD)/papers/exeat.conf.5:$(PREFIX)/share/man/man5/exeat.conf.5:644 \
    $(BUILD)/papers/exeat.bash:$(PREFIX)/share/bash-completion/completions/exeat:644 \
    $(BUILD)/papers/_exeat:$(PREFIX)/share/zsh/site-functions/_exeat:644 \
    $(BUILD)/papers/exeat.fish:$(PREFIX)/share/fish/vendor_completions.d/exeat.fish:644 \
    $(foreach unit,exeat.service exeat.socket,config/systemd/$(unit):$(UNITS_USER)/$(unit):644) \
    $(if $(HAVE_TRAY),$(INSTALLED_TRAY)) \
    config/systemd/exeat@.service:$(UNITS_SYSTEM)/exeat@.service:644 \
    $(foreach paper,README.md LICENSE config/exeat.conf config/coming-from.md,$(paper):$(DOC)/$(notdir $(paper)):644) \
    $(foreach paper,$(wildcard config/examples/*),$(paper):$(DOC)/examples/$(notdir $(paper)):644)

field = $(word $(1),$(subst :, ,$(2)))
install: all ## install below PREFIX=/usr/local (DESTDIR= for packaging)
	$(foreach one,$(INSTALLED),install -D -m $(call field,3,$(one)) '$(call field,1,$(one))' '$(DESTDIR)$(call field,2,$(one))' &&) true
	sed -i 's,/usr/local/,$(PREFIX)/,' '$(DESTDIR)$(UNITS_USER)/exeat.service' '$(DESTDIR)$(UNITS_SYSTEM)/exeat@.service'
	$(if $(HAVE_TRAY),sed -i 's|/usr/local/|$(PREFIX)/|; s|Exec=|&$(PREFIX)/bin/|' '$(DESTDIR)$(UNITS_USER)/exeat-tray.service' \
	    '$(DESTDIR)$(PREFIX)/share/applications/exeat-tray.desktop' '$(DESTDIR)$(AUTOSTART)/exeat-tray.desktop')

uninstall: ## remove what "make install" put there; your own configuration stays
	rm -f $(foreach one,$(INSTALLED) $(INSTALLED_TRAY),'$(DESTDIR)$(call field,2,$(one))') '$(DESTDIR)$(PREFIX)/libexec/exeat/exeat-pac'
	-rmdir '$(DESTDIR)$(PREFIX)/libexec/exeat' '$(DESTDIR)$(DOC)/examples' '$(DESTDIR)$(DOC)' 2>/dev/null

# debian/ is config/debian, with the version and its date filled in; the packages are built from a copy of the source, with nothing of this make's environment.
DEB = $(BUILD)/deb
deb: ## Debian packages, in $(BUILD)/deb
	@tests/deps $(DEPS_BUILD) $(DEPS_PAC) $(DEPS_TRAY) $(DEPS_DEB)
	rm -rf '$(DEB)'
	mkdir -p '$(DEB)/source'
	cp -R Makefile README.md LICENSE agent config tray '$(DEB)/source'
	mv '$(DEB)/source/config/debian' '$(DEB)/source/debian'
	sed -i 's/@VERSION@/$(VERSION)/; s/@DATE@/$(shell date -u -R -d $(DATE))/' '$(DEB)/source/debian/changelog'
	cd '$(DEB)/source' && env -i PATH="$$PATH" HOME="$$HOME" dpkg-buildpackage --build=binary --no-sign --jobs=auto >../build.log 2>&1 || \
	    { tail -n 40 ../build.log; exit 1; }
	@ls '$(DEB)'/*.deb

check-deb: deb ## lintian, and the packages put into a fresh Debian, used and purged
	@$(PYTHON) tests/deb/run.py '$(DEB)' $(WORDS)

clean: ## remove $(BUILD)
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/\$$\(BUILD\)/, "$(BUILD)", $$2); printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: all papers unit fuzzers deps run test check-asan check-tsan mutate fuzz lint format cover bench deb check-deb install uninstall clean help no-pac no-tray FORCE
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
