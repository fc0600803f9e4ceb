# SPDX-License-Identifier: MIT
#
# Holdfast. `make help` lists what can be made and which variables there are.
#
# Reading order: (1) is everything installed, (2) the kernel from whatever sources exist,
# (3) newlib, (4) the EFI loader, (5) host tests, (6) the home in a Linux process,
# (7) run, test, debug and the rest.
# stdout belongs to the serial line of `make run`: everything said here goes to stderr.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -rR --no-print-directory
# As many compilers at a time as there are CPUs, unless -j says another number.
ifeq ($(MAKELEVEL)$(findstring -j,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
ifeq ($(V),1)
.SHELLFLAGS := -xc
endif

# With DEBUG=1 the kernel that watches itself, in a folder of its own: neither build disturbs the other.
DEBUG  ?=
ifeq ($(filter-out 0 1,$(DEBUG)),)
else
$(error DEBUG=$(DEBUG) is neither 1 (on) nor 0 or empty (off))
endif
# With EXPLORE=1 the kernel that runs all orders of its own events (tests/explore), likewise.
EXPLORE ?=
ifneq ($(filter-out 0 1,$(EXPLORE)),)
$(error EXPLORE=$(EXPLORE) is neither 1 (on) nor 0 or empty (off))
endif
ifeq ($(filter 1,$(DEBUG))$(filter 1,$(EXPLORE)),11)
$(error DEBUG=1 and EXPLORE=1 are two kernels: build one, then the other)
endif
BASE   := build
B      := $(BASE)$(if $(filter 1,$(DEBUG)),/debug)$(if $(filter 1,$(EXPLORE)),/explore)
CC     := gcc
PYTHON := /usr/bin/python3
say     = @printf '  %-7s %s\n' $(1) '$(2)' >&2
# The same before a compiler, and the folder for what it makes, in the one process that becomes it: a
# start of a process costs a third of what the compiler takes. With how far the build is (compiling.mk).
compile = @[ -d $(@D) ] || mkdir -p $(@D); printf '  %-7s $(TO_COMPILE)%s\n' $(1) $(NUMBER) '$(2)' >&2; exec

# ---- (1) what must be there before anything is built ----

ifneq ($(filter-out clean clean-systems test-systems help preflight,$(or $(MAKECMDGOALS),all)),)
GROUPS  := $(if $(filter debug test,$(MAKECMDGOALS)),debug) $(if $(filter format%,$(MAKECMDGOALS)),format) $(if \
	   $(filter docs,$(MAKECMDGOALS)),docs) $(if $(filter coverage,$(MAKECMDGOALS)),gcovr) $(if $(filter explore-peer,$(MAKECMDGOALS)),spin) $(if \
	   $(filter explore-count host-valgrind test,$(MAKECMDGOALS)),valgrind) $(if $(filter test,$(MAKECMDGOALS)),ndctl) $(if \
	   $(filter explain-check show-check test-book,$(MAKECMDGOALS)),browser) $(if $(filter grade-all test-labs test,$(MAKECMDGOALS)),grader) $(if \
	   $(filter book test-book,$(MAKECMDGOALS)),book)
PROBLEM := $(shell CC='$(CC)' tests/tools/deps.sh $(BASE)/config.mk $(GROUPS))
ifneq ($(PROBLEM),)
$(error $(PROBLEM))
endif
include $(BASE)/config.mk
GCC_INCLUDE := $(shell $(CC) -print-file-name=include)
LIBGCC      := $(shell $(CC) -print-libgcc-file-name)
endif

# ---- (2) the kernel ----

# A handout (tests/tools/handout.py) has some objects in place of their sources.
-include labs/handout/solved.mk

# Whatever lies in the floors' folders; boot/efi is a program of its own. The explorer's kernel has its
# scenarios, and what they share with the self-tests, instead of the self-tests, races and benches.
FLOORS := kernel mm drivers dax $(if $(filter 1,$(EXPLORE)),tests/kernel/lib tests/explore,tests/kernel)
SRC := $(sort $(wildcard boot/*.c) $(filter-out tests/explore/home_host.c,$(shell find $(FLOORS) -name '*.c')) \
	$(if $(filter 1,$(EXPLORE)),,$(HANDOUT_SRC)))
ASM := $(sort $(wildcard boot/*.asm) $(shell find $(FLOORS) -name '*.asm'))
# The self-tests are compiled once, for every build: plain, debug, the explorer's, in a process
# (ANY_BUILD in kernel/lib/lib.h), less those that ask which one it is.
PER_BUILD := kernel/lib/test_memdebug.c kernel/sync/test_lock.c kernel/sync/test_lock_order.c \
	mm/device/test_memremap_help.c mm/frames/test_memdebug.c mm/frames/test_memory.c \
	tests/kernel/unit/test_records_next.c
tests_of = $(foreach f,$(filter-out tests/explore/%,$(1)),$(if $(filter test_%,$(notdir $f)),$f))
TEST_SRC := $(sort $(filter-out tests/kernel/bench/% tests/kernel/lib/%,$(filter tests/kernel/%,$(SRC))) $(call tests_of,$(SRC)))
ANY   := $(filter-out $(PER_BUILD),$(TEST_SRC))
# The explorer's two homes, this kernel and a process (boot/host/host.mk), are linked from the same
# objects, less what knows at compile time which home it is in.
PER_HOME := boot/% kernel/cpu/insn.c kernel/cpu/apic.c mm/frames/kvirt.c mm/frames/test_memory.c mm/space/anon.c
one_home = $(filter $(PER_HOME),$(1)) $(filter-out tests/explore/scenarios/%,$(filter tests/explore/%,$(1)))
SHARED := $(if $(filter 1,$(EXPLORE)),$(filter-out $(call one_home,$(SRC)) $(ANY),$(SRC)))
OBJ := $(patsubst %,$(B)/obj/%.o,$(filter-out $(SHARED) $(ANY),$(SRC))) $(SHARED:%=$(BASE)/home/obj/%.o) \
	$(ANY:%=$(BASE)/obj/%.o) $(ASM:%=$(BASE)/obj/%.o)

NL   := $(BASE)/newlib/x86_64-elf
LIBC := $(NL)/lib/libc.a

WARN   := -Wall -Wextra -Werror
# From NASM 2.16.03 on -Wall counts every relocation as a warning; before, that name is unknown.
NASM_WARN := -Wall -Wno-unknown-warning -Wno-reloc -Werror
# No SSE, so no stack aligned for it; no red zone (interrupts use the same stack), frame pointers for
# backtraces.
# newlib 4 warns of its <sys/tree.h> unless it is told that we know: it is deprecated, not changed.
# malign-data=abi: the entries of a registry (linker.ld) must lie without gaps.
CFLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding -fno-omit-frame-pointer \
	-mno-omit-leaf-frame-pointer -fno-optimize-sibling-calls -fno-stack-protector -fno-pic \
	-fno-pie -mno-red-zone -mcmodel=kernel -mgeneral-regs-only \
	-mpreferred-stack-boundary=3 -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections -malign-data=abi \
	-U_FORTIFY_SOURCE -D__DYNAMIC_REENT__ -D__PERMIT_DEPRECATED_SYS_TREE_H -nostdinc -isystem $(NL)/include -isystem $(GCC_INCLUDE) -I.
LDFLAGS := -nostdlib -static -n -z max-page-size=4096 -z noexecstack --build-id=none \
	--gc-sections --no-warn-rwx-segments -T linker.ld
ANY_CFLAGS := $(filter-out -O2 -mcmodel=kernel -fno-pic -fno-pie,$(CFLAGS)) -Og -fPIE -DANY_HOME -DANY_BUILD
# What the debug build puts in front of newlib's heap (kernel/lib/heap_debug.c).
ifeq ($(filter 1,$(DEBUG)),1)
# -Og: gdb shows the lines in their order, and gcc takes two thirds of the time.
CFLAGS  := $(subst -O2,-Og,$(CFLAGS)) -DDEBUG
LDFLAGS += $(addprefix --wrap=,_malloc_r _free_r _calloc_r _realloc_r _memalign_r _malloc_usable_size_r)
endif
# What the compiler lets the explorer see (of the files that a scenario can reach), and the functions
# whose calls come to it first. The home in a Linux process has both always.
seen = $(foreach f,$(filter kernel/sync/% kernel/sched/% mm/% dax/% drivers/% tests/kernel/lib/% \
	tests/explore/scenarios/%,$(1)),$(if $(filter test_%,$(notdir $f)),,$f))
SEEN_CFLAGS := -fsanitize=thread --param tsan-distinguish-volatile=1 \
	--param tsan-instrument-func-entry-exit=0 -Wno-tsan -Wno-maybe-uninitialized \
	-fno-builtin-memset -fno-tree-loop-distribute-patterns -mmemset-strategy=libcall:-1:noalign
WRAPS := $(addprefix --wrap=,irq_save irq_enable irq_disable cpu_pause smp_mb store_fence cache_writeback \
	cpu_by_id cpus_online cpu_call tlb_flush_page_local tlb_flush_all_local write_cr3 copy_cached \
	memcpy memmove memset strncpy vsnprintf snprintf malloc calloc realloc free \
	frame_alloc frame_alloc_zero frame_free slab_alloc slab_free holder_add holder_remove \
	sched_sleep sched_wake sched_wake_irqs_off thread_yield thread_create thread_join thread_exit \
	thread_describe timer_arm timer_cancel timer_cancel_wait clock_ns \
	report_nmi panic panic_frame panic_address assert_failed kprintf kvprintf warn notice_post \
	spin_trylock spin_held spin_lock_irqsave spin_unlock_irqrestore mutex_lock mutex_trylock \
	mutex_unlock mutex_held down_write down_read_trylock down_write_trylock up_write rwsem_held)
ifeq ($(filter 1,$(EXPLORE)),1)
CFLAGS  += -DEXPLORE
LDFLAGS += $(WRAPS)
# What PER_HOME names; the other home has them in host.mk.
$(patsubst %,$(B)/obj/%.o,$(call seen,$(call one_home,$(SRC)))): CFLAGS += $(SEEN_CFLAGS)
endif
LIBS := --start-group $(LIBC) $(LIBGCC) --end-group

KERNEL := $(B)/holdfast.elf
LOADER := $(if $(wildcard boot/efi/*.c),$(BASE)/efi/BOOTX64.EFI)

all: $(KERNEL) $(B)/k.elf $(LOADER)

# Tests are more than half of the image, which stays in RAM, and nobody times them: -Og makes them a third
# smaller, in half the time. Not so the benchmarks, and the fixtures that these use.
$(patsubst %,$(B)/obj/%.o,$(filter-out $(ANY),$(TEST_SRC))): CFLAGS += -Og

# What the compiler is told about warnings, for the self-test that asks (seed.s4.11).
WARNED := $(filter -W%,$(CFLAGS))
$(BASE)/obj/tests/kernel/seed/test_seed_s4.c.o: ANY_CFLAGS += -DBUILD_WARNINGS='"$(WARNED)"'
$(filter-out $(HANDOUT_OBJ),$(ANY:%=$(BASE)/obj/%.o)): $(BASE)/obj/%.c.o: %.c Makefile $(BASE)/toolchain | $(LIBC)
	$(call compile,CC,$<) $(CC) $(ANY_CFLAGS) -MMD -MP -c $< -o $@

$(B)/obj/%.c.o: %.c Makefile $(BASE)/toolchain | $(LIBC)
	$(call compile,CC,$<) $(CC) $(CFLAGS) -MMD -MP -c $< -o $@

$(BASE)/obj/%.asm.o: %.asm Makefile
	$(call compile,NASM,$<) nasm -f elf64 -g -F dwarf $(NASM_WARN) -I. -MD $@.d -MP -o $@ $<

# Fresh file systems for scratch devices (race, bench, self-tests) and, the tiny one, for power cuts: made by
# mkfs.ext4, carried in the kernel as the blocks that they have in use. Arguments: bytes, inodes, features.
OBJ += $(BASE)/scratch_tiny.asm.o $(BASE)/scratch_small.asm.o $(BASE)/scratch_large.asm.o $(BASE)/scratch_huge.asm.o
SCRATCH := none,filetype,extent,sparse_super,large_file,extra_isize
$(BASE)/scratch_tiny.asm: SHAPE := 1048576 64 $(SCRATCH)
$(BASE)/scratch_small.asm: SHAPE := 16777216 128 $(SCRATCH)
$(BASE)/scratch_large.asm: SHAPE := 1073741824 128 $(SCRATCH)
$(BASE)/scratch_huge.asm: SHAPE := 17179869184 1048576 $(SCRATCH),uninit_bg,flex_bg,64bit,huge_file
$(BASE)/scratch_%.asm: tests/tools/scratch.py
	$(call say,MKFS,$@)
	@mkdir -p $(@D)
	@PATH="$$PATH:/usr/sbin:/sbin" $(PYTHON) $< $(basename $(@F)) $(SHAPE) $(@D) >$@
$(BASE)/scratch_%.asm.o: $(BASE)/scratch_%.asm
	@nasm -f elf64 $(NASM_WARN) -o $@ $<

# A source that was removed makes nothing newer: the list of objects is a prerequisite itself.
$(B)/objects: FORCE
	@mkdir -p $(B)
	@echo '$(OBJ)' | cmp -s - $@ || echo '$(OBJ)' >$@

# Linked twice: the second time with the names and lines of the functions that the first link placed.
# The tables lie behind all code, so they move none of it; check-elf.sh makes sure.
$(KERNEL): $(OBJ) $(LIBC) $(B)/objects linker.ld tests/tools/ksyms.py tests/tools/dwarf_lines.py
	$(call say,LD,$@)
	@ld $(LDFLAGS) -o $(B)/pass1.elf $(OBJ) $(LIBS)
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/ksyms.py $(B)/pass1.elf >$(B)/ksyms.asm
	$(if $(filter 1,$(EXPLORE)),@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/datasyms.py $(B)/pass1.elf >>$(B)/ksyms.asm)
	@nasm -f elf64 -o $(B)/ksyms.o $(B)/ksyms.asm
	@ld $(LDFLAGS) -o $@ $(OBJ) $(B)/ksyms.o $(LIBS)
	@tests/tools/check-elf.sh $(B)/pass1.elf $@

# What GRUB and the EFI loader read from their medium: without debug information, name in 8.3.
$(B)/k.elf: $(KERNEL)
	@objcopy --strip-debug $< $@

# ---- (3) newlib, once ----

$(LIBC):
	@tests/tools/newlib.sh $(NEWLIB_TAR) $(BASE)/newlib $(CC)

# ---- (4) the EFI loader ----

EFI_SRC := $(wildcard boot/efi/*.c)
EFI_OBJ := $(EFI_SRC:%=$(BASE)/obj/%.o)
EFI_CFLAGS := -std=gnu11 -O2 -g $(WARN) -ffreestanding -fpic -fshort-wchar -fno-stack-protector \
	-fno-strict-aliasing -mno-red-zone -maccumulate-outgoing-args -fcf-protection=none \
	-DGNU_EFI_USE_MS_ABI -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 -I.
# gnu-efi 3.0.15 puts constants into .data, 3.0.18 into a .rodata of their own.
EFI_SECTIONS := .text .rodata .sdata .data .dynamic .dynsym .rel .rela .rel.* .rela.* .reloc

$(EFI_OBJ): $(BASE)/obj/%.c.o: %.c Makefile $(BASE)/toolchain
	$(call compile,CC,$<) $(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@

$(LOADER): $(EFI_OBJ)
	$(call say,EFI,$@)
	@mkdir -p $(@D)
	@ld -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack --no-warn-rwx-segments \
		--no-undefined -T $(EFI_LIB)/elf_x86_64_efi.lds $(EFI_LIB)/crt0-efi-x86_64.o $^ \
		-o $(BASE)/efi/loader.so -L$(EFI_LIB) -L/usr/lib -lgnuefi -lefi
	@objcopy $(EFI_SECTIONS:%=-j '%') -O efi-app-x86_64 --subsystem=10 \
		$(BASE)/efi/loader.so $@

# ---- (5) host tests: tests/host/test_X.c, with the sources its LINK comments name ----

HOST_TESTS  := $(patsubst tests/host/%.c,%,$(wildcard tests/host/test_*.c))
HOST_BIN    := $(HOST_TESTS:%=$(BASE)/host/%)
# -Og: what runs there is mostly the sanitizers' own, and gcc takes three quarters of the time.
# newlib's headers come last of all, for what the host's libc lacks (sys/tree.h).
HOST_CFLAGS := -std=gnu11 -Og -g $(WARN) -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined -DHOST_TEST -isystem tests/host/include -D__PERMIT_DEPRECATED_SYS_TREE_H -I. -idirafter $(NL)/include

ifneq ($(filter test quick host-test $(BASE)/host/%,$(MAKECMDGOALS)),)
define host_test
$(1)_OBJ := $(BASE)/host/obj/tests/host/$(1).c.o $(patsubst %,$(BASE)/host/obj/%.o,\
	$(wildcard $(shell sed -n 's|.*/\* LINK: *\(.*\) \*/.*|\1|p' tests/host/$(1).c)))
$(BASE)/host/$(1): $$($(1)_OBJ)
endef
$(foreach t,$(HOST_TESTS),$(eval $(call host_test,$(t))))
endif

$(BASE)/host/obj/%.c.o: %.c Makefile | $(LIBC)
	$(call compile,HOSTCC,$<) $(CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(HOST_BIN): $(BASE)/host/obj/tests/host/one_case.c.o
	$(call say,HOSTLD,$@)
	@$(CC) -fsanitize=address,undefined -o $@ $^ -lcmocka

# ---- (6) Holdfast as a Linux process ----

include boot/host/host.mk
include tests/tools/compiling.mk

# ---- (7) what people type ----

# The variables of `make run` reach tests/qemu/run.py by the environment, with every character as
# it was typed: $(value) keeps make from expanding a dollar sign inside them.
RUN_VARS := QEMU BOOT SMP MEM CPU PMEM IOMMU QEMU_ARGS ICOUNT GDB DEBUG EXPLORE TIMEOUT CMD APPEND
$(foreach v,$(RUN_VARS),$(if $(filter undefined,$(origin $(v))),,\
	$(eval override $(v) := $$(value $(v)))$(eval export $(v))))
RUN := PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/qemu/run.py

run: all
	@$(RUN)

# Its pages live in a browser, on PORT; that page in a real browser.
export PORT
show: all
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/show/show.py
show-check: all
	@JOBS=1 tests/tools/pytest.sh tests/show

# host-check, host-valgrind and coverage: boot/host/host.mk
host: $(BASE)/host/holdfast $(BASE)/host/pmem0.img

# With TOKEN: the home in a process, stopped before the step that breaks the rule.
debug: $(if $(TOKEN),host,all)
	$(if $(TOKEN),@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_debug.py "$$TOKEN",@$(RUN) --debug)

host-test: $(HOST_BIN)
	@HOST_ONLY=1 tests/tools/pytest.sh tests/qemu/test_host.py

test: all $(HOST_BIN)
	@tests/tools/pytest.sh tests/qemu

# Before each commit: what stands for the rest (tests/qemu/hf_order.py), in less than a minute.
quick: all $(HOST_BIN)
	@ONLY=quick tests/tools/pytest.sh tests/qemu

# What operations cost, in instructions; bench-peer: beside Linux, and writes docs/performance.md
# (LINUX=7.3: a newer one; ONLY=linux, holdfast, page: what is measured).
bench bench-peer: all
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/peer/peer.py $@

# Debian's Linux 6.1 is asked who waits for whom, in QEMU; writes docs/linux-truth.md.
linux-truth:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/peer/truth.py

# The same source on Debian 12, 13 and testing, each in a folder below build/systems/; as root, hours.
# Writes docs/systems.md.
export SYSTEM
override export CHECK := $(value CHECK)
test-systems:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/systems/systems.py
clean-systems:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/systems/systems.py clean

# One small change at a time in the code that all else stands on: does a test notice? docs/mutants.md.
export FILES TOTAL JOBS AGAIN ROUND TESTS QUICK REPORT MUTANTS_DIR
override export NAMES := $(value NAMES)
mutants: all
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/mutants.py

# Every order of events (docs/explorer.md). A counterexample as a page and a trace; that page in a real
# browser; every scenario, in JOBS parts at a time; Spin on models of three protocols, whose figures are
# written into the document.
export JSON TOKEN COMMIT WHERE MUSEUM
explorer:
	@$(MAKE) $(if $(filter kernel,$(WHERE)),EXPLORE=1 all,host)
explain: $(if $(JSON),,explorer)
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explain.py $(if $(JSON),-i "$$JSON","$$TOKEN")
explore: explorer
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore.py run "$${JOBS:-1}" $$NAMES
explain-check:
	@JOBS=1 tests/tools/pytest.sh tests/explore/browser
explore-table: explorer
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_table.py $(SECONDS)
explore-count: host
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_count.py $$NAMES
explore-ratio: host
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_ratio.py
explore-faults: host
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_faults.py $$NAMES
explore-three: host
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/explore_three.py $(or $(SECONDS),600) $$NAMES
explore-peer: host
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/explore/peer/peer_compare.py

# Every fault that is built in on purpose: is it found, and nothing without it? NAMES: these only.
museum: all explorer
	@set -f; PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/museum.py $$NAMES

# Coursework (labs/): a tree with stubs where a lab's answers stand; what an answer does; all right and
# wrong answers of the grader's own tests; the tables of checks in the pages of the labs.
export LAB OUT
override export DIR := $(value DIR)
lab:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/lab.py "$$LAB" "$$DIR"
grade: $(if $(DIR),host)
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/grade.py "$$LAB" $(if $(DIR),--from "$$DIR") $(if $(JSON),--json "$$JSON")
# What students get, and their submissions, graded (docs/teaching.md). TERM is the shell's as well: only the one
# that was given here is the term's.
export STUDENTS
export TERM_OF_YEAR := $(if $(filter command,$(origin TERM)),$(value TERM))
handout: all host
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/handout.py "$$TERM_OF_YEAR" "$$DIR" "$$LAB" "$$STUDENTS"
grade-all: all host
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/grade_all.py run "$$DIR" "$$LAB" --jobs "$${JOBS:-1}" --term "$$TERM_OF_YEAR" --out "$$OUT"
grade-pages:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/grade_all.py pages "$$OUT"
test-labs: all host
	@ALL_LABS=1 tests/tools/pytest.sh tests/qemu/test_labs.py tests/qemu/test_teaching.py tests/qemu/test_grade_all.py
labs-tables:
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/lab.py --tables

# The book (docs/book): what its chapters quote from the machine, its pictures, build/book/html and a PDF.
# N: these chapters only, and no more than their text. test-book: all that is quoted is what the machine
# says; the folder, in a real browser; the PDF.
book: all host
	@PYTHONDONTWRITEBYTECODE=1 exec $(PYTHON) tests/tools/book.py $(if $(N),write $(N))
test-book: all host
	@ALL_BOOK=1 tests/tools/pytest.sh tests/qemu/test_book.py tests/qemu/test_quiz.py tests/book

# docs/seeds.md, from the self-tests named seed.*; what docs/lifetimes.md quotes from the machine; the
# diagrams, from their .dot sources; a race as a picture, from what the page quotes.
docs: seeds timelines $(patsubst %.dot,%.svg,$(wildcard docs/*.dot))
quotes: all
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/transcripts.py
timelines: quotes
	@PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/tools/timeline.py
seeds:
	@$(PYTHON) tests/tools/seeds.py
docs/%.svg: docs/%.dot
	@echo "  DOT     $<"
	@dot -Tsvg $< | sed -e '/^<!--/d' -e '/^ *-->/d' -e '/^ Pages:/d' >$@.new && mv $@.new $@

deps: ;

# What is there of what all this needs, in which version, and what it is for; installs nothing.
preflight:
	@CC='$(CC)' tests/tools/deps.sh preflight

# The answers in tests/labs are pieces of files.
STYLED = $(filter-out tests/labs/% ./tests/labs/%,$(shell git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null || \
	find . -name '*.[ch]' -not -path './$(BASE)/*'))
format:
	@clang-format -i $(STYLED)

format-check:
	@clang-format --dry-run --Werror $(STYLED)

clean: $(if $(wildcard $(BASE)/systems),clean-systems)
	@rm -rf --one-file-system $(BASE)

help:
	@cat tests/tools/help.txt

-include $(OBJ:.o=.d) $(ASM:%=$(BASE)/obj/%.o.d) $(EFI_OBJ:.o=.d)
-include $(wildcard $(addprefix $(BASE)/host/obj/,*/*.d */*/*.d */*/*/*.d))

FORCE:

.PHONY: FORCE all run show show-check host host-check host-valgrind coverage debug test quick host-test bench bench-peer linux-truth \
	test-systems clean-systems lab grade handout grade-all grade-pages test-labs labs-tables explain explain-check explorer explore \
	explore-table explore-count explore-ratio explore-faults explore-three explore-peer museum mutants deps preflight docs book test-book \
	quotes timelines seeds format format-check \
	clean help
