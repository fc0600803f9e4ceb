# SPDX-License-Identifier: MIT
#
# How far a build is: `CC      [ 37/412] mm/gup/gup.c` is the 37th of 412 files that this make compiles.
#
# make finds what is out of date while it works, and knows no total. So before the first compiler is started, and only
# then (TO_COMPILE replaces itself), to_compile.py looks at every object that the goals stand on, as make will. Files are
# numbered as they are begun, by make itself, so that -j does not disturb the count. A goal that is in none of these
# lists has no numbers, and so has V=1, which shows the commands.

ON_KERNEL := all run show show-check test quick bench bench-peer museum mutants handout grade-all test-labs book test-book \
	quotes timelines docs $(if $(TOKEN),,debug) $(KERNEL) $(B)/k.elf
ON_HOME := host handout grade-all test-labs book test-book explore-count explore-ratio explore-faults explore-three explore-peer \
	$(if $(TOKEN),debug) $(if $(DIR),grade) $(BASE)/host/holdfast
ON_HOST_TESTS := test quick host-test
GOALS := $(or $(MAKECMDGOALS),all)

# $(1): goals; $(2): objects that these stand on.
wanted_by = $(if $(filter $(1),$(GOALS)),$(2))
home_wants = $($(1)_OBJ) $($(1)_MACH) $(HOME_GLUE:%=$(1)/obj/%.o) $(if $($(notdir $(1))_OUT),,$(HOME_ENGINE:%=$(BASE)/home/obj/%.o))
host_test_wants = $(BASE)/host/obj/tests/host/one_case.c.o $($(notdir $(1))_OBJ)
WANTED = $(call wanted_by,$(ON_KERNEL),$(OBJ) $(EFI_OBJ)) $(call wanted_by,$(ON_HOME),$(call home_wants,$(BASE)/home)) \
	$(call wanted_by,host-check,$(call home_wants,$(BASE)/check)) $(call wanted_by,coverage,$(call home_wants,$(BASE)/coverage)) \
	$(foreach t,$(if $(filter $(ON_HOST_TESTS),$(GOALS)),$(HOST_BIN),$(filter $(HOST_BIN),$(GOALS))),$(call host_test_wants,$(t)))

# Kinds of objects, by what all of a kind stand on (their rules): a line for to_compile.py each. A home whose flags are
# others now is compiled again, and its file of flags may not have been written yet. (What make 4.3 reads from a file may end
# in a line feed, or not.)
differ = $(subst x$(1)x,,x$(2)x)$(subst x$(2)x,,x$(1)x)
HOMES := $(BASE)/home $(BASE)/check $(BASE)/coverage
GLUES := $(foreach h,$(HOMES),$(HOME_GLUE:%=$(h)/obj/%.o))
define kinds
boot/host/host.mk: $(filter $(GLUES),$(1))
$(foreach h,$(HOMES),$(if $(call differ,$(strip $(file <$(h)/flags)),$(strip $($(h)_FLAGS))),always,$(h)/flags): $(filter-out $(GLUES),$(filter $(h)/%,$(1)))
)
Makefile: $(filter $(BASE)/host/% %.asm.o,$(1))
Makefile $(BASE)/toolchain: $(filter-out $(HOMES:%=%/%) $(BASE)/host/% %.asm.o,$(1))
endef
NOT_COMPILED := $(BASE)/scratch_% $(COPIED) $(HOME_ONE)
LIST := $(BASE)/to_compile.$(MAKELEVEL)
# $(1): objects. Value: the piece of printf's format that takes the number of a file; `%.0s` takes it and says nothing.
counted = $(if $(strip $(1)),$(file >$(LIST),$(call kinds,$(1)))$(shell $(PYTHON) tests/tools/to_compile.py <$(LIST)))
TO_COMPILE = $(eval TO_COMPILE := $(or $(if $(filter 1,$(V)),,$(call counted,$(filter-out $(NOT_COMPILED),$(WANTED)))),%.0s))$(TO_COMPILE)
NUMBER = $(eval BEGUN += x)$(words $(BEGUN))
