"""Two languages, complete: Chinese in the code, English in locale/en. What is kept in the database stays Chinese.

The texts of the code are collected here in plain Python (no gettext on the machine), so that a text without its English
fails the tests wherever they run. `scripts/messages.sh` writes the catalogue.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polib
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation.template import templatize

from accounts.actors import Actor
from accounts.grants import Power
from accounts.models import Membership
from accounts.operations import give, start_membership
from audit.models import AuditEntry
from notifications.models import Notification
from tests.world import make_task, person
from workflow.presenters.words import period_words

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = ROOT / "locale" / "en" / "LC_MESSAGES" / "django.po"
ROOMS = ("accounts", "audit", "notifications", "schemes", "tasks", "assessments", "workflow", "reports", "config")
HAN = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
PLACE = re.compile(r"%\(\w+\)[a-z]|\{\w*\}|</?\w+>")
# function → which of its arguments are context, text, plural
CALLS = {
    name + suffix: places
    for name, places in {
        "gettext": (None, 0, None),
        "ngettext": (None, 0, 1),
        "pgettext": (0, 1, None),
        "npgettext": (0, 1, 2),
    }.items()
    for suffix in ("", "_lazy")
} | {"_": (None, 0, None), "gettext_noop": (None, 0, None)}
LITERAL = r"""u?(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
TEMPLATE_CALL = re.compile(rf"\b(_|n?p?gettext)\(\s*({LITERAL}(?:\s*,\s*{LITERAL})*)")

# Chinese without a mark, and why. Paths are prefixes.
UNMARKED = {
    "workflow/demo/": "data of the demonstration",
    "reports/bench/": "data of the measurements",
    "workflow/flows.py": "names of the engine's steps; no page shows them",
    "reports/invariants.py": "printed by manage.py verify",
    "assessments/queries/verify.py": "printed by manage.py verify",
    "tasks/warnings.py": "kept: titles and bodies of warnings",
    "tasks/scan.py": "kept: who scanned",
    "tasks/operations": "kept: notifications",
    "assessments/operations/cards.py": "kept: notifications",
    "assessments/operations/findings.py": "kept: notifications, facts and the trail's summaries",
    "assessments/operations/checks.py": "compares with a sentence of the scoring room, which knows no Django",
    "assessments/rows.py": "kept: breakdowns, under the signed digest",
    "accounts/actors.py": "kept: in the trail",
    "accounts/models.py": "names of Django permissions; pages say accounts.queries.POWER_NAMES",
    "schemes/rolling.py": "the year in the notice's own words, searched and replaced",
    "schemes/importers/": "what is wrong with a scheme file: its keys are quoted, its texts are Chinese",
    "tasks/issuing": "kept: notifications; and what a command prints",
    "config/settings.py": "said by a server that does not start",
    "config/views.py": "the last resort, in both languages",
    "reports/xlsx.py": "a font and the last resort of a sheet's name",
}


# ------------------------------------------------------------------ collecting


def sources() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and name_of(node) in CALLS)


def entry(name: str, texts: list[str]) -> tuple[str | None, str, str | None]:
    context, text, plural = CALLS[name]
    return (
        None if context is None else texts[context],
        texts[text],
        None if plural is None else texts[plural],
    )


def collected() -> dict[tuple[str | None, str, str | None], str]:
    """(context, text, plural) → the first place that says it."""
    found: dict[tuple[str | None, str, str | None], str] = {}
    for path in sources():
        for call in calls(path):
            texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            if texts:
                found.setdefault(entry(name_of(call), texts), f"{path.relative_to(ROOT)}:{call.lineno}")
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for call in TEMPLATE_CALL.finditer(templatize(path.read_text("utf-8"))):
            texts = list(ast.literal_eval(f"({call[2]},)"))
            found.setdefault(entry(call[1], texts), str(path.relative_to(ROOT)))
    return found


@cache
def catalogue() -> polib.POFile:
    return polib.pofile(str(CATALOGUE))


def forms(one: polib.POEntry) -> list[str]:
    return list(one.msgstr_plural.values()) if one.msgid_plural else [one.msgstr]


# ------------------------------------------------------------------ the catalogue


def test_every_text_of_the_code_is_in_the_catalogue_and_nothing_else():
    said = collected()
    known = {(one.msgctxt, one.msgid, one.msgid_plural or None) for one in catalogue() if not one.obsolete}
    missing = [f"{place}: {key[1]}" for key, place in said.items() if key not in known]
    assert not missing, "run scripts/messages.sh and translate:\n" + "\n".join(missing)
    left_over = [key[1] for key in known if key not in said]
    assert not left_over, "no longer said, run scripts/messages.sh:\n" + "\n".join(left_over)


