# The mutation score of the host's suite: `make mutants`, MUTANTS=count, SEED=n, FILE=glob; one
# change alone, and what the tests say of it: MUTANT=name. See tests/mutants/run.

MUTANTS ?= 300
FILE ?=
MUTANT ?=
MUTANTS_LOG := $(BUILD)/log/mutants.log

.PHONY: mutants
mutants:
	@mkdir -p $(BUILD)/log
	@$(if $(MUTANT),nice tests/mutants/run $(MUTANT),\
		nice tests/mutants/run $(MUTANTS) $(FILE) >$(MUTANTS_LOG); status=$$?; \
		sed -n '/^# survivors by/,$$p' $(MUTANTS_LOG); exit $$status)
