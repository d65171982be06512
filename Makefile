# 责任 Zeren. Needs: GNU make, Python 3.11 or newer with venv. `make` alone prints what there is.
.POSIX:
.SUFFIXES:
SHELL = /bin/sh
.DEFAULT_GOAL = help
.PHONY: help setup setup-dev demo test test-sqlite test-postgres test-browser bench lint messages clean

# arguments for `make demo`, e.g. make demo DEMO_ARGS="--port 8001"
DEMO_ARGS =
BENCH_ARGS =
# arguments for pytest, e.g. make test-sqlite TEST_ARGS="tests/tasks -x"
TEST_ARGS =
PY = .venv/bin/python

help: ## 列出全部命令 · this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: ## 建立 .venv,按锁定文件安装 · create .venv from the lock file (nothing to do if the lock is unchanged)
	@scripts/setup.sh requirements.lock

setup-dev: ## 另装测试工具 · the same with the test tools
	@scripts/setup.sh requirements-dev.lock

demo: setup ## 演示:导入考核方案并启动网站 · import a notice, play a year, serve (DEMO_ARGS=…)
	@$(PY) manage.py demo $(DEMO_ARGS)

test: setup-dev ## 全部测试 · all tests: SQLite, PostgreSQL + Redis, browser
	@$(PY) tests/run.py -- $(TEST_ARGS)

test-sqlite: setup-dev ## 只测 SQLite · one pass only (TEST_ARGS=…)
	@$(PY) tests/run.py sqlite -- $(TEST_ARGS)

test-postgres: setup-dev ## 只测 PostgreSQL + Redis
	@$(PY) tests/run.py postgres -- $(TEST_ARGS)

test-browser: setup-dev ## 只测浏览器 · browser tests only
	@$(PY) tests/run.py browser -- $(TEST_ARGS)

bench: setup ## 性能测量 · measurements (BENCH_ARGS=…)
	@$(PY) manage.py bench $(BENCH_ARGS)

lint: setup-dev ## 代码检查 · ruff and import-linter
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports

messages: setup-dev ## 收集并编译界面文字 · collect and compile the interface texts (needs gettext)
	@scripts/messages.sh

clean: ## 删除测试产物和缓存 · remove test artefacts and caches (never data)
	@rm -rf artefacts .pytest_cache .ruff_cache .import_linter_cache .hypothesis
