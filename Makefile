# exeat: GNU make. "make help" lists the targets; everything is built below $(BUILD).
BUILD   ?= build
CC      ?= gcc
PREFIX  ?= /usr/local
VERSION := 0.1.0

PACKAGES_AGENT := libuv libcrypto libssl jansson libsystemd
PACKAGES_KEYS  := krb5-gssapi krb5 libsecret-1 libcrypto

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CFLAGS   ?= -O2 -g
CPPFLAGS += -D_GNU_SOURCE -DEXEAT_VERSION='"$(VERSION)"' -DEXEAT_LIBEXEC='"$(PREFIX)/libexec/exeat"' -Iagent -I.
ALL_CFLAGS := -std=gnu11 $(WARNINGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer,$(HARDEN)) $(CFLAGS)
ALL_LDFLAGS := $(if $(SANITIZE),-fsanitize=$(SANITIZE),-pie -Wl,-z,relro,-z,now) $(LDFLAGS)

FLOOR_SRC := $(wildcard agent/base/*.c agent/wire/*.c config/*.c)
AGENT_SRC := $(wildcard agent/*.c agent/cli/*.c agent/relay/*.c agent/upstream/*.c agent/admit/*.c agent/route/*.c \
                        agent/helpers/*.c agent/control/*.c agent/http/*.c agent/net/*.c)
KEYS_SRC  := $(wildcard agent/keys/*.c)
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

AGENT_LIBS = $(shell pkg-config --libs $(PACKAGES_AGENT))
KEYS_LIBS  = $(shell pkg-config --libs $(PACKAGES_KEYS)) -lpthread

all: $(BUILD)/exeat $(BUILD)/exeat-keys

$(BUILD)/exeat: $(call obj,$(AGENT_SRC) $(FLOOR_SRC))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(AGENT_LIBS)
$(BUILD)/exeat-keys: $(call obj,$(KEYS_SRC) $(FLOOR_SRC))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(KEYS_LIBS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(if $(findstring agent/keys/,$<),$(shell pkg-config --cflags $(PACKAGES_KEYS))) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# One cmocka program per file in tests/unit; linked with everything of the agent and the keyholder but the two main functions.
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))
UNIT_OBJ  = $(call obj,$(filter-out agent/main.c agent/keys/main.c,$(AGENT_SRC) $(KEYS_SRC)) $(FLOOR_SRC))
unit: $(UNIT_BIN)
$(BUILD)/unit/libunder_test.a: $(UNIT_OBJ)
	@mkdir -p $(@D)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/unit/libunder_test.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(AGENT_LIBS) $(KEYS_LIBS) -lcmocka -lhttp_parser

clean:
	rm -rf $(BUILD)

.PHONY: all unit clean
.SECONDARY:
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