def test_every_text_has_its_english():
    assert not [one.msgid for one in catalogue() if one.obsolete or "fuzzy" in one.flags]
    assert not [one.msgid for one in catalogue() if not all(forms(one))]
    chinese = [one.msgid for one in catalogue() if any(HAN.search(form.replace("责任", "")) for form in forms(one))]
    # examples of what to search a Chinese notice for
    assert chinese == ["例如：月底、信访、扣0.1"]


def test_placeholders_and_lines_survive_translation():
    for one in catalogue():
        for form in forms(one):
            assert sorted(set(PLACE.findall(form))) == sorted(set(PLACE.findall(one.msgid))), one.msgid
            assert form.count("\n") == one.msgid.count("\n"), one.msgid


def test_the_compiled_catalogue_is_the_written_one():
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))

    def content(file) -> dict:
        return {(one.msgctxt, one.msgid): (one.msgid_plural, forms(one)) for one in file if not one.obsolete}

    assert content(compiled) == content(catalogue()), "run scripts/messages.sh"


# ------------------------------------------------------------------ marks


def test_no_text_is_put_together_inside_its_mark():
    """_(f"…{x}") and _("…".format(x)) are never found in a catalogue."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}"
        for path in sources()
        for call in calls(path)
        if any(isinstance(part, ast.JoinedStr | ast.Call | ast.BinOp) for part in call.args[:1])
    ]
    assert not wrong, "\n".join(wrong)


def unmarked(path: Path) -> Iterator[tuple[int, str]]:
    """Chinese literals outside _(…) and docstrings."""
    known = {id(part) for call in calls(path) for arg in call.args for part in ast.walk(arg)}
    known |= {id(node.value) for node in ast.walk(tree(path)) if isinstance(node, ast.Expr)}
    # 一、工作目标: the notice's own way of numbering its sections
    known |= {
        id(part)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.JoinedStr)
        for part in node.values
        if isinstance(part, ast.Constant) and part.value == "、"
    }
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in known:
            continue
        if HAN.search(node.value.replace("\u3000", "")):  # an ideographic space indents
            yield node.lineno, node.value


def test_chinese_in_the_code_is_marked_or_named_here():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sources()
        if not str(path.relative_to(ROOT)).startswith(tuple(UNMARKED))
        and path.name != "apps.py"
        and "management" not in path.parts
        for line, text in unmarked(path)
    ]
    assert not wrong, "mark with _(), or say in UNMARKED why not:\n" + "\n".join(wrong)


@pytest.mark.parametrize("prefix", UNMARKED)
def test_the_list_of_exceptions_is_no_longer_than_needed(prefix):
    places = [path for path in sources() if str(path.relative_to(ROOT)).startswith(prefix)]
    assert any(any(unmarked(path)) for path in places), prefix


def test_no_chinese_in_a_template_outside_its_marks():
    marks = re.compile(
        r"\{#.*?#\}|\{%\s*blocktranslate\b.*?endblocktranslate\s*%\}|\{%\s*translate\b.*?%\}|_\((['\"]).*?\1\)", re.S
    )
    wrong = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        rest = marks.sub("", path.read_text("utf-8"))
        rest = rest.replace('{% if code == "zh-hans" %}中文{%', "")  # a language says its name in itself
        rest = re.sub(r"\{\{ \w+\.no \}\}、", "", rest)  # 一、工作目标: the notice's own numbering
        wrong += [f"{path.relative_to(ROOT)}: {line.strip()[:120]}" for line in rest.splitlines() if HAN.search(line)]
    assert not wrong, "\n".join(wrong)


def test_the_scripts_hold_no_words():
    """They take them from templates/components/words.html."""
    for path in (ROOT / "static" / "zeren").glob("*.js"):
        lines = re.sub(r"/\*.*?\*/|(^|\s)//[^\n]*", "", path.read_text("utf-8"), flags=re.S)
        assert not HAN.search(lines), path.name


# ------------------------------------------------------------------ which language


def language(response) -> tuple[str, str]:
    return re.search(r'<html lang="([^"]+)"', response.content.decode())[1], response.headers["Content-Language"]


def test_chinese_whatever_the_browser_was_installed_in():
    response = Client(headers={"accept-language": "en-US,en;q=0.9"}).get("/about/source/")
    assert language(response) == ("zh-CN", "zh-hans")
    assert "Cookie" in response.headers["Vary"]
    assert "Accept-Language" not in response.headers["Vary"]


@pytest.mark.parametrize("nonsense", ["", "xx", "de", "../../etc", "en" * 500])
def test_a_language_there_is_not_is_chinese(nonsense):
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = nonsense
    assert language(client.get("/about/source/")) == ("zh-CN", "zh-hans")


@pytest.mark.django_db
def test_english_is_chosen_with_a_click_and_stays(world):
    client = world.client("clerk")
    response = client.post("/i18n/setlang/", {"language": "en", "next": "/about/source/"})
    assert response.status_code == 302
    assert response.headers["Location"] == "/about/source/"
    cookie = response.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie.value, cookie["max-age"], cookie["samesite"], cookie["httponly"]) == ("en", 31536000, "Lax", True)
    page = client.get("/")
    assert language(page) == ("en", "en")
    assert "My work" in page.content.decode()
    assert translation.get_language() == "zh-hans", "the language of a request ends with it"
    client.post("/i18n/setlang/", {"language": "zh-hans"})
    assert language(client.get("/")) == ("zh-CN", "zh-hans")


@pytest.mark.django_db
def test_no_choice_of_language_leads_elsewhere(world):
    response = world.client("clerk").post("/i18n/setlang/", {"language": "en", "next": "https://example.org/"})
    assert not response.headers["Location"].startswith("http")


# ------------------------------------------------------------------ pages in English

PAGES = {
    "clerk": ["/", "/work/tasks/", "/work/results/", "/notifications/"],
    "reviewer": ["/", "/work/tasks/", "/work/results/"],
    "coordinator": ["/", "/work/coordination/", "/work/coordination/extra/", "/schemes/"],
    "leader": ["/", "/work/sign/", "/work/results/"],
    "administrator": ["/accounts/people/", "/accounts/offices/", "/accounts/people/new/"],
    "auditor": ["/audit/", "/audit/verify/"],
}


def english(client: Client) -> Client:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("role", PAGES)
def test_english_pages_say_nothing_of_the_interface_in_chinese(world, role):
    """No text of the catalogue that is longer than a word stands on an English page."""
    texts = [one.msgid for one in catalogue() if len(one.msgid) >= 4 and not PLACE.search(one.msgid)]
    client = english(world.client(role))
    for address in PAGES[role]:
        response = client.get(address)
        assert response.status_code == 200, address
        # names and titles are data, and may contain any word
        shown = re.sub(r"<(title|option|h1)\b.*?</\1>", "", response.content.decode(), flags=re.S)
        words = {text.strip() for text in re.findall(r">([^<>]+)<", shown)}
        assert not words & set(texts), address


def test_periods_are_named_in_the_reader_s_language():
    for _again in range(2):  # the second time from what is remembered
        assert period_words("2026-Q3") == "2026年第三季度"
        with translation.override("en"):
            assert period_words("2026-Q3") == "2026-Q3"


# ------------------------------------------------------------------ what is kept is Chinese


@pytest.mark.django_db
def test_notifications_are_kept_in_chinese_whoever_acts(world):
    task = make_task(world, world.own, "accepted", key="english")
    task.refresh_from_db()
    response = english(world.client("clerk")).post(
        f"/work/tasks/{task.pk}/submit/",
        {"text": "done", "v0": "96", "revision": task.revision, "token": "a" * 32, "base": timezone.now().isoformat()},
    )
    assert response.status_code == 302, response.content.decode()
    told = Notification.objects.filter(url=f"/work/tasks/{task.pk}/", kind__in=("confirm", "review")).get()
    assert told.title.startswith("请")
    assert HAN.search(told.title + told.body)


@pytest.mark.django_db
def test_the_trail_keeps_chinese_labels(world):
    now = timezone.now()
    admin = Actor.person(world.people["administrator"])
    newcomer = person("newcomer", "新来的")
    with translation.override("en"):
        start_membership(actor=admin, at=now, user=newcomer, office=world.own.office, role=Membership.Role.CLERK)
        give(actor=admin, at=now, user=world.own.reviewer, office=world.other.office, power=Power.REVIEW)
    kept = dict(AuditEntry.objects.filter(actor=world.people["administrator"]).values_list("verb", "detail"))
    assert kept["membership.started"]["role"] == "经办人"
    assert kept["grant.given"]["power"] == "审核与评分"


def test_no_message_is_marked_for_translation():
    wrong = [
        f"{path.relative_to(ROOT)}:{inner.lineno}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and name_of(node) == "Message"
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and name_of(inner) in CALLS
    ]
    assert not wrong, "kept texts are Chinese (notifications.operations.Message):\n" + "\n".join(wrong)
