# `make demo` and `make test` set themselves up: Python 3.11, 3.12 or 3.13 and make are all they need (dagster-dbt and dbt-core run on none later).
# The first of these commands that is such a Python; `make PYTHON=...` names another.
PYTHONS := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for python in $(PYTHONS); do \
	"$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo "$$python"; break; }; done)
# Made anew, or a clear word of what is missing.
VENV_OF = $(if $(PYTHON),$(PYTHON) -m venv,$(error none of $(PYTHONS) is Python 3.11, 3.12 or 3.13: install one, or name it with make PYTHON=/path/to/python))
VENV := .venv
BIN := $(VENV)/bin
export CCM_HOME ?= $(CURDIR)/data
# One more than cores: now and then a worker waits for a server, or for a home that another one makes.
WORKERS ?= 3
# Bytecode is kept, also where the environment says otherwise: each of the hundreds of commands that the tests run would compile the house anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test test-long check format lock browser

setup: $(VENV)/.installed

# Every requirement by hash.
$(VENV)/.installed: requirements.lock pyproject.toml
	$(VENV_OF) $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# The tests of the dashboard want a Chromium. Where root may install one it is installed; where not, they are skipped and say so.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		{ [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ] && \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium; } >/dev/null 2>&1; } || \
		echo "no Chromium, and none could be installed: the tests of the dashboard will be skipped" >&2

demo: setup
	$(BIN)/ccm demo

PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

test: setup browser
	$(PYTEST) -m "not long"

# Whole nights and closes of which `make test` has a sample.
test-long: setup browser
	$(PYTEST) -m long

# Exactly what a change must pass: every test, long or not.
check: setup browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/sqlfluff lint --processes 2 dbt_project
	$(BIN)/mypy
	$(BIN)/python -m orchestration.command.parse
	$(PYTEST)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup
	$(BIN)/uv pip compile --quiet --no-emit-index-url --no-annotate --no-strip-extras --generate-hashes --universal --python-version 3.11 \
		--group dev pyproject.toml -o requirements.lock
	echo 'datacontract-cli[duckdb]==1.2.8' | $(BIN)/uv pip compile --quiet --no-emit-index-url --no-annotate --generate-hashes --universal \
		--python-version 3.11 --custom-compile-command 'make lock' - -o requirements-datacontract.lock
	$(BIN)/uv pip compile --quiet --no-emit-index-url --no-annotate --no-strip-extras --generate-hashes --universal --python-version 3.11 \
		--group dev --extra spark --constraint requirements.lock --custom-compile-command 'make lock' pyproject.toml -o requirements-spark.lock

# Long runs, apart from `make test`.
SEEDS ?= 100 105
.PHONY: fuzz mutate
fuzz: setup
	$(BIN)/python -m tests.properties.fuzz $(SEEDS)

# What later facts make of claims that went out, alone: a tenth of the time.
.PHONY: fuzz-aftermath
fuzz-aftermath: setup
	$(BIN)/python -m tests.properties.aftermath $(SEEDS)

# Takes away each rule row in turn; somebody must notice. Writes docs/rules/mutation-report.md, which is not committed.
mutate: setup
	$(BIN)/python -m tests.mutation.mutate

# The pages that are made from the seeds.
.PHONY: docs
docs: setup data-dictionary
	$(BIN)/ccm rules document

# Every query of the dashboard at 100,000 patients; the result is kept beside it.
.PHONY: bench-dashboard
bench-dashboard: setup
	$(BIN)/python -m benchmarks.dashboard_queries

# A month at several sizes against the floor of the same machine; results in benchmarks/results, the table in docs/scale.md. Wants 60 GB under
# BENCH_FOLDER for the largest.
BENCH_SIZES ?= small 10k 100k 1400k 10kx36 100kx36-nights 2000-practices nation
BENCH_FOLDER ?= /tmp
.PHONY: bench
bench: setup
	$(BIN)/python -m benchmarks.night $(BENCH_SIZES) --folder $(BENCH_FOLDER)

# Claim files written, scrubbed and judged by pyx12; the result is kept in benchmarks/results.
CLAIMS ?= 50000
.PHONY: bench-claims
bench-claims: setup
	$(BIN)/python -m benchmarks.claim_files --claims $(CLAIMS)

# A home with a key beside one without: the same results, the same packets, nothing to be read.
.PHONY: encrypted
encrypted: setup
	$(BIN)/python -m pytest -n 0 tests/protection/encrypted_home.py

# A home in object storage beside one on disk: the same marts, the same packets.
.PHONY: object-storage
object-storage: setup
	$(BIN)/python -m pytest -n 0 tests/storage/object_storage_home.py

KILLS ?= 100
.PHONY: kill
kill: setup
	$(BIN)/python -m tests.faults.harness --kills $(KILLS)

# A thousand nights of hostile extracts: every file and row accounted for.
NIGHTS ?= 1000
SEED ?= 1
.PHONY: fuzz-extracts fuzz-orders bench-big-file
fuzz-extracts: setup
	$(BIN)/python -m tests.hostile.fuzz --nights $(NIGHTS) --seed $(SEED)

# The same nights in other orders: the same marts.
POPULATIONS ?= 5
fuzz-orders: setup
	$(BIN)/python -m tests.properties.orders --populations $(POPULATIONS) --seed $(SEED)

# After any night, what was recomputed for what it touched is what building everything gives.
.PHONY: fuzz-nights
fuzz-nights: setup
	$(BIN)/python -m tests.properties.nights --populations $(POPULATIONS) --seed $(SEED)

