/*
 * `test`: run tests from the monitor.
 *
 * Talks to: tests/kernel/runner.
 */
#include <shell/shell.h>
#include <tests/kernel/test.h>

#if PTOLEMY_TEST
SHELL_COMMAND(test, "test <globs>", "run the tests that match, for example: test frame,pt.map_*")
{
	if (argc != 2)
		return shell_usage(argv[0]);

	struct test_result result = test_run(argv[1]);

	shell_failure_count += result.failed;
	return !result.failed;
}
#endif
