# The tests in another emulator: `make test-bochs`. See tests/bochs/run.

.PHONY: test-bochs
test-bochs: image
	@tests/bochs/run $(BOCHS)
