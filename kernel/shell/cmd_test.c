/*
 * `test`: run tests from the monitor.
 *
 * Talks to: tests/kernel/runner.
 */
#include <shell/shell.h>
#include <tests/kernel/test.h>

#if PTOLEMY_TEST
SHELL_COMMAND(test, "work", "test <globs>",
	      "run the tests that match, for example: test frame,pt.map_*; `test *` runs all")
{
	struct test_result result = test_run(argv[1]);

	shell_failure_count += result.failed;
	return !result.failed;
}
#endif
