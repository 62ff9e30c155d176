# Everything, with random seeds, for a long time: `make soak MINUTES=n`. See tests/soak/run.

.PHONY: soak
soak: image fuzz-build
	@MINUTES=$(MINUTES) tests/soak/run
