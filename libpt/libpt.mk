# The page-table library by itself: `make libpt` installs libpt.a, its headers and a pkg-config file
# below DESTDIR and PREFIX; without either, below build/libpt. See docs/porting.md.
#
# The object is freestanding, uses no SIMD registers and no red zone, and may be linked anywhere.

LIBPT := $(BUILD)/libpt
PREFIX ?= $(abspath $(LIBPT))
LIBPT_ROOT := $(DESTDIR)$(PREFIX)
LIBPT_HEADERS := libpt/libpt.h $(sort $(wildcard kernel/mm/pt/*.h)) \
	$(addprefix kernel/arch/x86_64/include/arch/,pt_cpu.h pt_format.h)
LIBPT_CFLAGS = $(ARCH_64) $(filter-out -fno-pic -fno-pie,$(CFLAGS_BOTH)) -g -fPIE -mno-red-zone

$(LIBPT)/obj/libpt.o: libpt/libpt.c $(LIBPT_HEADERS) $(sort $(wildcard kernel/mm/pt/*.c)) $(BUILD)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -Ilibpt -Ikernel -Ikernel/arch/x86_64/include -ffile-prefix-map=$(CURDIR)=. \
		$(LIBPT_CFLAGS) -c $< -o $@

# The compiler looks for <libpt.h>, <mm/pt/...> and <arch/...> below one directory.
.PHONY: libpt
libpt: $(LIBPT)/obj/libpt.o
	$(call say,INSTALL,$(LIBPT_ROOT))
	$(Q)install -d $(addprefix $(LIBPT_ROOT)/,lib/pkgconfig $(addprefix include/ptolemy/,mm/pt arch))
	$(Q)rm -f $(LIBPT_ROOT)/lib/libpt.a
	$(Q)$(AR) rcD $(LIBPT_ROOT)/lib/libpt.a $<
	$(Q)install -m 644 libpt/libpt.h $(LIBPT_ROOT)/include/ptolemy
	$(Q)install -m 644 kernel/mm/pt/*.h $(LIBPT_ROOT)/include/ptolemy/mm/pt
	$(Q)install -m 644 $(filter %/pt_cpu.h %/pt_format.h,$(filter kernel/arch/%,$(LIBPT_HEADERS))) \
		$(LIBPT_ROOT)/include/ptolemy/arch
	$(Q)sed 's|@PREFIX@|$(PREFIX)|' libpt/libpt.pc.in > $(LIBPT_ROOT)/lib/pkgconfig/libpt.pc

# A foreign kernel that uses what was installed and nothing else, booted.
.PHONY: libpt-test
libpt-test:
	@$(MAKE) --no-print-directory libpt DESTDIR= PREFIX=$(abspath $(LIBPT))
	@mkdir -p $(BUILD)/log
	@PKG_CONFIG_PATH=$(abspath $(LIBPT))/lib/pkgconfig $(MAKE) --no-print-directory \
		-C docs/examples/tiny OUT=$(abspath $(BUILD)/tiny) CC='$(CC)'
	@docs/examples/tiny/boot.sh $(BUILD)/tiny/tiny.elf > $(BUILD)/log/libpt.ktap; status=$$?; \
		cat $(BUILD)/log/libpt.ktap; exit $$status
