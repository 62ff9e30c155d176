# Which lines and branches of kernel/mm the host's suite comes to: `make coverage`. See
# tests/coverage/run.

.PHONY: coverage
coverage:
	@find $(BUILD)/host/gcc-cov -name '*.gcda' -delete 2> /dev/null || true
	@$(MAKE) --no-print-directory HOST_VARIANTS=gcc-cov host-run-gcc-cov
	@BUILD=$(BUILD) tests/coverage/run $(BUILD)/host/gcc-cov
