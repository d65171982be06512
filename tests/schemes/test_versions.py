"""Importing, rolling and reading versions."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import Actor
from accounts.errors import BadInput, NotAllowed
from accounts.grants import Power, grant
from accounts.models import Office, User
from audit.models import AuditEntry
from schemes.document import document_export
from schemes.errors import UnitMissing
from schemes.models import Clause, Deadline, Doubt, Indicator, Scheme, SchemeVersion, ScoringRule
from schemes.operations import compare, import_document, roll
from schemes.queries import export, find_document, full, latest, load_document, office_points
from tests.notices import SMALL, jiaxing, read, spoilt

pytestmark = pytest.mark.django_db
AT = datetime(2017, 9, 13, 1, 0, tzinfo=UTC)
SYSTEM = Actor.system("test")


def imported(document=None, actor=SYSTEM):
    return import_document(document=document or jiaxing(), actor=actor, at=AT)


def person(name="甲", **grants):
    user = User.objects.create(username=name, name=name)
    for power, office in grants.items():
        grant(user=user, power=Power[power.upper()], office=office)
    return Actor.person(user)


def command(*args):
    out, err = StringIO(), StringIO()
    call_command(*args, stdout=out, stderr=err)
    return out.getvalue()


def test_the_whole_notice_is_stored():
    version = imported()
    assert (version.year, version.number, version.status) == (2017, 1, "draft")
    assert (Indicator.objects.count(), Clause.objects.count()) == (67, 215)
    assert Doubt.objects.count() == len(jiaxing().doubts)
    assert ScoringRule.objects.filter(digest="").count() == 0
    assert Deadline.objects.filter(kind="month_end").count() == 13
    unit = Office.objects.get(name="嘉兴市新居民事务局")
    assert version.unit == unit
    assert [office.name for office in unit.children.all()] == list(jiaxing().offices)


def test_what_is_read_back_is_what_was_typed():
    version = imported()
    assert load_document(version).digest == jiaxing().digest == version.digest
    assert json.dumps(export(version), ensure_ascii=False) == json.dumps(document_export(jiaxing()), ensure_ascii=False)
    assert office_points(version).total == 100


def test_the_tree_takes_a_constant_number_of_queries(django_assert_num_queries):
    version = imported()
    small = imported(read(SMALL))
    for found in (version, small):
        with django_assert_num_queries(10):
            tree = full(found)
            for section in tree.sections.all():
                for row in section.indicators.all():
                    assert row.row_rules is not None
                    assert row.row_deadlines is not None
                    for office in row.responsibilities.all():
                        assert office.office is None or office.office.name
                    for clause in row.clauses.all():
                        assert list(clause.rules.all()) is not None
                        assert list(clause.deadlines.all()) is not None
            assert list(tree.doubts.all()) is not None


def test_importing_twice_makes_nothing_twice():
    first = imported()
    entries = AuditEntry.objects.count()
    assert imported() == first
    assert (SchemeVersion.objects.count(), Office.objects.count(), Indicator.objects.count()) == (1, 5, 67)
    assert AuditEntry.objects.count() == entries


def test_changed_content_is_the_next_version():
    first = imported()
    second = imported(replace(jiaxing(), title="另一标题"))
    assert (second.number, second.scheme) == (2, first.scheme)
    assert latest("jiaxing-2017") == second
    assert [str(item) for item in compare(old=first, new=second)] == [f"标题:{first.title} → 另一标题"]


def test_all_or_nothing(monkeypatch):
    monkeypatch.setattr("schemes.operations.Doubt.objects.bulk_create", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        imported()
    assert not Scheme.objects.exists()
    assert not Office.objects.exists()
    assert not AuditEntry.objects.exists()


def test_only_a_coordinator_of_the_unit_imports():
    with pytest.raises(UnitMissing):
        imported(actor=person("早"))
    imported()
    unit = Office.objects.get(name="嘉兴市新居民事务局")
    changed = replace(jiaxing(), title="另一标题")
    with pytest.raises(NotAllowed):
        imported(changed, actor=person("外"))
    with pytest.raises(NotAllowed):
        imported(changed, actor=person("核", review=unit))
    assert imported(changed, actor=person("统", coordinate=unit)).number == 2


def test_import_is_on_record():
    version = imported()
    verbs = list(AuditEntry.objects.order_by("seq").values_list("verb", flat=True))
    assert verbs == ["office.created"] * 5 + ["scheme.imported"]
    assert AuditEntry.objects.get(verb="scheme.imported").detail["digest"] == version.digest


# --- rolling


def test_rolling_shows_what_changes():
    old = imported()
    new = roll(version=old, year=2026, actor=SYSTEM, at=AT)
    assert (new.year, new.number, new.rolled_from, new.issued_on) == (2026, 1, old, None)
    assert new.title.startswith("2026年度")
    found = compare(old=old, new=new)
    changes = {(item.kind, item.where): (item.old, item.new) for item in found}
    assert changes["year", ""] == ("2017", "2026")
    assert changes["bonus", ""] == ("2017-01-01至2017-12-31", "2026-01-01至2026-12-31")
    assert changes["due", "1.03/1"] == ("2017-09-30", "2026-09-30")
    fixed = [item for item in found if item.kind == "due" and item.old < "2018" and "次" not in item.old]
    months = [item for item in fixed if not item.old.endswith("12-31")]
    assert len(months) == 13
    assert ("2017-02-05…2018-01-05(12次)", "2026-02-05…2027-01-05(12次)") in {(item.old, item.new) for item in found}
    assert any(item.kind == "mention" and "2017年度" in item.old for item in found)
    assert not any(item.kind in {"points", "text", "rules", "offices"} for item in found)
    assert export(new)["sections"][0]["rows"][2]["clauses"][0]["deadlines"][0]["due"] == "2026-09-30"


def test_rolling_twice_makes_nothing_twice():
    old = imported()
    new = roll(version=old, year=2018, actor=SYSTEM, at=AT)
    assert roll(version=old, year=2018, actor=SYSTEM, at=AT) == new
    assert SchemeVersion.objects.count() == 2


def test_rolling_with_a_renamed_office():
    old = imported()
    new = roll(version=old, year=2018, actor=SYSTEM, at=AT, offices={"登记管理处": "服务管理处"})
    document = load_document(new)
    assert "登记管理处" not in document.offices
    assert document.members["各处"] == ("监督协调处", "服务管理处", "机关党支部")
    assert Office.objects.get(name="服务管理处").parent == old.unit
    assert {item.kind for item in compare(old=old, new=new)} >= {"offices", "groups"}


def test_rolling_to_nowhere_is_refused():
    old = imported()
    with pytest.raises(BadInput) as refusal:
        roll(version=old, year=2017, actor=SYSTEM, at=AT, offices={"九处": "十处"})
    assert set(refusal.value.problems) == {"year", "offices"}
    with pytest.raises(NotAllowed):
        roll(version=old, year=2018, actor=person(), at=AT)


# --- commands


def test_import_command_reports_every_error_and_writes_nothing(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_bytes(spoilt(('points: "3"', 'points: "三"'), ("key: small", "key: Small")))
    err = StringIO()
    with pytest.raises(CommandError, match="共2处错误") as refusal:
        call_command("import_scheme", str(file), stderr=err)
    assert refusal.value.returncode == 1
    assert "第2行 key: " in err.getvalue()
    assert "sections[0].rows[0].clauses[0].points: " in err.getvalue()
    assert not Scheme.objects.exists()


def test_import_command_by_key_by_file_and_dry(tmp_path):
    assert "没有写入" in command("import_scheme", "jiaxing-2017", "--dry-run")
    assert not Scheme.objects.exists()
    assert "3个部分,67行,215条" in command("import_scheme", "jiaxing-2017")
    assert "没有变化" in command("import_scheme", "jiaxing-2017")
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    assert "第1版" in command("import_scheme", str(file))
    with pytest.raises(CommandError, match="jiaxing-2017"):
        command("import_scheme", "no-such-scheme")


def test_export_command_is_the_same_without_and_with_the_database():
    library = command("export_scheme", "jiaxing-2017", "--json")
    imported()
    assert command("export_scheme", "jiaxing-2017", "--json") == library
    assert len(json.loads(library)["sections"]) == 3
    with pytest.raises(CommandError, match="2019"):
        command("export_scheme", "jiaxing-2017", "--year", "2019", "--json")
    with pytest.raises(CommandError, match="没有找到"):
        command("export_scheme", "../jiaxing-2017", "--json")


def test_a_key_is_found_in_the_database_before_the_library():
    imported(replace(jiaxing(), title="库中标题"))
    assert find_document("jiaxing-2017").title == "库中标题"


def test_roll_command_prints_the_differences():
    imported()
    assert "2017-09-30 → 2026-09-30" in command("roll_scheme", "jiaxing-2017", "--to", "2026", "--dry-run")
    assert SchemeVersion.objects.count() == 1
    assert "2026年度第1版" in command("roll_scheme", "jiaxing-2017", "--to", "2026")
