# Seeded defects, each of which a test must catch: `make defects`, DEFECTS=glob. See tests/defects/run.

.PHONY: defects
defects: image
	@mkdir -p $(BUILD)/log
	@tests/defects/run $(DEFECTS) > $(BUILD)/log/defects.ktap; status=$$?; \
		cat $(BUILD)/log/defects.ktap; exit $$status
