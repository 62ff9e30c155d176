/* The command line, as boot/ reads it before paging and as the kernel reads it: they must agree. */
#include <stdlib.h>
#include <string.h>

#include <boot/boot.h>
#include <options.h>
#include <tests/fuzz/fuzz.h>

static unsigned report_count;

static void count_report(const char *text)
{
	if (strnlen(text, 1024) == 1024)
		fuzz_fail("a report has no end");
	report_count++;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	static struct options out;
	char line[OPTIONS_CMDLINE_MAX];
	enum boot_la57 early;

	fuzz_text(data, size, line, sizeof(line));
	early = boot_cmdline_la57((struct boot_text){ line, (uint32_t)strlen(line) },
				  BOOT_LA57_AUTO);
	report_count = 0;
	options_parse(&out, line, count_report);
	if (report_count != out.error_count)
		fuzz_fail("errors and reports do not add up");
	if (strnlen(out.test, sizeof(out.test)) == sizeof(out.test) ||
	    strnlen(out.run, sizeof(out.run)) == sizeof(out.run))
		fuzz_fail("an option has no end");
	if (!out.error_count && (unsigned)early != (unsigned)out.la57)
		fuzz_fail("boot/ and the kernel read la57= differently");
}
