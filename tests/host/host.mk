# The mm code as an ordinary program: `make host-test`.
#
# A variant is a compiler and its sanitizers; build/host/<variant>/test runs the tests, its KTAP
# goes to build/log/host-<variant>.ktap. To add one: its name to HOST_VARIANTS, and its
# HOST_CC_<variant> and HOST_FLAGS_<variant>.
#
# What runs here, the whole rule: all of kernel/mm, kernel/lib and tests/kernel that does not
# include <arch/trap.h> or threads (which is to say that it needs a CPU), less HOST_SKIP, plus
# HOST_EXTRA and tests/host. The headers in tests/host/include come before the
# CPU's own and replace them by name.

BUILD ?= build

.PHONY: host-test
host-test:
	@$(MAKE) --no-print-directory host-variants

# Every sequence of operations in small geometries, as deep as MINUTES allow.
.PHONY: enumerate
enumerate:
	@$(MAKE) --no-print-directory HOST_VARIANTS=gcc-fast $(BUILD)/host/gcc-fast/test
	@mkdir -p $(BUILD)/log
	@BUILD=$(BUILD) MINUTES=$(MINUTES) tests/host/enumerate $(BUILD)/host/gcc-fast/test

# The rest is read only when asked for: it looks for a second compiler.
ifneq ($(filter host-variants host-run-% $(BUILD)/host/%,$(MAKECMDGOALS)),)

HOST_GCC ?= gcc
HOST_CLANG ?= clang
# Without clang, or without its sanitizer runtime, that variant is left out, and it is said.
HOST_HAVE_CLANG := $(shell echo 'int main(void) { return 0; }' | \
	$(HOST_CLANG) -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null && echo yes)

HOST_VARIANTS ?= gcc-asan gcc-tsan $(if $(HOST_HAVE_CLANG),clang-asan)
HOST_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -DHOST_ASAN
HOST_CC_gcc-asan := $(HOST_GCC)
HOST_FLAGS_gcc-asan := $(HOST_ASAN)
HOST_CC_clang-asan := $(HOST_CLANG)
HOST_FLAGS_clang-asan := $(HOST_ASAN) -fsanitize=fuzzer-no-link
# A second opinion on all code; what plays hundreds of thousands of operations is asked once. The same
# objects are linked with libFuzzer: tests/fuzz/fuzz.mk.
HOST_TEST_clang-asan := *,-model,-inject,-mirror_random,-frame_random,-pt_*.random_operations_*
HOST_LESS_clang-asan := tests/host/test_small_%.c
# The thread sanitizer, for what runs on several threads.
HOST_CC_gcc-tsan := $(HOST_GCC)
HOST_FLAGS_gcc-tsan := -fsanitize=thread -Wno-tsan
HOST_TEST_gcc-tsan := *_threads,mm_cpus,lazy,dirty_cpus,turns
HOST_LESS_gcc-tsan := tests/kernel/test_pt_%.c tests/host/test_small_%.c
# Quick to build and to run; for tests/mutants/run.
HOST_CC_gcc-plain := $(HOST_GCC)
HOST_FLAGS_gcc-plain := -Wno-error -w
# For `make enumerate`.
HOST_CC_gcc-fast := $(HOST_GCC)
HOST_FLAGS_gcc-fast := -O2
# For gcov; tests/coverage/run reads what it counts, and says why header functions are not inlined.
# The small geometries run the library once more, and take long without optimisation. Counters that
# threads race for would be wrong, and so what is computed from them.
HOST_CC_gcc-cov := $(HOST_GCC)
HOST_FLAGS_gcc-cov := --coverage -O0 -fprofile-update=atomic -Dalways_inline=noinline \
	-Wno-attributes -Wno-maybe-uninitialized
HOST_TEST_gcc-cov := *,-small

HOST_CPPFLAGS := -Itests/host/include -I. -Ikernel -Ikernel/arch/x86_64/include \
	-DPTOLEMY_TEST=1 -DPTOLEMY_HOST=1 -MMD -MP -include tests/host/entry_point.h
