# Ptolemy. `make help` says what there is to make.
#
# Every kernel/**/*.c and *.S, boot/*.c and *.S, and tests/kernel/*.c is found by itself. boot/*.c
# is 32-bit code that runs before paging; everything else is the 64-bit kernel. kernel/mm/pt/*.c is
# the generic half of the library, which each format's own .c file includes.

.DEFAULT_GOAL := kernel
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

BUILD ?= build
PTOLEMY_TEST ?= 1
PTOLEMY_BENCH ?= $(PTOLEMY_TEST)
VERBOSE ?= 0
Q := $(if $(filter 1,$(VERBOSE)),,@)
say = $(if $(Q),@printf '  %-8s %s\n' '$(1)' '$(2)')

define HELP
make              the kernel: $(BUILD)/kernel.elf, kernel.asm, kernel.sym
make image        $(BUILD)/ptolemy.iso, which GRUB boots by BIOS and by UEFI
make run          boot it in QEMU: a guided tour, quick tests, a prompt; `exit` or Ctrl-A X leaves
make debug        the same, halted at the start, with gdb connected and commands for tables
make test         boot the whole matrix, run the host tests and checks; logs in $(BUILD)/log
make host-test    the mm code as an ordinary program, under sanitizers
make check        static checks
make monitor-test sit at the prompt, as a person would
make debugger-test  compare gdb's commands with what the monitor says
make bench        count the instructions of fork, faults, ...: a table, and $(BUILD)/bench.csv
make bench-linux  the same on Debian's Linux kernel (which it downloads), beside ours
make picture      draw page tables as they are, before and after a fork: $(BUILD)/picture
make report       $(BUILD)/report.html: results, measurements, pictures, an explorer of tables
make report-test  use it in headless Chromium, as a person would
make defects      plant each seeded defect in a copy of the tree, and see a test turn red
make fuzz         libFuzzer on whatever reads outside input: FUZZ_SECONDS=60 a target, FUZZ=glob
make libpt        install the page-table library for other programs, and libpt-test tries that
make mutants      small changes of the mm that the host's tests notice: MUTANTS=300 SEED=n MUTANT=name
make coverage     which lines and branches of the mm do they come to
make enumerate    every sequence of operations in small geometries, as deep as MINUTES=10 allow
make soak         everything on 4 CPUs with random seeds, and fuzzing: MINUTES=60
make soak-test    does it see, keep and repeat what fails
make outside-test  QEMU's own walk of our tables against what the kernel says of them
make test-bochs   the tests that need no device, in another emulator: BOCHS=globs
make docs         docs/api.md from the library's headers; make check says if it is due
make clean        remove $(BUILD)

for run, debug:   LA57=auto|on|off SMP=n MEM=512M FIRMWARE=bios|uefi CPU=max ACCEL=tcg|kvm
                  IOMMU=yes|no
                  CMDLINE="kernel options" QEMUFLAGS="more QEMU arguments"
for test:         TEST=glob (tests by suite.name) BOOTS=glob SEED=n SCHED_SEED=n FUZZ_SECONDS=60
for bench:        BENCH=globs MEM=2048M
for libpt:        PREFIX=folder DESTDIR=folder
for all:          CROSS_COMPILE=prefix CC=gcc|clang BUILD=folder VERBOSE=1 PTOLEMY_TEST=0
                  SETUP=no (do not install what is missing)
kernel options:   la57=auto|on|off test=glob seed=n run="command; command" fork=eager|shared exit
                  idle=halt|poll oracle=always ops=numbers rounds=n (docs/testing.md)
endef

# --- Tool chain: CROSS_COMPILE= and CC= override what is found.

ifeq ($(origin CROSS_COMPILE),undefined)
CROSS_COMPILE := $(firstword $(foreach p,x86_64-elf- x86_64-linux-gnu-,\
	$(if $(shell command -v $(p)gcc),$(p))))
