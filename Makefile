# Everything runs from .venv, which `make` fills: the tree itself, editable, and what setup.cfg asks for.

# Debian's own Python where it is new enough, else the python3 of the PATH.
ifndef PYTHON
PYTHON := $(shell for python in /usr/bin/python3 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
endif
# The unit tests and those of one daemon run under this one too, where it is there, complete, and not what .venv has already.
PYTHON_NEXT ?= python3.13
SEEDS ?= 200
START ?= 0
MORE ?= 0
STATES ?= 5000000
MINUTES ?= 2
MODE ?= availability
export PYTHON

# compat: a path in a .pth file. The default is an import hook that makes every start of kingctl 12 ms slower.
PIP_INSTALL = install --quiet --quiet --disable-pip-version-check --use-pep517 \
	--config-settings editable_mode=compat --editable
# The script that pip writes for a command imports `re`, which takes 6 ms; this one imports the command and no more.
COMMAND = printf '\#!%s\nimport sys\n\nfrom kingd.%s import main\n\nsys.exit(main())\n' '$(CURDIR)/.venv/bin/python'
COMMANDS = $(COMMAND) __main__ >.venv/bin/kingd; $(COMMAND) cli.main >.venv/bin/kingctl
VENV_NEXT = .venv-$(notdir $(PYTHON_NEXT))

.PHONY: help
help:
	@echo 'make demo         a cluster on this machine: who leads, kill it, who leads now'
	@echo 'make test         everything: lint, types, unit, daemon, simulator, and as root real daemons in network namespaces'
	@echo 'make check        in less than a minute: lint, unit tests, one seed of each scenario; before every commit'
	@echo 'make lint         ruff, mypy and the length of files only'
	@echo 'make format       let ruff lay out the code'
	@echo 'make coverage     unit tests, and which branches of the election they do not reach'
	@echo 'make sim SEEDS=N  N runs of the simulator on all processors, up to the first that fails; for many runs:'
	@echo '                  [START=K] [KEEP_GOING=1] tells what fails and goes on, [COMPILED=1] compiles it first (by mypyc), [ONLY=adversary|mixed|quorum]'
	@echo 'make model        every order of events of small clusters; MORE=T: for T ticks longer'
	@echo 'make chaos MINUTES=n [MODE=quorum] [PROFILE=fast] [SEED=n]  random faults on real daemons, and a picture of it (root);'
	@echo '                  [ATTACKER=1] once more beside somebody without the key who says again what he hears'
	@echo 'make deb          Debian packages in dist/'
	@echo 'make wheel        for pip, in dist/'
	@echo 'make install      on this host, without dpkg (PREFIX=/usr/local, DESTDIR=); make uninstall'
	@echo 'make bench        kingd beside keepalived, ucarp, corosync and etcd: failovers, costs; docs/performance.md (root)'
	@echo 'make .venv        only prepare what the others run from'
	@echo 'make clean        remove all that make made'

.PHONY: .venv
.venv: .venv/for-tests

.venv/for-use: setup.cfg pyproject.toml Makefile
	@test -n "$(PYTHON)" || { echo 'kingd needs Python 3.11 or newer' >&2; exit 1; }
	@packaging/prerequisites build
	@echo 'Preparing .venv'
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip $(PIP_INSTALL) .
	@$(COMMANDS)
	@touch $@

.venv/for-tests: .venv/for-use
	@echo 'Adding what the tests need'
	@.venv/bin/pip $(PIP_INSTALL) '.[dev]'
	@$(COMMANDS)
	@touch $@

$(VENV_NEXT)/for-tests: setup.cfg pyproject.toml Makefile
	@echo 'Preparing $(VENV_NEXT) with $(PYTHON_NEXT)'
	@$(PYTHON_NEXT) -m venv $(VENV_NEXT)
	@$(VENV_NEXT)/bin/pip $(PIP_INSTALL) '.[test]'
	@touch $@

.PHONY: demo
demo: .venv/for-use
	@.venv/bin/kingctl lab demo

# Most tests wait more than they compute, so three at a time do no harm to each other on two processors.
SIDE_BY_SIDE ?= --numprocesses 3 --no-loadscope-reorder

# What runs under the other Python runs beside the rest: most tests wait more than they compute. It is told at the end.
.PHONY: test
test: .venv/for-tests
	@packaging/prerequisites test
	@mkdir -p build
	@$(MAKE) --no-print-directory test-next-if-there >build/test-next 2>&1 & next=$$!; trap 'kill $$next 2>/dev/null' EXIT; \
	.venv/bin/python -m pytest $(SIDE_BY_SIDE); tested=$$?; wait $$next; next_tested=$$?; \
	echo '$(PYTHON_NEXT):'; cat build/test-next; [ $$tested = 0 ] && [ $$next_tested = 0 ]

.PHONY: test-next-if-there
test-next-if-there:
	@if $(PYTHON_NEXT) -c 'import ensurepip, os, sys, sysconfig; \
	    sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' 2>/dev/null; \
	then $(MAKE) --no-print-directory test-next; \
	else echo 'tests/unit and tests/daemon under $(PYTHON_NEXT) too: no, it is not on this host'; fi

.PHONY: test-next
test-next: $(VENV_NEXT)/for-tests
	@$(VENV_NEXT)/bin/python -m pytest --quiet -p no:cacheprovider tests/unit tests/daemon

.PHONY: lint
lint: .venv/for-tests
	@.venv/bin/ruff check --output-format concise
	@.venv/bin/ruff format --check --output-format concise
	@.venv/bin/mypy
	@.venv/bin/python -m pytest --quiet -p no:cacheprovider tests/test_lint.py -k no_file_grows

# Three at a time: two processors are busy then until the last one ends.
.PHONY: check check-unit check-scenarios
check: .venv/for-tests
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target lint check-unit check-scenarios

check-unit: .venv/for-tests
	@.venv/bin/python -m pytest --quiet --quick -p no:cacheprovider tests/unit tests/golden

check-scenarios: .venv/for-tests
	@.venv/bin/python -m pytest --quiet --quick -p no:cacheprovider tests/scenarios

.PHONY: format
format: .venv/for-tests
	@.venv/bin/ruff check --fix --select I
	@.venv/bin/ruff format

.PHONY: coverage
coverage: .venv/for-tests
	@.venv/bin/coverage run -m pytest --quiet tests/unit
	@.venv/bin/coverage report --show-missing --skip-covered --include='kingd/core/*'

.PHONY: sim
sim: $(if $(COMPILED),.venv/for-tests,.venv/for-use)
	@.venv/bin/python -m $(if $(COMPILED),tests.sim.compiled,kingd.sim) --start $(START) --seeds $(SEEDS) \
		$(if $(KEEP_GOING),--keep-going) $(if $(ONLY),--mode $(ONLY))

.PHONY: model
model: .venv/for-use
	@.venv/bin/python -m kingd.explorer --more-ticks $(MORE) --states $(STATES)

.PHONY: chaos
chaos: .venv/for-tests
	@packaging/prerequisites test
	@.venv/bin/python -m tests.chaos --minutes $(MINUTES) --mode $(MODE) $(if $(SEED),--seed $(SEED)) \
		$(if $(PROFILE),--profile $(PROFILE)) $(if $(ATTACKER),--attacker)

.venv/for-bench: .venv/for-use
	@echo 'Adding what the plots need'
	@.venv/bin/pip $(PIP_INSTALL) '.[bench]'
	@$(COMMANDS)
	@touch $@

# BENCH: options, such as "--on kingd,keepalived --rows kill"; `.venv/bin/python -m benchmarks --help` has them all
.PHONY: bench
bench: .venv/for-bench
	@packaging/prerequisites bench
	@.venv/bin/python -m benchmarks $(BENCH); missed=$$?; .venv/bin/python -m benchmarks.page && exit $$missed

# For hosts without dpkg: with all that it imports, in a folder that no other Python program looks into.
PREFIX ?= /usr/local
LIBRARY = $(PREFIX)/lib/kingd
INSTALLED = printf '\#!%s -I\nimport sys\n\nsys.path.insert(0, "%s")\nfrom kingd.%s import main\n\nsys.exit(main())\n' \
	'$(PYTHON)' '$(LIBRARY)'
INTO = $(DESTDIR)$(PREFIX)
UNITS = kingd.service kingd@.service kingd-leader.service kingd-leader-told.service kingd-leader.target \
	kingd-hooks.service kingd-hooks.path kingd-vip.service kingd-vip.path kingd-check.service kingd-check.path kingd-check@.service kingd-check@.path \
	kingd-sleep.service kingd-web.service
PAGES = man1/kingctl.1 man5/kingd.toml.5 man8/kingd.8
OWN_FILES = $(UNITS:%=lib/systemd/system/%) lib/systemd/system/sleep.target.wants/kingd-sleep.service \
	lib/sysusers.d/kingd.conf lib/tmpfiles.d/kingd.conf \
	lib/firewalld/services/kingd.xml $(PAGES:%=share/man/%) share/doc/kingd/examples/kingd.toml \
	share/bash-completion/completions/kingd share/bash-completion/completions/kingctl bin/kingd bin/kingctl

.PHONY: wheel
wheel: .venv/for-use
	@rm -f dist/kingd-*.whl
	@.venv/bin/pip --quiet --disable-pip-version-check wheel --no-deps --wheel-dir dist .
	@rm -rf build/lib build/bdist.*
	@ls dist/kingd-*.whl

.PHONY: install
install: wheel
	@rm -rf '$(DESTDIR)$(LIBRARY)'
	@.venv/bin/pip --quiet --disable-pip-version-check install --target '$(DESTDIR)$(LIBRARY)' dist/kingd-*.whl
	@.venv/bin/python -m docs.man.generate build/generated
	@mkdir -p '$(INTO)/bin' '$(INTO)/libexec/kingd' '$(INTO)/lib/systemd/system' '$(DESTDIR)/etc/kingd/conf.d' '$(DESTDIR)/etc/kingd/hooks.d'
	@$(INSTALLED) __main__ >'$(INTO)/bin/kingd'
	@$(INSTALLED) cli.main >'$(INTO)/bin/kingctl'
	@$(INSTALLED) daemon.leader_target >'$(INTO)/libexec/kingd/leader-target'
	@$(INSTALLED) hooks.__main__ >'$(INTO)/libexec/kingd/hooks'
	@$(INSTALLED) vip.__main__ >'$(INTO)/libexec/kingd/vip'
	@$(INSTALLED) check.__main__ >'$(INTO)/libexec/kingd/check'
	@chmod 755 '$(INTO)/bin/kingd' '$(INTO)/bin/kingctl' '$(INTO)/libexec/kingd'/*
	@install -m 644 packaging/hooks.d/README '$(DESTDIR)/etc/kingd/hooks.d'
	@for unit in $(UNITS); do sed '/^Exec/s|/usr/|$(PREFIX)/|' "systemd/$$unit" >"$(INTO)/lib/systemd/system/$$unit"; done
	@mkdir -p '$(INTO)/lib/systemd/system/sleep.target.wants'
	@ln -sf ../kingd-sleep.service '$(INTO)/lib/systemd/system/sleep.target.wants'
	@install -D -m 644 systemd/kingd.sysusers '$(INTO)/lib/sysusers.d/kingd.conf'
	@install -D -m 644 systemd/kingd.tmpfiles '$(INTO)/lib/tmpfiles.d/kingd.conf'
	@install -D -m 644 packaging/firewall/firewalld/kingd.xml '$(INTO)/lib/firewalld/services/kingd.xml'
	@install -D -m 644 packaging/firewall/ufw/kingd '$(DESTDIR)/etc/ufw/applications.d/kingd'
	@for page in $(PAGES); do install -D -m 644 "build/generated/man/$${page#*/}" "$(INTO)/share/man/$$page"; done
	@install -D -m 644 build/generated/examples/kingd.toml '$(INTO)/share/doc/kingd/examples/kingd.toml'
	@install -D -m 644 packaging/wireshark/kingd.lua '$(INTO)/share/doc/kingd/examples/kingd.lua'
	@install -D -m 644 packaging/grafana/kingd-dashboard.json '$(INTO)/share/doc/kingd/examples/kingd-dashboard.json'
	@install -D -m 644 packaging/prometheus/kingd.rules.yml '$(INTO)/share/doc/kingd/examples/kingd.rules.yml'
	@install -m 644 README.md CHANGELOG.md CONTRIBUTING.md '$(INTO)/share/doc/kingd'
	@install -D -m 644 -t '$(INTO)/share/doc/kingd/docs' docs/*.md
	@install -D -m 644 -t '$(INTO)/share/bash-completion/completions' build/generated/completions/*
	@echo 'Installed in $(INTO). With systemd this starts it:'
	@echo 'systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl enable --now kingd'

# State and configuration stay: /var/lib/kingd, /etc/kingd.
.PHONY: uninstall
uninstall:
	rm -rf '$(DESTDIR)$(LIBRARY)' '$(INTO)/libexec/kingd' '$(INTO)/share/doc/kingd'
	cd '$(INTO)' && rm -f $(OWN_FILES)
	rm -f '$(DESTDIR)/etc/ufw/applications.d/kingd'

.PHONY: deb
deb:
	@packaging/prerequisites deb
	@packaging/build-deb dist

.PHONY: clean
clean:
	rm -rf .venv .venv-python* build dist kingd.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
