"""The structure of the house: which room may know which, and what must be true of every room."""

import ast
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.template import TemplateDoesNotExist
from django.template.loader import get_template

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "config",
    "reports",
    "workflow",
    "assessments",
    "tasks",
    "schemes",
    "notifications",
    "audit",
    "accounts",
    "scoring",
    "deadlines",
)
PURE = ("scoring", "deadlines")

# Lines per file. A file that must be longer is named here with its reason, and may not grow beyond its own figure.
BUDGET = 500
TEST_BUDGET = 700
LONGER: dict[str, tuple[int, str]] = {
    "schemes/importers/check.py": (560, "one check after another, in the order of the format's page"),
    "schemes/layout.py": (560, "one table of the notice, cell by cell"),
}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts and "__pycache__" not in path.parts]


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def test_rooms_point_downward():
    """The contracts of pyproject.toml, as `lint-imports` checks them."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contracts_name_every_room():
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == set(ROOMS)
    for room in ROOMS:
        assert len(re.findall(rf"\b{room}\b", text)) >= 2, room


def test_the_pure_rooms_need_no_django():
    """Imported in an interpreter in which nothing of the web can be imported at all."""
    script = "\n".join(
        [
            "import sys, pkgutil, importlib",
            "class Refuse:",
            "    def find_spec(self, name, path=None, target=None):",
            "        if name.split('.')[0] in {'django', 'viewflow', 'guardian', 'channels', 'celery', 'config'}:",
            "            raise ImportError(name)",
            "sys.meta_path.insert(0, Refuse())",
            f"for room in {PURE!r}:",
            "    package = importlib.import_module(room)",
            "    for module in pkgutil.walk_packages(package.__path__, room + '.'):",
            "        importlib.import_module(module.name)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


CLOCKS = re.compile(
    r"\b(?:timezone\.now|timezone\.localdate|datetime\.now|datetime\.utcnow|date\.today|time\.time)\(\)"
)


def test_no_clock_below_the_interface():
    """The instant is an argument: operations, queries and the pure rooms do not look at the clock themselves.

    Left: default days of queries for pages, written `on or timezone.localdate()`.
    """
    found = []
    for path in sources(*ROOMS):
        parts = path.relative_to(ROOT).parts
        pure = parts[0] in PURE
        if not pure and "operations" not in (path.stem, *parts):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if CLOCKS.search(line) and " or timezone" not in line:
                found.append(f"{path.relative_to(ROOT)}:{number}")
    assert not found


def test_migrations_are_complete(db):
    out = StringIO()
    try:
        call_command("makemigrations", "--check", "--dry-run", stdout=out, stderr=out)
    except SystemExit:
        pytest.fail(f"the models have changed without a migration:\n{out.getvalue()}")


def test_every_audit_verb_that_is_used_is_registered():
    from audit.verbs import VERBS

    literal = re.compile(r'verb\s*=\s*((?:"[a-z_]+\.[a-z_]+"|[^,()\n])+)')
    used = set()
    for path in sources(*ROOMS):
        for expression in literal.findall(path.read_text("utf-8")):
            used |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', expression))
    assert used
    assert used <= set(VERBS), f"audit/verbs.py lacks {sorted(used - set(VERBS))}"


def test_nobody_is_given_a_power_that_opens_every_office():
    """guardian's has_perm(perm, obj) is also true for whoever holds the permission without an object."""
    forbidden = re.compile(
        r"user_permissions\.(?:add|set)|\.permissions\.(?:add|set)|is_superuser\s*=\s*True(?!\))|create_superuser"
    )
    found = [str(path.relative_to(ROOT)) for path in sources(*ROOMS) if forbidden.search(path.read_text("utf-8"))]
    assert not found
    assign = [
        f"{path.relative_to(ROOT)}"
        for path in sources(*ROOMS)
        if re.search(r"\bassign_perm\(|\bremove_perm\(|UserObjectPermission\.objects\.create", path.read_text("utf-8"))
    ]
    assert assign == ["accounts/grants.py"]  # the only door


def test_no_signals_and_nothing_wired_in_ready():
    signals = re.compile(r"@receiver|\b(?:pre|post)_(?:save|delete|init)\b|m2m_changed|Signal\(")
    for path in sources(*ROOMS):
        assert not signals.search(path.read_text("utf-8")), path.relative_to(ROOT)
    for config in apps.get_app_configs():
        if config.name in ROOMS and "ready" in vars(type(config)):
            assert config.name == "workflow", f"{config.name}: behaviour wired in ready()"


@pytest.mark.parametrize("room", ROOMS)
def test_files_stay_readable(room):
    """Past a few hundred lines a file becomes a folder, split by verb."""
    for path in sources(room):
        check_length(path, BUDGET)


def test_test_files_stay_readable():
    for path in sources("tests"):
        check_length(path, TEST_BUDGET)


def check_length(path: Path, budget: int) -> None:
    name = str(path.relative_to(ROOT))
    budget, _reason = LONGER.get(name, (budget, ""))
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= budget, f"{name} has {lines} lines, {budget} are allowed: split it by verb"


def test_exemptions_are_still_needed():
    for name, (_lines, reason) in LONGER.items():
        assert reason
        assert len((ROOT / name).read_text("utf-8").splitlines()) > BUDGET, f"{name} is short again: strike it"


INLINE = re.compile(r"<style|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|<script(?![^>]*\bsrc=)", re.IGNORECASE)
OUTSIDE = re.compile(r"(?:src|href|action)\s*=\s*[\"'](?:https?:)?//", re.IGNORECASE)


def test_templates_are_allowed_by_the_policy_and_load():
    """No inline script or style (the policy forbids them), nothing from another host, no syntax error."""
    templates = ROOT / "templates"
    for path in sorted(templates.rglob("*.html")):
        text = path.read_text("utf-8")
        name = path.relative_to(templates)
        assert not INLINE.search(text), name
        assert not OUTSIDE.search(text), name
        try:
            get_template(str(name))
        except TemplateDoesNotExist:
            pytest.fail(f"{name} cannot be loaded")


def test_policy_is_strict():
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert "unsafe" not in str(directives)
    assert "script-src" not in directives  # falls back to default-src 'self'
    assert directives["object-src"] == ["'none'"]


def test_chinese_is_the_language_of_the_source():
    """Every text for people is marked for translation: no bare Chinese between the tags of a template."""
    bare = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text("utf-8")
        text = re.sub(r"{%\s*blocktrans(?:late)?\b.*?{%\s*endblocktrans(?:late)?\s*%}", "", text, flags=re.DOTALL)
        text = re.sub(r"{%\s*comment\b.*?{%\s*endcomment\s*%}|{#.*?#}|{%.*?%}|{{.*?}}", "", text, flags=re.DOTALL)
        for word in re.findall(r"[\u4e00-\u9fff]+", text):
            if word not in LEFT_AS_IT_IS:
                bare.append(f"{path.relative_to(ROOT)}: {word}")
    assert not bare, "\n".join(bare)


# names of languages stand in their own language; 、 and 、-like signs are no words
LEFT_AS_IT_IS = {"中文"}
