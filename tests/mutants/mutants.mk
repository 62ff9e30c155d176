# The mutation score of the host's suite: `make mutants`, MUTANTS=count, SEED=n. See
# tests/mutants/run.

MUTANTS ?= 300

.PHONY: mutants
mutants:
	@mkdir -p $(BUILD)/log
	@nice tests/mutants/run $(MUTANTS) > $(BUILD)/log/mutants.log; status=$$?; \
		sed -n '/^[0-9/]* survived/p;/^# /p' $(BUILD)/log/mutants.log; exit $$status
