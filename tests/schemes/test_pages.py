"""The breakdown on the screen: as the notice prints it, for whoever has business here, imported whole or not at all."""

import base64
import html
import re
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.grants import Power, grant
from accounts.models import Membership, Office, User
from schemes.document import Doubt
from schemes.layout import _pieces, lay_out, matrix, merged
from schemes.models import SchemeVersion
from schemes.operations import import_document, roll
from tests.notices import JIAXING, SMALL, jiaxing, read
from tests.world import world  # noqa: F401

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
UNREADABLE = ("administrator", "auditor")
QUOTES = (("D1", "5日前"), ("D2", "日前报送"), ("D3", "没有这句"), ("D4", "扣分"))


@pytest.fixture
def notice(db) -> SchemeVersion:
    return import_document(document=jiaxing(), actor=SYSTEM, at=timezone.now())


def person(username: str, *, member: str = "", power: Power | None = None, over: Office | None = None) -> Client:
    user = User.objects.create(username=username, name=username)
    if member:
        Membership.objects.create(user=user, office=Office.objects.get(name=member))
    if power:
        grant(user=user, power=power, office=over)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(name: str, version: SchemeVersion) -> str:
    return reverse(f"schemes:{name}", args=[version.scheme.key, version.year, version.number])


def words(answer) -> str:
    """What is read on a page, without markup."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", answer.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", text))


# ------------------------------------------------------------------ the layout


def test_neighbours_that_repeat_a_label_are_one_cell():
    cells = merged([["甲"], ["乙", "一"], ["乙", "二"], ["乙", "二"], ["乙"]], columns=2)
    assert [[(c.text, c.rows, c.columns) for c in row] for row in cells] == [
        [("甲", 1, 2)],
        [("乙", 3, 1), ("一", 1, 1)],
        [("二", 2, 1)],
        [],
        [("乙", 1, 2)],
    ]


def test_every_row_of_the_notice_fills_all_its_columns():
    sheet = lay_out(jiaxing())
    for part in sheet.parts:
        filled = [0] * len(part.lines)
        for index, line in enumerate(part.lines):
            for cell in line.cells:
                for row in range(index, index + cell.rows):
                    filled[row] += cell.columns
        assert filled == [sheet.columns] * len(part.lines)


def test_no_word_of_the_notice_is_lost_by_marking_doubts():
    sheet = lay_out(jiaxing())
    assert sheet.counts == {
        "rows": 67,
        "clauses": 215,
        "rules": 166,
        "deadlines": 92,
        "task_deadlines": 25,
        "doubts": len(jiaxing().doubts),
        "inherited": 13,
    }
    marked = 0
    for line in sheet.lines:
        assert [paragraph.text for paragraph in line.paragraphs] == [clause.text for clause in line.row.clauses]
        marked += sum(bool(piece.doubts) for paragraph in line.paragraphs for piece in paragraph.pieces)
    assert marked > 50


def test_overlapping_doubts_are_one_stretch():
    doubts = [Doubt(id=code, kind="ambiguous", question="?", reading="!", quote=quote) for code, quote in QUOTES]
    pieces = _pieces("每月5日前报送情况,未报的扣分", doubts)
    assert [(piece.text, [doubt.id for doubt in piece.doubts]) for piece in pieces] == [
        ("每月", []),
        ("5日前报送", ["D1", "D2"]),
        ("情况,未报的", []),
        ("扣分", ["D4"]),
    ]


def test_the_matrix_spells_out_collective_names():
    offices, parts = matrix(lay_out(jiaxing()))
    second = parts[0][1][1]
    assert second.line.row.code == "1.02"
    roles = {name: cell and cell.role for name, cell in zip(offices, second.cells, strict=True)}
    assert roles == {"综合处": "collect", "监督协调处": "provide", "登记管理处": "provide", "机关党支部": "provide"}


# ------------------------------------------------------------------ reading


def test_the_breakdown_is_the_notices_own_table(notice):
    client = person("clerk", member="登记管理处")
    answer = client.get(address("version", notice))
    text, source = words(answer), answer.content.decode()
    assert answer.status_code == 200
    for phrase in (
        "一、围绕中心服务大局履行职能",
        "（分值：42）",
        "各行相加 36",
        "每月5日前（含当日）报送，全年12次",
        "（合并单元格推定）",
        "最多加 0.5 分",
        "90.2",
    ):
        assert phrase in text
    assert '<td class="zs-merged zs-path" rowspan="12">' in source  # 年度重点工作, 1.02 to 1.13
    assert "导入方案" not in text
    assert "结转到其他年度" not in text  # a clerk does not coordinate


def test_pages_load_nothing_inline(notice):
    client = person("coordinator", power=Power.COORDINATE, over=notice.unit)
    for name in ("version", "matrix", "roll"):
        source = client.get(address(name, notice)).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", source)


@pytest.mark.parametrize("name", ["version", "matrix"])
def test_pages_of_the_real_notice_take_few_queries(notice, name, django_assert_max_num_queries):
    client = person("clerk", member="综合处")
    client.get(address(name, notice))
    with django_assert_max_num_queries(15):
        client.get(address(name, notice))


@pytest.mark.parametrize("role", UNREADABLE)
def test_administrators_and_auditors_read_no_breakdown(world, role):  # noqa: F811
    client, version = world.client(role), world.version
    for url in (
        reverse("schemes:list"),
        address("version", version),
        address("matrix", version),
        reverse("schemes:compare", args=[version.scheme.key]),
    ):
        assert client.get(url).status_code == 404


@pytest.mark.parametrize("role", ["clerk", "head", "reviewer", "leader", "administrator", "auditor"])
def test_only_coordinators_import_and_roll(world, role):  # noqa: F811
    client = world.client(role)
    upload = SimpleUploadedFile("a.yaml", SMALL.encode())
    assert client.get(reverse("schemes:import")).status_code == 404
    assert client.post(reverse("schemes:import"), {"file": upload}).status_code == 404
    assert client.get(address("roll", world.version)).status_code == 404
    assert client.post(address("roll", world.version), {"year": 2031}).status_code == 404
    assert SchemeVersion.objects.count() == 1


def test_what_does_not_exist_is_not_found(notice):
    client = person("clerk", member="综合处")
    assert client.get(reverse("schemes:version", args=["jiaxing-2017", 2017, 9])).status_code == 404
    assert client.get(reverse("schemes:compare", args=["nothing"])).status_code == 404
    assert client.get(reverse("schemes:compare", args=["jiaxing-2017"]) + "?old=x&new=99999").status_code == 200


def test_differences_between_years(notice):
    new = roll(version=notice, year=2026, actor=SYSTEM, at=timezone.now())
    client = person("clerk", member="综合处")
    text = words(client.get(reverse("schemes:compare", args=[notice.scheme.key])))
    assert "从 2017 年度第 1 版到 2026 年度第 1 版" in text
    assert "2026-09-30" in text
    assert "条文仍写着原来的年度" in text
    assert "内容完全相同" not in text
    assert new.rolled_from_id == notice.pk


# ------------------------------------------------------------------ importing


@pytest.fixture
def coordinator(db) -> Client:
    unit = Office.objects.create(name="甲局")
    return person("coordinator", power=Power.COORDINATE, over=unit)


def send(client: Client, content: bytes, name: str = "方案.yaml"):
    return client.post(reverse("schemes:import"), {"file": SimpleUploadedFile(name, content)})


def hidden(answer) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="(packed|name|digest)" value="([^"]*)"', answer.content.decode())
    return {name: html.unescape(value) for name, value in fields}


def test_check_preview_import(coordinator):
    answer = send(coordinator, SMALL.encode())
    assert answer.status_code == 200
    assert "检查通过，还没有导入" in words(answer)
    assert not SchemeVersion.objects.exists()
    done = coordinator.post(reverse("schemes:import"), hidden(answer), follow=True)
    version = SchemeVersion.objects.get()
    assert (version.year, version.number, version.digest) == (2020, 1, read(SMALL).digest)
    assert done.redirect_chain[0][0] == address("version", version)
    assert "已导入" in words(done)
    again = coordinator.post(reverse("schemes:import"), hidden(answer))
    assert again.status_code == 302
    assert SchemeVersion.objects.count() == 1
    assert "不需要再导入" in words(send(coordinator, SMALL.encode()))


def test_the_real_notice_from_the_library(coordinator):
    Office.objects.create(name="嘉兴市新居民事务局")
    answer = coordinator.post(reverse("schemes:import"), {"library": JIAXING.stem})
    assert "67 行、215 条" in words(answer)
    refused = coordinator.post(reverse("schemes:import"), hidden(answer))
    assert refused.status_code == 403  # the power is over another unit
    assert "权限" in words(refused)
    assert not SchemeVersion.objects.exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (SMALL.replace('points: "10"', 'points: "11"', 1).encode(), "11"),
        (SMALL.replace("{name: 一处, role: responsible", "{name: 九处, role: responsible").encode(), "九处"),
        (SMALL.replace("format: 1", "format: 1\nformat: 1").encode(), "format"),
        (b"\xff\xfe\x00bad", ""),
        (b"a: [1, 2", ""),
        (b"a: &x [1]\nb: *x\n? <script>alert(1)</script>", "&lt;script&gt;"),
        (b"!!python/object/apply:os.system ['true']", ""),
        (b"", ""),
    ],
)
def test_a_bad_file_imports_nothing_and_says_where(coordinator, content, expected):
    answer = send(coordinator, content)
    assert answer.status_code == 400
    assert expected in answer.content.decode()
    assert "<script>alert" not in answer.content.decode()
    assert not SchemeVersion.objects.exists()


def test_nothing_chosen_is_said(coordinator):
    answer = coordinator.post(reverse("schemes:import"), {})
    assert answer.status_code == 400
    assert "请选择一个方案文件" in words(answer)


@pytest.mark.parametrize("packed", ["", "x", "eJw=", "%%%", "eJzLSM3JyVcozy/KSVEEABxJBD4", "甲"])
def test_a_tampered_preview_is_refused(coordinator, packed):
    answer = coordinator.post(reverse("schemes:import"), {"packed": packed, "digest": "x", "name": "a"})
    assert answer.status_code == 400
    assert not SchemeVersion.objects.exists()


def test_a_bomb_is_not_unpacked(coordinator):
    packed = base64.b64encode(zlib.compress(b"0" * 50_000_000, 9)).decode()
    answer = coordinator.post(reverse("schemes:import"), {"packed": packed, "digest": "x"})
    assert answer.status_code == 400


def test_another_content_than_the_one_shown_is_shown_again(coordinator):
    fields = hidden(send(coordinator, SMALL.encode())) | {"digest": "0" * 64}
    answer = coordinator.post(reverse("schemes:import"), fields)
    assert "还没有导入" in words(answer)
    assert not SchemeVersion.objects.exists()


# ------------------------------------------------------------------ rolling


def test_rolling_shows_first_and_then_makes(notice):
    client = person("coordinator", power=Power.COORDINATE, over=notice.unit)
    url = address("roll", notice)
    shown = client.get(url, {"year": 2027})
    assert "确认结转到 2027 年度" in words(shown)
    assert SchemeVersion.objects.count() == 1
    assert client.post(url, {"year": 2027, "office_0": ""}).status_code == 302
    assert SchemeVersion.objects.get(year=2027).rolled_from == notice
    for year in ("", "2017", "abc", "99999"):
        answer = client.get(url, {"year": year})
        assert answer.status_code == 400
        assert client.post(url, {"year": year}).status_code == 400
    assert SchemeVersion.objects.count() == 2


def test_rolling_with_a_renamed_office(notice):
    client = person("coordinator", power=Power.COORDINATE, over=notice.unit)
    names = list(jiaxing().offices)
    client.post(address("roll", notice), {"year": 2027, f"office_{names.index('登记管理处')}": "登记服务处"})
    new = SchemeVersion.objects.get(year=2027)
    assert new.indicators.filter(responsibilities__name="登记服务处").exists()
    assert not new.indicators.filter(responsibilities__name="登记管理处").exists()
