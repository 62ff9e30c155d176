# Fuzzing on the host: `make fuzz`. tests/fuzz/fuzz_<target>.c is a program of its own, made of
# that file, tests/fuzz/machine.c and what the host's tests are made of (tests/host/host.mk).
#
# FUZZ_SECONDS a target, FUZZ_PARALLEL at a time; FUZZ=glob narrows it. tests/fuzz/corpus/<target> holds
# inputs to begin with, the findings go to build/fuzz.

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: fuzz-build
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run

.PHONY: fuzz-build
fuzz-build:
	@$(MAKE) --no-print-directory HOST_VARIANTS=clang-asan $(FUZZ_TARGETS:%=$(BUILD)/host/clang-asan/fuzz_%)

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

ifneq ($(filter clang-asan,$(HOST_VARIANTS)),)
FUZZ_DIR := $(BUILD)/host/clang-asan
FUZZ_SHARED := $(filter-out %/host_main.c.o,$(HOST_OBJS_clang-asan)) \
	$(FUZZ_DIR)/tests/fuzz/machine.c.o
# The monitor, with the commands that need no device and no image.
FUZZ_SHELL := $(wildcard $(addprefix kernel/shell/,shell.c line.c words.c kinds.c complete.c history.c \
	term.c pager.c help.c scratch.c watch.c cmd_pt.c cmd_scratch.c cmd_spaces.c cmd_trace.c \
	dump_json.c dump_vtd.c))
FUZZ_EXTRA_monitor := $(FUZZ_SHELL:%=$(FUZZ_DIR)/%.o)
FUZZ_EXTRA_acpi := $(FUZZ_DIR)/kernel/dev/acpi.c.o

# They see each other's objects, and acpi.c sees memory of the input.
$(FUZZ_DIR)/kernel/dev/acpi.c.o: HOST_FLAGS_clang-asan += -Dkspace_map_memory=fuzz_map_memory \
	-Dkspace_free=fuzz_unmap_memory
$(FUZZ_DIR)/tests/fuzz/%.c.o: HOST_FREESTANDING :=

define fuzz_target
$(FUZZ_DIR)/fuzz_$(1): $(FUZZ_DIR)/tests/fuzz/fuzz_$(1).c.o $(FUZZ_SHARED) $(FUZZ_EXTRA_$(1))
	@echo "  HOSTLD   $$@"
	@$(HOST_CC_clang-asan) -fsanitize=fuzzer,address,undefined -pthread $$^ -o $$@
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_target,$(t))))
-include $(wildcard $(FUZZ_DIR)/tests/fuzz/*.d $(FUZZ_DIR)/kernel/shell/*.d)
endif
