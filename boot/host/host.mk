# SPDX-License-Identifier: MIT
#
# Holdfast as a Linux process: the kernel's sources, less what is hardware, on boot/host/.
#
# The kernel with its C library becomes one object whose names are its own (ld -r, then all but the
# doors of boot/host/host.h are made local); linux.c, with the host's C library, is linked around it. The
# program lies where boot/host/layout.h says. Flavours, each in a folder: home (build/host/holdfast),
# check (sanitizers), coverage.
#
# The explorer (tests/explore) is always in it, but for check: -DEXPLORE everywhere, and the calls that come
# to it first are turned there before the machine layer is added, whose own calls are no business of its.
# What coverage counts has no hooks; its `explore` sees nothing of that. The objects of home fit the kernel
# of EXPLORE=1 too (ANY_HOME), which is linked from them.

HOME_LESS := kernel/cpu/insn.c kernel/cpu/apic.c kernel/cpu/entry.asm kernel/cpu/trampoline.asm
HOME_SRC  := $(filter-out boot/%.c $(HOME_LESS) tests/explore/%,$(SRC)) \
	$(filter-out tests/explore/home_kernel.c,$(shell find tests/explore -name '*.c'))
HOME_ASM  := $(filter-out boot/%.asm $(HOME_LESS),$(ASM))
HOME_GLUE := boot/host/linux.c boot/host/options.c boot/host/share.c
HOME_MACH := $(filter-out $(HOME_GLUE),$(wildcard boot/host/*.c)) boot/map.c
HOME_DOORS := machine_start machine_exception machine_tick machine_off
HOME_BASE := 0x400000100000
# The C library again, for code that lies there.
HOME_LIBC := $(BASE)/newlib-host/x86_64-elf/lib/libc.a
$(HOME_LIBC):
	@tests/tools/newlib.sh $(NEWLIB_TAR) $(BASE)/newlib-host $(CC) -mcmodel=small -fPIE

# -Og: made in two thirds of the time, and gdb shows the lines in their order. What is explored has
# -O2 as in the kernel: other code makes other accesses, and both homes are to tell the same.
HOME_SEEN := $(call seen,$(HOME_SRC))
HOME_FAST := $(HOME_SEEN) $(filter-out $(HOME_SEEN),$(filter tests/explore/%.c,$(HOME_SRC)))
# What runs with every event is compiled together, as one object: a tenth of its instructions were calls.
HOME_ENGINE := $(patsubst %,tests/explore/%.c,actors alike arena chains commit dpor enabled freed halts hooks mmu moment outcomes owed point race rule run \
	shared strategy sync timers tso undo wrap_irq wrap_lock wrap_memory wrap_sched)
HOME_ONE := $(BASE)/home/obj/tests/explore/engine.o
HOME_CFLAGS = $(filter-out -O2 -DEXPLORE -mcmodel=kernel -fno-pic -fno-pie -mpreferred-stack-boundary=3 -malign-data=abi,$(CFLAGS)) \
	-Og -malign-data=abi -fPIE -mpreferred-stack-boundary=4 -DEXPLORE $(HOME_ONLY)
HOME_ONLY := -DHOST_HOME
# Called from stacks of any alignment.
HOME_GLUE_CFLAGS := -std=gnu11 -O2 -g $(WARN) -fPIE -mstackrealign -mincoming-stack-boundary=3 -fno-omit-frame-pointer -I.
HOME_LDFLAGS = -no-pie -Wl,--no-relax -nostartfiles -Wl,-Ttext-segment=$(HOME_BASE) -Wl,-T,boot/host/image.ld -Wl,-z,norelro -Wl,-z,noexecstack -Wl,--build-id=none \
	$(foreach d,__text_start=__executable_start __text_end=(etext+4095)&~4095 __rodata_start=__text_end \
	hf_data_start=ADDR(.data)&~4095 __rodata_end=hf_data_start,-Wl,--defsym='$(d)')
COMMA := ,
HOME_KSYMS := __start_ksyms __stop_ksyms ksym_names ksym_lines ksym_files
# $(1): the file to make; $(2): folder of the objects; $(3), $(4): more arguments.
home_link = $(CC) $(HOME_LDFLAGS) -o $(1) $(call crt,Scrt1.o) $(call crt,crti.o) $(call crt,crtbeginS.o) \
	$(2)/kernel.o $(HOME_GLUE:%=$(2)/obj/%.o) $(4) $(3) $(call crt,crtendS.o) $(call crt,crtn.o)
crt = $(shell $(CC) -print-file-name=$(1))

# Where the plain home's objects of sources are: those of self-tests are the kernel's (ANY, Makefile).
plain_home = $(patsubst %,$(BASE)/obj/%.o,$(filter $(ANY),$(1))) \
	$(patsubst %,$(BASE)/home/obj/%.o,$(filter-out $(ANY),$(1)))
HOME_OWN := $(filter-out $(ANY),$(HOME_SRC)) boot/host/% boot/map.c

# $(1): folder of the objects; $(2): more flags for the kernel; $(3): more for linking; $(4): the program;
# $(5): what of the sources has these flags, as patterns; of the others the plain home's objects are taken.
# FLAVOUR_SRC: sources that only this one has; FLAVOUR_OUT: that it has not, and no explorer; FLAVOUR_LD:
# words for ld -r.
define home
$(1)_OBJ := $(patsubst %,$(1)/obj/%.o,$(filter $(5),$(filter-out $($(notdir $(1))_OUT) $(HOME_ENGINE),$(HOME_SRC))) \
	$($(notdir $(1))_SRC)) $(if $($(notdir $(1))_OUT),,$(HOME_ONE)) \
	$(call plain_home,$(filter-out $(5) $(HOME_ENGINE),$(HOME_SRC))) $(HOME_ASM:%=$(BASE)/obj/%.o) \
	$(addprefix $(BASE)/,scratch_tiny.asm.o scratch_small.asm.o scratch_large.asm.o scratch_huge.asm.o)
$(1)_MACH := $(patsubst %,$(1)/obj/%.o,$(filter $(5),$(HOME_MACH))) \
	$(patsubst %,$(BASE)/home/obj/%.o,$(filter-out $(5),$(HOME_MACH))) $(BASE)/obj/boot/host/entry.asm.o
$(1)/obj/tests/kernel/seed/test_seed_s4.c.o: HOME_MORE := $(2) -DBUILD_WARNINGS='"$(filter -W%,$(CFLAGS))"'
$(1)/obj/%.c.o: HOME_MORE := $(2)
# Other flags make other objects; a new Makefile by itself does not.
$(1)_FLAGS := $$(HOME_CFLAGS) $(2) $(SEEN_CFLAGS) $(PER_HOME)
$(1)/flags: FORCE
	$$(shell mkdir -p $$(@D))$$(file >$$@.new,$$($(1)_FLAGS))
	@cmp -s $$@.new $$@ || cp $$@.new $$@
$(1)/obj/%.c.o: %.c $(1)/flags | $(LIBC)
	$$(call compile,CC,$$<) $$(CC) $$(HOME_CFLAGS) $$(HOME_MORE) -MMD -MP -c $$< -o $$@
$(HOME_GLUE:%=$(1)/obj/%.o): $(1)/obj/%.c.o: %.c boot/host/host.mk
	$$(call compile,HOSTCC,$$<) $$(CC) $$(HOME_GLUE_CFLAGS) -MMD -MP -c $$< -o $$@
$(1)/kernel.o: $$($(1)_OBJ) $$($(1)_MACH) $(HOME_LIBC) boot/host/explorer.ld boot/host/machine.ld
	@ld -r -z noexecstack $(if $($(notdir $(1))_OUT),,-T boot/host/explorer.ld $(WRAPS)) $($(notdir $(1))_LD) \
		-o $(1)/sources.o --start-group $$($(1)_OBJ) $(HOME_LIBC) --end-group
	@ld -r -z noexecstack $(if $($(notdir $(1))_OUT),,-T boot/host/machine.ld) -o $$@ $(1)/sources.o $$($(1)_MACH)
	@objcopy $(HOME_DOORS:%=--keep-global-symbol=%) --redefine-sym __data_start=hf_data_start \
		--set-section-alignment .data=4096 $$@
# Twice, as the kernel is (see the Makefile): the second time with names and lines.
$(4): $(1)/kernel.o $(HOME_GLUE:%=$(1)/obj/%.o) tests/tools/ksyms.py tests/tools/dwarf_lines.py
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	@$$(call home_link,$(1)/pass1,$(1),$(3),$$(patsubst %,-Wl$$(COMMA)--defsym=%=_end,$$(HOME_KSYMS) ksym_data ksym_data_end))
	@PYTHONDONTWRITEBYTECODE=1 $$(PYTHON) tests/tools/ksyms.py $(1)/pass1 0x400000000000 >$(1)/ksyms.asm
	@PYTHONDONTWRITEBYTECODE=1 $$(PYTHON) tests/tools/datasyms.py $(1)/pass1 hf_data_start >>$(1)/ksyms.asm
	@nasm -f elf64 -o $(1)/ksyms.o $(1)/ksyms.asm
	@$$(call home_link,$$@,$(1),$(3),$(1)/ksyms.o $$(filter-out _%,$$(foreach s,$$(HOME_KSYMS),\
		$$(if $$(filter _%,$$(s)),,-Wl,--defsym='$$(s)=ADDR($$(s))'))))
	@[ "$$$$(nm $(1)/pass1 | grep -w _etext)" = "$$$$(nm $$@ | grep -w _etext)" ] || \
		{ echo "$$@: the tables of symbols moved the code that they are about" >&2; rm $$@; false; }
-include $$(patsubst %.o,%.d,$$($(1)_OBJ) $$($(1)_MACH)) $(HOME_GLUE:%=$(1)/obj/%.d) $(BASE)/obj/boot/host/entry.asm.o.d
endef

HEAP_WRAP := $(addprefix --wrap=,_malloc_r _free_r _calloc_r _realloc_r _memalign_r _malloc_usable_size_r)
home_SRC := boot/host/heap/heap.c
home_LD  := $(HEAP_WRAP)
$(eval $(call home,$(BASE)/home,,,$(BASE)/host/holdfast,$(HOME_OWN)))
$(HOME_SEEN:%=$(BASE)/home/obj/%.o): HOME_MORE := $(SEEN_CFLAGS)
$(HOME_FAST:%=$(BASE)/home/obj/%.o): HOME_MORE += -O2
HOME_TOGETHER := -O3 -fomit-frame-pointer -foptimize-sibling-calls -flto
$(HOME_ENGINE:%=$(BASE)/home/obj/%.o): HOME_MORE += $(HOME_TOGETHER)
# The same in the kernel, one by one.
ifeq ($(filter 1,$(EXPLORE)),1)
$(patsubst %,$(B)/obj/%.o,$(filter-out tests/explore/wrap_%,$(HOME_ENGINE))): CFLAGS += $(filter-out -flto,$(HOME_TOGETHER)) -momit-leaf-frame-pointer
endif
# What stands between the kernel and its own functions is a frame of the chain, or its caller is none.
$(patsubst %,$(BASE)/home/obj/%.o,$(filter tests/explore/wrap_%,$(HOME_ENGINE))): HOME_MORE += -fno-omit-frame-pointer
$(HOME_ONE): $(HOME_ENGINE:%=$(BASE)/home/obj/%.o)
	$(call say,LD,$@)
	@$(CC) $(HOME_CFLAGS) $(HOME_TOGETHER) -r -nostdlib -flto-partition=one -flinker-output=nolto-rel -o $@ $^
-include $(HOME_ENGINE:%=$(BASE)/home/obj/%.d)
$(HOME_MACH:%=$(BASE)/home/obj/%.o): HOME_MORE := -UEXPLORE
# Also linked into the kernel with EXPLORE=1; bench.h has a constant that says which of the two it is in.
HOME_ANY := $(filter-out $(ANY) $(call one_home,$(HOME_SRC)) tests/kernel/bench/%,$(HOME_SRC))
$(HOME_ANY:%=$(BASE)/home/obj/%.o): HOME_ONLY := -DANY_HOME
$(eval $(call home,$(BASE)/coverage,--coverage -Wno-maybe-uninitialized,--coverage,$(BASE)/coverage/holdfast,mm/% dax/%))

# The debug build under the compiler's sanitizers (boot/host/check). The allocators' own files touch what
# is closed to all others, and the machine layer stands for hardware: they are compiled without.
check_SRC := $(wildcard boot/host/check/*.c)
check_LD  := $(HEAP_WRAP)
check_OUT := tests/explore/%
CHECKED_CALLS := memcpy memmove memset memcmp strlen strcmp strcpy strncpy
CHECK_FLAGS := -UEXPLORE -DDEBUG -DSHADOW -fsanitize=kernel-address,undefined -fasan-shadow-offset=0x500000000000 \
	-fsanitize-address-use-after-scope --param asan-stack=1 --param asan-globals=1 \
	--param asan-instrument-allocas=0 --param asan-instrumentation-with-call-threshold=0 \
	$(foreach f,$(CHECKED_CALLS),-D$(f)=checked_$(f)) -Wno-maybe-uninitialized
CHECK_PLAIN := $(HOME_MACH) $(addprefix boot/host/check/,shadow.c asan.c ubsan.c) \
	$(addprefix kernel/lib/,heap_debug.c memdebug.c test_memdebug.c) \
	$(addprefix mm/frames/,slab.c slab_debug.c frames.c frames_debug.c test_memdebug.c)
$(eval $(call home,$(BASE)/check,$(CHECK_FLAGS),,$(BASE)/check/holdfast,%))
$(CHECK_PLAIN:%=$(BASE)/check/obj/%.o): HOME_MORE := -UEXPLORE -DDEBUG -DSHADOW

# $(1): the program; $(2): commands. What it prints is kept beside it; how far its self-tests are is told.
define home_run
	$(call say,RUN,$(1) -c "$(2)")
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/home_run.py $(1) "$(2)"; status=$$?;
endef
host-check: $(BASE)/check/holdfast $(BASE)/check/pmem0.img
	$(call home_run,$<,selftest) exit $$status

# The self-tests under valgrind's memory checker, each group in a process of its own. NAMES: these groups.
host-valgrind: host
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/memcheck.py -j "$${JOBS:-1}" $$NAMES

# Which lines and branches of mm/ and dax/ the self-tests, races and invariants reach; the self-tests that
# lie there are not counted. What failed in them is shown, and is the status. Without explore.*, which needs
# the hooks.
coverage: $(BASE)/coverage/holdfast $(BASE)/coverage/pmem0.img
	@find $(BASE)/coverage -name '*.gcda' -delete
	$(call home_run,$<,selftest [!e]* e[!x]* ex[!p]*; race all; check) \
		gcovr -r . --filter mm/ --filter dax/ --exclude '.*/test_.*' --html-title 'Holdfast: mm and dax' \
		--object-directory $(BASE)/coverage/obj --html-details $(BASE)/coverage/index.html \
		--print-summary $(BASE)/coverage/obj && exit $$status

# Kept between runs, as build/pmem0.img is.
HOME_PMEM0 := $(foreach d,host check coverage,$(BASE)/$(d)/pmem0.img)
$(HOME_PMEM0):
	$(call say,MKFS,$@)
	@mkdir -p $(@D)
	@PATH="$$PATH:/usr/sbin:/sbin" mkfs.ext4 -q -F -b 4096 -I 256 -O $(SCRATCH) $@ 1G 2>/dev/null