endif
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD := $(CROSS_COMPILE)ld
AR := $(CROSS_COMPILE)ar
NM := $(CROSS_COMPILE)nm
OBJCOPY := $(CROSS_COMPILE)objcopy
OBJDUMP := $(CROSS_COMPILE)objdump
READELF := $(CROSS_COMPILE)readelf
STRIP := $(CROSS_COMPILE)strip

ifneq ($(findstring clang,$(CC)),)
ARCH_64 := --target=x86_64-elf
STACK_64 := -mstack-alignment=8
ARCH_32 := --target=i386-elf -fno-addrsig -g0
else
ARCH_64 := -m64
ARCH_32 := -m32 -g -gno-as-loc-support
WARNINGS_CC := -Wlogical-op -Wduplicated-cond -Wjump-misses-init
ALIGN_CC := -falign-jumps=1 -falign-labels=1
STACK_64 := -mpreferred-stack-boundary=3
endif

# What the goals need beyond git and make, found or installed before anything else is done.
GOALS := $(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))
PICTURE := picture report report-test
BOOTED := run debug test soak-test outside-test monitor-test debugger-test bench bench-linux defects soak $(PICTURE)
NEEDS := $(if $(filter-out help clean,$(GOALS)),build) \
	$(if $(filter image $(BOOTED),$(GOALS)),image) $(if $(filter $(BOOTED) libpt-test,$(GOALS)),run) \
	$(if $(filter test,$(GOALS))$(filter uefi,$(FIRMWARE)),uefi) \
	$(if $(filter test host-test check defects fuzz soak mutants coverage enumerate,$(GOALS)),test) \
	$(if $(filter test libpt-test,$(GOALS)),library) \
	$(if $(filter bench-linux,$(GOALS)),peer) \
	$(if $(filter $(PICTURE),$(GOALS)),picture) $(if $(filter report report-test,$(GOALS)),report) \
	$(if $(filter report-test,$(GOALS)),browser) \
	$(if $(filter test-bochs,$(GOALS)),image bochs) \
	$(if $(filter debug test debugger-test outside-test,$(GOALS)),debug)
ifneq ($(strip $(NEEDS)),)
set_up := CC='$(CC)' LD='$(LD)' SETUP='$(SETUP)' tools/setup.sh
ifneq ($(shell $(set_up) $(NEEDS) >&2 || echo failed),)
$(error a tool is missing)
endif
endif

# --- Flags

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wundef -Wvla -Wformat=2 -Wpointer-arith \
	-Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wimplicit-fallthrough -Wstrict-overflow=2 -Wswitch-enum -Wno-sign-compare $(WARNINGS_CC)
CPPFLAGS := -I. -Ikernel -Ikernel/arch/x86_64/include -DPTOLEMY_TEST=$(PTOLEMY_TEST) -MMD -MP \
	-ffile-prefix-map=$(CURDIR)=.
# Padding would be a twentieth of the text.
ALIGN := -falign-functions=1 -falign-loops=1 $(ALIGN_CC)
CFLAGS_BOTH := -std=gnu11 -O2 -ffreestanding -fno-pic -fno-pie -fno-common \
	-fno-strict-aliasing -fno-delete-null-pointer-checks -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-omit-frame-pointer \
	-ffunction-sections -mgeneral-regs-only $(ALIGN) $(WARNINGS)
# Without vector registers nobody needs more of the stack than a word's alignment.
CFLAGS_64 := $(ARCH_64) -g $(CFLAGS_BOTH) $(STACK_64) -mcmodel=kernel -mno-red-zone
CFLAGS_32 := $(ARCH_32) $(CFLAGS_BOTH) -march=i686
LDFLAGS := -nostdlib -static --gc-sections --build-id=none -z max-page-size=4096 -z noexecstack \
	--orphan-handling=error --fatal-warnings

# --- What there is to compile