# -g1 is what reports need, functions and lines, and takes a quarter less time to compile than -g.
HOST_CFLAGS := -std=gnu11 -O1 -g1 -fno-omit-frame-pointer -fno-strict-aliasing -pthread -Wall \
	-Wextra -Werror -Wshadow -Wundef -Wvla -Wstrict-prototypes -Wmissing-prototypes
# tests/host talks to the C library, nothing else does.
# All that the small geometries touch is one array, of which the address sanitizer sees the ends only.
$(BUILD)/host/gcc-asan/tests/host/test_small_%.c.o: HOST_FLAGS_gcc-asan += -O2 -fno-sanitize=address
HOST_FREESTANDING = $(if $(filter tests/host/%,$<),,-ffreestanding)

# The image's own mapping; memcpy is the C library's; a panic ends the process; gdb knows the names.
HOST_SKIP := kernel/mm/kspace_boot.c kernel/lib/string.c kernel/lib/panic.c kernel/lib/ksym.c
HOST_EXTRA := kernel/arch/x86_64/multiboot.c kernel/options.c kernel/dev/madt.c
HOST_EXTRA += boot/cmdline.c kernel/dev/vtd_table.c kernel/dev/dmar.c
HOST_FOUND := $(sort $(wildcard kernel/mm/*.c kernel/lib/*.c tests/kernel/*.c))
HOST_NEEDS_CPU := $(filter-out $(addprefix tests/kernel/test_,mm_cpus.c lazy.c dirty_cpus.c),\
	$(shell grep -lE 'include <(arch/trap|proc/|tests/kernel/workers)' $(HOST_FOUND)))
HOST_SRCS := $(filter-out $(HOST_SKIP) $(HOST_NEEDS_CPU),$(HOST_FOUND)) $(wildcard $(HOST_EXTRA)) \
	$(sort $(wildcard tests/host/*.c))

# TEST=glob and SEED=n narrow and repeat a run, as they do in the kernel.
HOST_ARGS := $(if $(TEST),'test=$(TEST)') $(if $(SEED),seed=$(SEED))
HOST_DEADLINE ?= 600
# The lines of a failed run worth showing at once.
HOST_TROUBLE := ^ *not ok|:[0-9]+: failed|no test matches|Bail out|ERROR|runtime error|^ +\#[0-9]

define host_variant
HOST_SRCS_$(1) := $$(filter-out $$(HOST_LESS_$(1)),$$(HOST_SRCS))
HOST_OBJS_$(1) := $$(HOST_SRCS_$(1):%=$(BUILD)/host/$(1)/%.o)
HOST_LOG_$(1) := $(BUILD)/log/host-$(1).ktap

$(BUILD)/host/$(1)/%.c.o: %.c $(BUILD)/host/$(1)/flags
	@mkdir -p $$(@D)
	@echo "  HOSTCC   $$< ($(1))"
	@$$(HOST_CC_$(1)) $$(HOST_CPPFLAGS) $$(HOST_CFLAGS) $$(HOST_FREESTANDING) \
		$$(HOST_FLAGS_$(1)) -c $$< -o $$@

$(BUILD)/host/$(1)/test: $$(HOST_OBJS_$(1)) $(BUILD)/host/$(1)/sources
	@$$(HOST_CC_$(1)) $$(HOST_FLAGS_$(1)) -pthread $$(HOST_OBJS_$(1)) -o $$@

# Changed when the way to compile changes, and when what there is to link does.
HOST_WAY_$(1) := $$(HOST_CC_$(1)) $$(HOST_CPPFLAGS) $$(HOST_CFLAGS) $$(HOST_FLAGS_$(1))
.PHONY: host-always
$(BUILD)/host/$(1)/flags: HOST_SAYS = $$(HOST_WAY_$(1))
$(BUILD)/host/$(1)/sources: HOST_SAYS = $$(HOST_SRCS_$(1))
$(BUILD)/host/$(1)/flags $(BUILD)/host/$(1)/sources: host-always
	@mkdir -p $$(@D)
	@echo '$$(HOST_SAYS)' | cmp -s - $$@ || echo '$$(HOST_SAYS)' >$$@

.PHONY: host-run-$(1)
host-run-$(1): $(BUILD)/host/$(1)/test
	@mkdir -p $(BUILD)/log
	@if timeout $$(HOST_DEADLINE) $$< \
		$$(if $$(HOST_TEST_$(1)),'test=$$(HOST_TEST_$(1))') $$(HOST_ARGS) \
		>$$(HOST_LOG_$(1)) 2>&1; \
	then echo "host $(1): $$$$(sed -n '$$$$s/^# //p' $$(HOST_LOG_$(1)))"; \
	else echo "host $(1): FAILED, exit status $$$$?, see $$(HOST_LOG_$(1)):"; \
		grep -E '$$(HOST_TROUBLE)' $$(HOST_LOG_$(1)) | tail -n 40; \
		exit 1; fi

-include $$(HOST_OBJS_$(1):.o=.d)
endef
$(foreach v,$(HOST_VARIANTS),$(eval $(call host_variant,$(v))))

# The threads of a test one at a time, in an order that a seed decides (host_turns.h); and protocols
# that are broken on purpose, found by such seeds or by the thread sanitizer.
SCHED_SEED ?=
HOST_SEED := $(or $(SCHED_SEED),1)
HOST_TURNS := turns,mm_cpus,lazy,dirty_cpus
.PHONY: host-run-turns host-run-broken
host-run-turns: $(BUILD)/host/gcc-asan/test
	@mkdir -p $(BUILD)/log
	@if timeout $(HOST_DEADLINE) $< test=$(HOST_TURNS) sched=$(HOST_SEED) \
		>$(BUILD)/log/host-turns.ktap 2>&1; \
	then echo "host turns: $$(sed -n '$$s/^# //p' $(BUILD)/log/host-turns.ktap)"; \
	else echo "host turns: FAILED, repeat with: $< test=$(HOST_TURNS) sched=$(HOST_SEED)"; \
		grep -E '$(HOST_TROUBLE)' $(BUILD)/log/host-turns.ktap | tail -n 40; exit 1; fi

host-run-broken: $(HOST_VARIANTS:%=$(BUILD)/host/%/test)
	@mkdir -p $(BUILD)/log
	@tests/host/broken $(BUILD)/host $(HOST_SEED) >$(BUILD)/log/host-broken.ktap; \
		status=$$?; sed -n 's/^# /host broken: /p' $(BUILD)/log/host-broken.ktap; exit $$status

# The thread sanitizer's objects with a library of ours behind them, which notes the lines written.
$(BUILD)/host/gcc-tsan/lines: $(BUILD)/host/gcc-tsan/test tests/host/lines/runtime.c
	@$(HOST_GCC) $(HOST_CPPFLAGS) $(HOST_CFLAGS) $(HOST_OBJS_gcc-tsan) tests/host/lines/runtime.c \
		$(foreach f,memset memcpy memmove,-Wl,--wrap=$(f)) -o $@

.PHONY: host-run-lines
host-run-lines: $(BUILD)/host/gcc-tsan/lines
	@$< test=lines >$(BUILD)/log/host-lines.ktap; status=$$?; \
		echo "host lines: $$(sed -n '$$s/^# //p' $(BUILD)/log/host-lines.ktap)"; exit $$status

# A run that is narrowed by TEST= is of those tests only.
HOST_MORE := $(if $(TEST),,$(if $(filter gcc-asan,$(HOST_VARIANTS)),host-run-turns host-run-broken) \
	$(if $(filter gcc-tsan,$(HOST_VARIANTS)),host-run-lines))
.PHONY: host-variants
host-variants: $(HOST_VARIANTS:%=host-run-%) $(HOST_MORE)
	$(if $(HOST_HAVE_CLANG),,@echo 'host: no clang with sanitizers found, only gcc was used')

endif
