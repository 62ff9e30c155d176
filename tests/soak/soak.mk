# Everything, with random seeds, for a long time: `make soak MINUTES=n`. See tests/soak/run.

.PHONY: soak
soak: image $(BUILD)/ptolemy.img fuzz-build
	@MINUTES=$(MINUTES) tests/soak/run

# Does it see what fails?
.PHONY: soak-test
soak-test: image $(BUILD)/ptolemy.img
	@mkdir -p $(BUILD)/log
	@tests/soak/test > $(BUILD)/log/soak-test.ktap; status=$$?; \
		cat $(BUILD)/log/soak-test.ktap; exit $$status