find_sources = $(sort $(shell find $(1) $(2)))
SOURCES := $(filter-out kernel/mm/pt/%,$(call find_sources,kernel,-name '*.c' -o -name '*.S')) \
	$(sort $(wildcard boot/*.S))
ifneq ($(PTOLEMY_TEST),0)
SOURCES += $(sort $(wildcard tests/kernel/*.c))
endif
ifneq ($(PTOLEMY_BENCH),0)
SOURCES += $(sort $(wildcard bench/*.c))
endif
SOURCES_32 := $(sort $(wildcard boot/*.c))
OBJECTS := $(SOURCES:%=$(BUILD)/obj/%.o) $(SOURCES_32:%=$(BUILD)/obj/%.o)

# --- The kernel

.PHONY: kernel
kernel: $(addprefix $(BUILD)/kernel.,elf asm sym)

# Linked twice: the table of function names is made from the first result. It comes after the text,
# so it moves no function; that is checked, by making it once more from the second.
link = $(LD) $(LDFLAGS) -Map=$(@:.elf=.map) -T $(BUILD)/linker.ld -o $@ $(filter %.o,$^)

$(BUILD)/kernel.elf: $(BUILD)/linker.ld $(OBJECTS) $(BUILD)/objects $(BUILD)/ksyms.S.o
	$(call say,LD,$@)
	$(Q)$(link)
	@$(NM) -n $@ | tools/ksyms.py | cmp - $(BUILD)/ksyms.S

$(BUILD)/unnamed.elf: $(BUILD)/linker.ld $(OBJECTS) $(BUILD)/objects $(BUILD)/ksyms_none.S.o
	$(Q)$(link)

$(BUILD)/ksyms.S: $(BUILD)/unnamed.elf tools/ksyms.py
	$(Q)$(NM) -n $< | tools/ksyms.py > $@

$(BUILD)/ksyms_none.S: tools/ksyms.py $(BUILD)/flags
	$(Q)tools/ksyms.py < /dev/null > $@

$(BUILD)/%.S.o: $(BUILD)/%.S $(BUILD)/flags
	$(Q)$(CC) $(ARCH_64) -c $< -o $@

$(BUILD)/kernel.asm: $(BUILD)/kernel.elf
	$(Q)$(OBJDUMP) -dS $< > $@

$(BUILD)/kernel.sym: $(BUILD)/kernel.elf
	$(Q)$(NM) -n $< > $@

$(BUILD)/linker.ld: linker.ld $(BUILD)/flags
	$(Q)$(CC) $(ARCH_64) $(CPPFLAGS) -MF $@.d -MT $@ -E -P -x assembler-with-cpp $< -o $@

$(BUILD)/obj/%.c.o: %.c $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_64) -c $< -o $@

$(BUILD)/obj/%.S.o: %.S $(BUILD)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ARCH_64) $(CPPFLAGS) -g -c $< -o $@

# 32-bit code in a 64-bit image: compiled for i386, assembled as .code32 of an x86-64 object, so
# that the linker can place it, and kept apart from the kernel's sections by a prefix. (Its unwind
# notes would be those of another architecture.)
$(BUILD)/obj/boot/%.c.o: boot/%.c $(BUILD)/flags
	$(call say,CC32,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -MF $(@:.o=.d) -MT $@ $(CFLAGS_32) -S $< -o $@.32.s
	@{ echo .code32; grep -v '^[[:space:]]*\.cfi_' $@.32.s; } > $@.s
	$(Q)$(CC) $(ARCH_64) -c $@.s -o $@
	$(Q)$(OBJCOPY) --prefix-alloc-sections=.boot $@

# What runs at boot, or while a person or a disk is waited for, is compiled to be small; a mirror's
# table is not among it.
SMALL := kernel/shell/%.c kernel/dev/%.c kernel/main.c kernel/options.c kernel/mm/frame_init.c \
	kernel/mm/frame_check.c kernel/mm/kspace.c kernel/mm/kspace_boot.c kernel/mm/memmap.c \
	kernel/mm/reclaim.c kernel/mm/show.c kernel/mm/swap.c \
	kernel/lib/format.c kernel/lib/glob.c kernel/lib/ksym.c kernel/lib/panic.c \
	kernel/lib/parse.c kernel/lib/printk.c kernel/arch/x86_64/backtrace.c kernel/arch/x86_64/mmu.c \
	kernel/arch/x86_64/multiboot.c kernel/arch/x86_64/smp_start.c \
	kernel/arch/x86_64/access.c kernel/arch/x86_64/nmi.c kernel/arch/x86_64/trap_report.c \
	kernel/arch/x86_64/apic.c kernel/arch/x86_64/cpu.c kernel/arch/x86_64/clock.c kernel/proc/%.c
FAST := kernel/dev/vtd_table.c
SMALL_FLAGS := -Oz
$(patsubst %,$(BUILD)/obj/%.o,$(filter-out $(FAST),$(filter $(SMALL),$(SOURCES)))): \
	CFLAGS_64 += $(SMALL_FLAGS)

# The library's proofs, inlined into their tests in six formats, are quicker to run than to optimise.
$(BUILD)/obj/tests/kernel/test_pt_%.c.o: CFLAGS_64 += -Og

# The copying loops of these must not become calls of themselves.
$(BUILD)/obj/kernel/lib/string.c.o: CFLAGS_64 += -fno-builtin $(if $(findstring -m64,$(ARCH_64)),\
	-fno-tree-loop-distribute-patterns)

# --- The image: GRUB for BIOS and UEFI on one ISO

.PHONY: image
image: $(BUILD)/ptolemy.iso

# One commit, one image: every date in it is the commit's.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2> /dev/null || echo 1000000000)

$(BUILD)/ptolemy.iso: $(BUILD)/kernel.elf
$(BUILD)/firmware.iso: $(BUILD)/firmware.elf
$(BUILD)/%.iso: iso/grub.cfg tools/image.sh $(BUILD)/date
	$(call say,ISO,$@)
	$(Q)$(STRIP) -o $@.kernel $(filter %.elf,$^)
	$(Q)tools/image.sh $@.kernel iso/grub.cfg $@

# GRUB and the same kernel on a floppy disk that the BIOS has in its memory. A disk of QEMU's takes its
# time from the host; without one, a boot under -icount is the same to the instruction.
$(BUILD)/ptolemy.img: $(BUILD)/ptolemy.iso iso/grub.cfg tools/image.sh
	$(call say,IMG,$@)
	$(Q)tools/image.sh $<.kernel iso/grub.cfg $@

# For a test: the same kernel, entered from a firmware that left paging on.
$(BUILD)/firmware.elf: $(BUILD)/linker.ld $(OBJECTS) $(BUILD)/objects \
		$(BUILD)/obj/tests/boot/firmware.S.o $(BUILD)/ksyms_none.S.o
	$(Q)$(link) -e firmware_entry

# Changed when the way to compile changes, on which everything depends; when there are other files, so
# that the kernel is linked anew; and with the commit, whose date is in the image.
FLAGS := $(CC) $(SMALL) $(SMALL_FLAGS) $(CPPFLAGS) $(CFLAGS_64) $(CFLAGS_32) $(LDFLAGS)
$(BUILD)/flags: NOTED = $(FLAGS)
$(BUILD)/objects: NOTED = $(OBJECTS)
$(BUILD)/date: NOTED = $(SOURCE_DATE_EPOCH)
.PHONY: FORCE
$(BUILD)/flags $(BUILD)/objects $(BUILD)/date: FORCE
	@mkdir -p $(@D)
	@echo '$(NOTED)' | cmp -s - $@ || echo '$(NOTED)' > $@

# --- Using it

export LA57 SMP MEM FIRMWARE CPU ACCEL IOMMU CMDLINE QEMUFLAGS TEST SEED SCHED_SEED BOOTS BENCH BUILD READELF
IMAGE ?= ptolemy.iso
qemu := tools/qemu.sh $(BUILD)/$(IMAGE)

# The kernel leaves through QEMU's debug-exit device, which makes "all is well" a status of 33.
.PHONY: run
run: $(BUILD)/$(IMAGE)
	@$(qemu) -serial mon:stdio; status=$$?; case $$status in 0|33) ;; *) exit $$status ;; esac

.PHONY: debug
debug: image kernel
	@tools/debug.sh $(qemu)

.PHONY: test
test:
	@tests/run

# A build of its own: without tests, as poisoned frames would count, but with the workloads.
.PHONY: bench bench-image
bench-image:
	@$(MAKE) --no-print-directory PTOLEMY_TEST=0 PTOLEMY_BENCH=1 BUILD=$(BUILD)/bench image

bench: bench-image
	@tools/bench.py kernel $(BUILD)/bench/ptolemy.iso

# The same on Debian's Linux, on the same machine: its rows join the others.
.PHONY: bench-linux
bench-linux: bench-image $(BUILD)/linux/init
	@tools/linux.sh $(BUILD)/linux
	@tools/bench.py linux $(BUILD)/bench/ptolemy.iso $(BUILD)/linux/vmlinuz $(BUILD)/linux/init

$(BUILD)/linux/init: bench/linux/init.c bench/sizes.h
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static $< -o $@

# Sits at the prompt, and watches what a person is shown.
.PHONY: monitor-test
monitor-test: image
	@mkdir -p $(BUILD)/log
	@tests/monitor $(BUILD)/ptolemy.iso > $(BUILD)/log/monitor.ktap; status=$$?; \
		cat $(BUILD)/log/monitor.ktap; exit $$status

# Compares what gdb's commands say with what the monitor says.
.PHONY: debugger-test
debugger-test: image kernel
	@mkdir -p $(BUILD)/log
	@tests/debugger $(BUILD)/ptolemy.iso > $(BUILD)/log/debugger.ktap; status=$$?; \
		cat $(BUILD)/log/debugger.ktap; exit $$status

.PHONY: picture
picture: image
	@tools/picture.py $(BUILD)/ptolemy.iso

# What is there of results and measurements, and fresh pictures, in one file.
.PHONY: report
report: picture $(BUILD)/report/node_modules
	@tools/report/make.py $(BUILD)/report/node_modules

$(BUILD)/report/node_modules: tools/report/package.json tools/report/package-lock.json
	$(call say,NPM,$@)
	@mkdir -p $(@D)
	$(Q)cp $^ $(@D)
	$(Q)npm ci --silent --no-audit --no-fund --prefix $(@D)
	@touch $@

.PHONY: report-test
report-test: report
	@mkdir -p $(BUILD)/log
	@node tests/report.mjs $(BUILD)/report/node_modules > $(BUILD)/log/report.ktap; status=$$?; \
		cat $(BUILD)/log/report.ktap; exit $$status

.PHONY: check
check: image kernel
	@mkdir -p $(BUILD)/log
	+@tools/check.py > $(BUILD)/log/check.ktap; status=$$?; \
		cat $(BUILD)/log/check.ktap; exit $$status

.PHONY: format
format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: docs
docs:
	@tools/apidoc.py

.PHONY: help
help:
	$(info $(HELP))
	@:

.PHONY: clean
clean:
	rm -rf $(BUILD)

-include tests/host/host.mk libpt/libpt.mk tests/fuzz/fuzz.mk tests/defects/defects.mk \
	tests/mutants/mutants.mk tests/coverage/coverage.mk tests/soak/soak.mk \
	tests/bochs/bochs.mk tests/outside/outside.mk
-include $(OBJECTS:.o=.d) $(BUILD)/linker.ld.d
