# pg_automation is built and installed with PGXS; what needs no server is built with CMake.
#
#   make, make install, make installcheck, make clean    as for every extension
#   make demo, make test                                 from nothing, in a private cluster
#   make bench, make bench QUICK=1                       ratios, against doing without us and others
#   make soak CYCLES=5000                                so many crashes under write load; SEED=… repeats some
#   make lint, make tidy, make format                    for who writes here
#
# PG_CONFIG=… chooses the PostgreSQL, WERROR=0 lets warnings pass.
# make test ONLY="pgtap tap" MATCH=word runs less: see test/run.

EXTENSION  = pg_automation
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" $(EXTENSION).control)

MODULE_big = $(EXTENSION)
OBJS       = $(patsubst %.cpp,%.o,$(sort $(wildcard src/*.cpp src/*/*.cpp)))

# One install script, told in the order in which a row travels.
PARTS      = schema entity trigger library \
             time calendar timing condition action action_message action_record \
             action_work action_money action_link ingest action_sla action_flow \
             rule folder component template action_template filter compile decision rulebook draft version lifecycle test_mode guard evidence run \
             home due inflight consent outbox volume channel callback queue log document purge match backfill \
             journal bulk cascade trial understand undo experiment promote erase proof lint lint_flow flow picture copy_columns copy code_shared code_draft code cron check stats gap \
             playbook playbook_customer playbook_sales playbook_money playbook_work privileges
DATA       = $(sort $(wildcard sql/upgrade/*.sql))
DATA_built = sql/$(EXTENSION)--$(EXTVERSION).sql

# PostgreSQL 15 finds expected/ here by itself, later ones look beside the tests.
REGRESS        = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS   = --inputdir=test --load-extension=$(EXTENSION) \
                 $(if $(filter-out 15,$(MAJORVERSION)),--expecteddir=.)
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=$(EXTENSION)

WERROR     ?= 1
WARNINGS    = -Wall -Wextra -Wshadow $(if $(filter-out 0 no,$(WERROR)),-Werror)
DEFINES     = '-DAUTOMATION_VERSION="$(EXTVERSION)"'
PG_CPPFLAGS = -Isrc $(DEFINES) '-DPGDLLEXPORT=__attribute__((visibility("default")))'
PG_CXXFLAGS = -std=c++20 $(WARNINGS) -fvisibility=hidden -fvisibility-inlines-hidden $(SANITIZE)
SHLIB_LINK  = -lcurl -lfmt -lstdc++ $(SANITIZE)
EXTRA_CLEAN = $(OBJS:.o=.d) .build

# JIT has nothing to inline from us; without this clang compiles every file a second time.
override with_llvm := no

.DELETE_ON_ERROR:
.PHONY: all install installcheck clean demo test bench soak lint tidy format
all:

PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq ($(PGXS),)
include $(PGXS)
else
all install installcheck clean:
	@echo "$(PG_CONFIG) shows no PostgreSQL to build for: run demo/setup/packages.sh build, or set PG_CONFIG" >&2
	@exit 1
endif

$(DATA_built): $(PARTS:%=sql/install/%.sql)
	cat $^ > $@

# The wall: outside src/pg and src/module.cpp, PostgreSQL's headers are not on the path.
$(filter src/core/% src/engine/% src/worker/%,$(OBJS)): override CPPFLAGS := -Isrc $(filter-out -I%,$(CPPFLAGS))

$(filter src/core/%,$(OBJS)): CXXFLAGS += -Wpedantic -Wconversion

# Debian builds PostgreSQL without header tracking.
%.o: CXXFLAGS += -MMD -MP
$(OBJS): Makefile $(EXTENSION).control
-include $(OBJS:.o=.d)

# Each from nothing: packages first (as root or through sudo), then all the rest without root.
demo:
	demo/setup/packages.sh demo
	demo/setup/unprivileged.sh demo/run
test:
	demo/setup/packages.sh test
	ONLY='$(ONLY)' MATCH='$(MATCH)' demo/setup/unprivileged.sh test/run

bench:
	demo/setup/packages.sh build run
	ROUNDS='$(ROUNDS)' ONLY='$(ONLY)' QUICK='$(QUICK)' demo/setup/unprivileged.sh bench/run

CYCLES ?= 1000
soak:
	demo/setup/packages.sh test
	CYCLES='$(CYCLES)' SEED='$(SEED)' TEST_SECONDS=$$((600 + 3 * $(CYCLES))) ONLY=tap MATCH=_in_a_crash \
		demo/setup/unprivileged.sh test/run

lint:
	test/lint
tidy:
	demo/setup/unprivileged.sh env ONLY=tidy test/run
format:
	find src test bench -name '*.[ch]pp' -exec clang-format-14 -i {} +
