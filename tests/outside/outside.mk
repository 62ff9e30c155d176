# QEMU's own walker against the kernel's dump: `make outside-test`. See tests/outside/run.

.PHONY: outside-test
outside-test: image
	@mkdir -p $(BUILD)/log
	@tests/outside/run > $(BUILD)/log/outside.ktap; status=$$?; \
		cat $(BUILD)/log/outside.ktap; exit $$status
