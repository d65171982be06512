"""The tools keep their promises: pinned and anonymous locks, commands that exist, no test skipped quietly."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
REQUIREMENT = re.compile(r"^[a-z0-9][a-z0-9._-]*(\[[a-z0-9,_-]+\])?==[0-9][\w.!+]*( ; [^\\#@]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
REMARK = re.compile(r"^ *# ?(via)?[ a-z0-9._,()-]*$")


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def readmes() -> list[Path]:
    return sorted(ROOT.glob("README*.md"))


def in_code(markdown: str) -> str:
    """What stands in code blocks and between backticks."""
    blocks = re.findall(r"^```.*?$(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    return "\n".join(blocks + re.findall(r"`([^`\n]+)`", markdown))


# ---------------------------------------------------------------- lock files
@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_pinned_with_hashes_and_nothing_else_is_in_the_lock(name):
    strange, open_requirement, hashes = [], None, 0
    for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), 1):
        if REQUIREMENT.match(line):
            assert open_requirement is None or hashes, f"{name}: {open_requirement} carries no hash"
            open_requirement, hashes = line.split(" ")[0], 0
        elif HASH.match(line):
            hashes += 1
        elif line and not REMARK.match(line):
            strange.append(f"{name}:{number}: {line}")
    assert open_requirement, f"{name} is empty"
    assert hashes, f"{name}: the last requirement carries no hash"
    assert not strange, "options, addresses or unpinned lines:\n" + "\n".join(strange)


@pytest.mark.parametrize("name", LOCKS)
def test_locks_name_no_host(name):
    text = (ROOT / name).read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host| @ ", text)


def test_the_development_lock_contains_the_runtime_lock():
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^(\S+==\S+)", (ROOT / name).read_text("utf-8"), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_declared_dependencies_are_locked():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    locked = {
        match.lower()
        for match in re.findall(
            r"^([A-Za-z0-9._-]+)", (ROOT / "requirements-dev.lock").read_text("utf-8"), re.MULTILINE
        )
    }
    declared = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.match(r"[A-Za-z0-9._-]+", entry)[0].lower().replace("_", "-") for entry in declared}
    assert names <= {name.replace("_", "-") for name in locked}


# ---------------------------------------------------------------- make and .ci/run
def test_make_without_a_target_prints_every_command():
    done = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    listed = set(re.findall(r"^ +make ([\w-]+)", done.stdout, re.MULTILINE))
    assert {"setup", "demo", "test", "bench", "lint", "messages"} <= listed
    assert listed == makefile_targets()


def test_every_make_command_in_the_readme_exists():
    for path in readmes():
        named = set(re.findall(r"\bmake ([a-z][\w-]*)", in_code(path.read_text("utf-8"))))
        assert named <= makefile_targets(), f"{path.name} names {sorted(named - makefile_targets())}"


def test_every_script_in_the_readme_exists():
    for path in readmes():
        for word in re.findall(r"(?:^|\s)((?:\./)?(?:scripts|\.ci|tests)/[\w./-]+)", in_code(path.read_text("utf-8"))):
            assert (ROOT / word).exists(), f"{path.name} names {word}"


def test_every_management_command_in_make_and_the_readme_exists():
    from django.core.management import get_commands

    sources = [ROOT / "Makefile", *sorted((ROOT / "scripts").glob("*.sh"))]
    texts = {path.name: path.read_text("utf-8") for path in sources}
    texts |= {path.name: in_code(path.read_text("utf-8")) for path in readmes()}
    for name, text in texts.items():
        named = set(re.findall(r"manage\.py ([a-z_]+)", text))
        assert named <= set(get_commands()), f"{name} names {sorted(named - set(get_commands()))}"


def test_ci_runs_all_tests_and_allows_no_skip():
    path = ROOT / ".ci" / "run"
    text = path.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("REQUIRE_ALL=1 make test"), "the exit code of .ci/run must be that of the tests"
    assert "|| true" not in text
    for package in ("postgresql", "redis-server", "chromium", "fonts-noto-cjk", "make", "python3-venv"):
        assert re.search(rf"\b{package}\b", text), package


@pytest.mark.parametrize("name", [".ci/run", "scripts/setup.sh", "scripts/messages.sh"])
def test_scripts_are_executable_and_parse(name):
    path = ROOT / name
    assert os.access(path, os.X_OK)
    shell = "bash" if "bash" in path.read_text("utf-8").splitlines()[0] else "sh"
    subprocess.run([shell, "-n", str(path)], check=True, timeout=10)


# ---------------------------------------------------------------- skips
def _name(node: ast.AST) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def test_no_skip_and_no_expected_failure_without_a_reason():
    silent = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(
                r"(^|\.)(skip|skipif|skipIf|skipUnless|xfail|importorskip)$", _name(node)
            ):
                kind = _name(node).rpartition(".")[2]
                # the reason is the only argument, or the one after the condition
                place = {"skipif": None, "importorskip": None, "skipIf": 1, "skipUnless": 1}.get(kind, 0)
                if _name(node) == "pytest.mark.xfail":
                    place = None
                reason = next((word.value for word in node.keywords if word.arg in {"reason", "msg"}), None)
                if reason is None and place is not None and len(node.args) > place:
                    reason = node.args[place]
                if reason is None or (isinstance(reason, ast.Constant) and not str(reason.value).strip()):
                    silent.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
            elif (
                isinstance(node, ast.Attribute)
                and id(node) not in called
                and re.fullmatch(r"pytest\.mark\.(skip|skipif|xfail)|unittest\.skip", ast.unparse(node))
            ):
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert not silent, "skips without a reason:\n" + "\n".join(silent)


def test_require_all_turns_a_skip_into_a_failure():
    target = ROOT / "tests" / "house" / "test_tooling.py"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZEREN_TEST_", "PYTEST_"))}
    done = {}
    for value in ("0", "1"):
        done[value] = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", f"{target}::test_probe"],
            cwd=ROOT,
            env={**kept, "REQUIRE_ALL": value, "ZEREN_PROBE_SKIP": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    outcome = {value: (run.returncode, run.stdout.strip().splitlines()[-1][:8]) for value, run in done.items()}
    assert outcome == {"0": (0, "1 skippe"), "1": (1, "1 failed")}, done["1"].stdout


def test_probe():
    """Skipped on demand, for the test above."""
    if os.environ.get("ZEREN_PROBE_SKIP"):
        pytest.skip("asked for by test_require_all_turns_a_skip_into_a_failure")