# What taking in one huge file holds in memory; writes and removes the file under BIG_FILE_FOLDER.
GIGABYTES ?= 5
BIG_FILE_FOLDER ?= /tmp
bench-big-file: setup
	$(BIN)/python -m benchmarks.big_file --gigabytes $(GIGABYTES) --form csv --folder $(BIG_FILE_FOLDER)
	$(BIN)/python -m benchmarks.big_file --gigabytes $(GIGABYTES) --form csv.gz --folder $(BIG_FILE_FOLDER)

# Makes the present contracts the released ones; refuses where a breaking change has no new major version and no entry in their changelog.
.PHONY: contracts-release contracts-check
contracts-release: setup
	$(BIN)/python -m orchestration.contract_releases --write

# datacontract-cli over every contract, with data. It pins typer below ours, so it has an environment of its own.
VENV_DATACONTRACT := .venv-datacontract
$(VENV_DATACONTRACT)/.installed: requirements-datacontract.lock
	$(VENV_OF) $(VENV_DATACONTRACT)
	$(VENV_DATACONTRACT)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-datacontract.lock
	touch $@

contracts-check: setup $(VENV_DATACONTRACT)/.installed
	$(BIN)/python -m tests.contracts.datacontract_check --command $(VENV_DATACONTRACT)/bin/datacontract

# The models on Apache Spark beside DuckDB, from the same lake: every mart row for row, a close byte for byte. Spark is half a gigabyte and wants Java,
# so it has an environment of its own; Debian's Java is installed where root may.
VENV_SPARK := .venv-spark
$(VENV_SPARK)/.installed: requirements-spark.lock pyproject.toml
	$(VENV_OF) $(VENV_SPARK)
	$(VENV_SPARK)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	$(VENV_SPARK)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.PHONY: spark
spark: $(VENV_SPARK)/.installed
	@command -v java >/dev/null || [ -n "$$JAVA_HOME" ] || \
		{ [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ] && \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openjdk-17-jre-headless; } >/dev/null 2>&1; } || \
		{ echo "no Java, and none could be installed: Spark needs Java 17 or newer (PATH or JAVA_HOME)" >&2; exit 1; }
	$(VENV_SPARK)/bin/python -m pytest -n 0 -s tests/engines/spark_home.py

# A night's models and tests on both engines, on this machine; results in benchmarks/results, told of in docs/spark.md.
.PHONY: bench-spark
SPARK_SIZES ?= 10k 100k
bench-spark: $(VENV_SPARK)/.installed
	$(VENV_SPARK)/bin/python -m benchmarks.engines $(SPARK_SIZES) --folder $(BENCH_FOLDER)

# One practice's landing made vile: the others' marts and packets are what they were, byte by byte.
.PHONY: isolation
isolation: setup
	$(BIN)/python -m tests.holds.isolation $(or $(SEED),1)

# The asset graph as a text to be reviewed (tests/pipeline/graph.txt); a test holds it against the definitions.
.PHONY: graph
graph: setup
	$(BIN)/python -W ignore -m tests.pipeline.graph

# The models that a packet is made again with (tests/holds/rebuilt.txt): read ADR 7 before you commit a difference.
.PHONY: rebuilt
rebuilt: setup
	$(BIN)/python -m tests.holds.rebuilt

# Dagster's history in a PostgreSQL server on loopback: a month, killed runs, an upgrade, the services. Debian's server is installed where root may.
.PHONY: postgres
postgres: setup
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
		{ [ -f /etc/debian_version ] && [ "$$(id -u)" = 0 ] && \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql; } >/dev/null 2>&1; } || \
		echo "no PostgreSQL server, and none could be installed: the tests will be skipped" >&2
	$(BIN)/python -m pytest -n 0 -s tests/operate/postgres_home.py

# dbt's documentation of the models as one file, site/dbt.html; nothing of any home is in it.
.PHONY: dbt-docs data-dictionary
dbt-docs: setup
	$(BIN)/python -m orchestration.transform.site

# docs/data-dictionary.md from the contracts and dbt's yml; a test holds it against them.
data-dictionary: setup
	$(BIN)/python -m orchestration.dictionary

# A demo practice's facts as three other systems export them, through their mappings, nightly and close, against the same facts in the contracts' form.
.PHONY: mapped-sources
MAPPED_FOLDER ?= /tmp/ccm-mapped-sources
mapped-sources: setup
	CCM_HOME=$(MAPPED_FOLDER)/demo $(BIN)/ccm demo
	$(BIN)/python -m tests.mapping.foreign $(MAPPED_FOLDER)/demo $(MAPPED_FOLDER)

# A FHIR bulk export of a gigabyte: what importing it holds in memory. The result is kept.
.PHONY: bench-fhir
bench-fhir: setup
	$(BIN)/python -m benchmarks.fhir_bulk --gigabytes 1 --folder $(BIG_FILE_FOLDER) --result benchmarks/results/fhir_bulk.json

# A FHIR bulk export taken through `ccm nightly` and `ccm close`, with a time log beside it.
.PHONY: fhir-home
fhir-home: setup
	$(BIN)/python -m pytest -n 0 tests/importers/fhir_home.py

# Dagster's pages in a browser, on a demo of their own; writes docs/pictures/dagster-*.png: look at them.
.PHONY: browser-tests
browser-tests: setup browser
	$(BIN)/python -m pytest -n 0 tests/operate/dagster_pages.py
