"""督办台 and issuing: numbers that agree with their lists, only for one's own offices, in few queries."""

import re
from datetime import date, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.grants import Power, grant
from accounts.models import Membership, Office, User
from schemes.models import SchemeVersion
from schemes.operations import import_document, roll
from tasks import overview
from tasks.models import Task
from tasks.overview import LateFilter, late_since
from tests.notices import jiaxing
from tests.world import World, make_task

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
BOARD = "/work/coordination/"
MAP = "/work/coordination/map/"


def words(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def late(world: World, side, *, days: int = 30, key: str = "late", state: str = "accepted", **fields) -> Task:
    return make_task(world, side, state, key=key, due_at=world.now - timedelta(days=days), **fields)


def coordinator_of(*offices: Office, power: Power = Power.COORDINATE) -> Client:
    user = User.objects.create(username=f"c{'-'.join(str(o.pk) for o in offices)}{power[:2]}", name="统筹员")
    for office in offices:
        grant(user=user, power=power, office=office)
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


# ------------------------------------------------------------------ the late list


def test_the_longest_late_come_first_and_only_late_ones(world):
    late(world, world.own, days=3, key="a", title="晚三日")
    late(world, world.other, days=40, key="b", title="晚四十日")
    late(world, world.own, days=50, key="c", state="reviewing", title="已报送")
    answer = world.client("coordinator").get(BOARD)
    titles = [row.task.title for row in answer.context["rows"]]
    assert titles == ["晚四十日", "晚三日"]
    assert answer.context["late_words"] == "2"


@pytest.mark.parametrize("role", ["clerk", "head", "reviewer", "administrator", "auditor"])
def test_who_coordinates_nothing_finds_nothing(world, role):
    client = world.client(role)
    for url in (BOARD, MAP, "/work/coordination/extra/", f"/work/issue/{world.version.pk}/", "/reports/late/xlsx/"):
        assert client.get(url).status_code == 404
    before = Task.objects.count()
    assert client.post("/work/coordination/extra/", {}).status_code == 404
    assert client.post(f"/work/issue/{world.version.pk}/").status_code == 404
    assert Task.objects.count() == before


def test_a_leader_reads_but_does_not_assign(world):
    client = world.client("leader")
    answer = client.get(BOARD)
    assert answer.status_code == 200
    assert "临时交办" not in words(answer)
    assert client.get("/work/coordination/extra/").status_code == 404


def test_other_offices_are_not_there(world):
    late(world, world.own, key="a", title=f"{world.own.marker}甲晚")
    late(world, world.other, key="b", title=f"{world.other.marker}乙晚")
    client = coordinator_of(world.own.office)
    for url in (BOARD, f"{BOARD}?office={world.other.office.pk}", MAP, f"{MAP}?year=2000"):
        text = client.get(url).content.decode()
        assert world.other.marker not in text
        assert world.other.office.name not in text
    rows = client.get(f"{BOARD}?office={world.other.office.pk}").context["rows"]
    assert rows == []


def test_filters_stand_in_the_address(world):
    late(world, world.own, days=60, key="a", title="久", role="collect")
    late(world, world.own, days=1, key="b", title="新")
    late(world, world.other, days=60, key="c", title="他处")
    client = world.client("coordinator")

    def titles(query: str) -> list[str]:
        return [row.task.title for row in client.get(BOARD + query).context["rows"]]

    assert titles("?days=15") == ["久", "他处"]
    assert titles(f"?days=15&office={world.own.office.pk}") == ["久"]
    assert titles("?role=collect") == ["久"]
    assert titles("?office=xyz&days=-1&role=;drop&page=zz") == ["久", "他处", "新"]
    chips = client.get(f"{BOARD}?days=15&office={world.own.office.pk}").context["chips"]
    assert {chip["url"] for chip in chips} == {f"?office={world.own.office.pk}", "?days=15"}


def test_days_late_are_working_days():
    wednesday = date(2026, 11, 18)
    assert late_since(3, today=wednesday) == date(2026, 11, 15)  # a Sunday: Monday to Wednesday are three
    assert late_since(1, today=date(2026, 11, 15)) == date(2026, 11, 12)  # on a Sunday: since Thursday's due date
    assert late_since(0, today=wednesday) == date(2026, 11, 17)
    assert LateFilter.read({"days": "7", "office": "³", "role": "provide"}) == LateFilter(days=7, role="provide")


def test_numbers_agree_with_the_lists_they_open(world):
    late(world, world.own, key="a")
    late(world, world.other, key="b", state="issued")
    make_task(world, world.own, "returned", key="soon", due_at=timezone.now() + timedelta(hours=1))
    make_task(world, world.own, "approved", key="done")
    client = world.client("coordinator")
    figures = client.get(BOARD).context["figures"]
    assert len(figures) == 6
    for figure in figures:
        listed = client.get(figure.url)
        assert str(listed.context["count"]) == figure.value, figure.label


def test_pages_of_the_late_list(world):
    for index in range(60):
        late(world, world.own, key=f"n{index}", days=60 - index // 2)
    client = world.client("coordinator")
    pages = [[row.task.pk for row in client.get(f"{BOARD}?page={n}").context["rows"]] for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [25, 25, 10]
    assert len({pk for page in pages for pk in page}) == 60


@pytest.mark.parametrize("url", [BOARD, MAP])
def test_as_many_queries_for_ten_rows_as_for_a_thousand(world, url, django_assert_max_num_queries):
    client = world.client("coordinator")

    def count() -> int:
        cache.clear()
        client.get(url)
        cache.clear()
        with django_assert_max_num_queries(15) as queries:
            assert client.get(url).status_code == 200
        return len(queries)

    for index in range(10):
        late(world, world.own, key=f"few{index}")
    few = count()
    template = Task.objects.get(key="world:own:few0")
    copies = []
    for index in range(1000):
        copies.append(Task(**_values(template) | {"id": None, "key": f"many{index}"}))
    Task.objects.bulk_create(copies)
    assert count() == few


def _values(task: Task) -> dict:
    return {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields}


def test_a_count_stops_at_the_cap(world, monkeypatch):
    monkeypatch.setattr("tasks.queries.COUNT_CAP", 3)
    for index in range(6):
        late(world, world.own, key=f"n{index}")
    assert world.client("coordinator").get(BOARD).context["figures"][0].value == "3+"


# ------------------------------------------------------------------ office by month


def test_the_heat_map_adds_up_and_shows_the_worst(world):
    year = timezone.localdate(world.now).year
    day = timezone.make_aware(timezone.datetime(year - 1, 6, 30, 12))
    for index, state in enumerate(("approved", "approved", "returned", "reviewing")):
        make_task(world, world.own, state, key=f"h{index}", due_at=day)
    heat = overview.heat({world.own.office.pk}, year=year - 1, at=world.now)
    cell = heat.cells[world.own.office.pk][f"{year - 1}-06"]
    assert (cell.total, cell.late, cell.returned, cell.waiting, cell.approved, cell.worst) == (4, 1, 0, 1, 2, "late")
    assert heat.total_of(world.own.office.pk).total == 4
    assert world.other.office.pk not in heat.cells
    early = overview.heat({world.own.office.pk}, year=year - 1, at=day - timedelta(days=1))
    assert early.cells[world.own.office.pk][f"{year - 1}-06"].worst == "returned"


def test_every_task_of_the_year_is_in_one_cell(world):
    total = sum(
        overview.heat({side.office.pk for side in world.sides}, year=year, at=world.now).total_of(side.office.pk).total
        for year in {task.due_date.year for task in Task.objects.all()}
        for side in world.sides
    )
    january = Task.objects.filter(due_date__month=1).count()
    assert Task.objects.count() <= total <= Task.objects.count() + january  # January also stands behind December


def test_cells_open_lists_of_the_same_length(world):
    late(world, world.own, days=40, key="a")
    client = world.client("coordinator")
    year = (world.now - timedelta(days=40)).year
    html = client.get(f"{MAP}?year={year}", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in html
    links = re.findall(r'<a href="([^"]+month=[^"]+)"><span aria-hidden="true">[^<]*</span>(\d+)', html)
    links += re.findall(r'<a class="zs-of" href="([^"]+month=[^"]+)">/(\d+)', html)
    assert links
    for url, count in links:
        assert str(client.get(url.replace("&amp;", "&")).context["count"]) == count


def test_the_map_opens_as_a_page_of_its_own(world):
    answer = world.client("coordinator").get(MAP)
    assert "<html" in answer.content.decode()
    assert "处室与月份" in words(answer)


def test_offices_without_a_live_person(world):
    office_ids = {side.office.pk for side in world.sides}

    def reasons() -> dict[str, str]:
        return {
            Office.objects.get(pk=line.office_id).name: line.reason
            for line in overview.phantoms(office_ids, at=world.now)
        }

    assert reasons() == dict.fromkeys((side.office.name for side in world.sides), "never_logged_in")
    User.objects.update(last_login=world.now)
    assert reasons() == {}
    Membership.objects.filter(office=world.own.office, role="head").update(valid_to=date(2020, 1, 1))
    assert reasons() == {world.own.office.name: "no_head"}
    Membership.objects.filter(office=world.own.office).update(valid_to=date(2020, 1, 1))
    assert reasons() == {world.own.office.name: "nobody"}
    Task.objects.filter(office=world.own.office).update(state="cancelled", next_check_at=None)
    assert reasons() == {}


# ------------------------------------------------------------------ 临时交办


def extra(world: World, **changed) -> dict:
    due = timezone.localtime(world.now) + timedelta(days=3)
    return {
        "version": world.version.pk,
        "office": world.own.office.pk,
        "indicator": world.indicator.pk,
        "title": "请即报值班情况",
        "quote": "",
        "due_at": f"{due:%Y-%m-%dT%H:%M}",
    } | changed


def test_an_extra_matter_is_assigned_once(world):
    client = world.client("coordinator")
    for _click in range(2):
        assert client.post("/work/coordination/extra/", extra(world)).status_code == 302
    task = Task.objects.get(assigned_extra=True)
    assert (task.office, task.title) == (world.own.office, "请即报值班情况")
    assert timezone.localtime(task.due_at).second == 59


@pytest.mark.parametrize(
    "changed",
    [
        {"title": ""},
        {"office": "999999"},
        {"indicator": "x"},
        {"due_at": "2001-01-01T10:00"},
        {"due_at": "明天"},
        {"title": "长" * 301},
    ],
)
def test_a_wrong_extra_matter_keeps_what_was_typed(world, changed):
    answer = world.client("coordinator").post("/work/coordination/extra/", extra(world, **{"quote": "原话"} | changed))
    assert answer.status_code == 400
    assert "原话" in answer.content.decode()
    assert not Task.objects.filter(assigned_extra=True).exists()


def test_no_extra_matter_for_offices_of_others(world):
    client = coordinator_of(world.own.office, world.root)
    assert client.post("/work/coordination/extra/", extra(world, office=world.root.pk)).status_code in (302, 400)
    narrow = coordinator_of(world.other.office)
    answer = narrow.post("/work/coordination/extra/", extra(world))
    assert answer.status_code in (200, 400)
    assert not Task.objects.filter(assigned_extra=True, office=world.own.office).exists()


# ------------------------------------------------------------------ issuing the real notice


@pytest.fixture
def drafted(db) -> SchemeVersion:
    source = import_document(document=jiaxing(), actor=SYSTEM, at=timezone.now())
    return roll(version=source, year=timezone.localdate().year, actor=SYSTEM, at=timezone.now())


def test_preview_issue_and_again(drafted):
    client = coordinator_of(drafted.unit)
    url = reverse("workflow:issue", args=[drafted.pk])
    preview = client.get(url)
    text = words(preview)
    assert "4 个处室，238 项任务" in text
    assert "没有人办理" in text  # nobody works in these offices yet
    assert preview.context["grave"] == 4
    assert sum(preview.context["month_totals"]) == 238
    assert not Task.objects.exists()
    first = client.post(url, follow=True)
    assert "已下达 238 项任务" in words(first)
    assert Task.objects.count() == 238
    second = client.post(url, follow=True)
    assert "没有重复下达" in words(second)
    assert Task.objects.count() == 238
    assert "共 238 项任务" in words(client.get(url))


def test_only_the_units_coordinator_issues(drafted):
    elsewhere = coordinator_of(Office.objects.create(name="别的局"))
    assert elsewhere.get(reverse("workflow:issue", args=[drafted.pk])).status_code == 404
    assert elsewhere.post(reverse("workflow:issue", args=[drafted.pk])).status_code == 404
    leader = coordinator_of(drafted.unit, power=Power.SIGN)
    assert leader.post(reverse("workflow:issue", args=[drafted.pk])).status_code == 404
    assert not Task.objects.exists()


def test_a_second_edition_of_a_year_is_refused_in_words(drafted):
    client = coordinator_of(drafted.unit)
    client.post(reverse("workflow:issue", args=[drafted.pk]))
    other = SchemeVersion.objects.get(pk=drafted.pk)
    other.pk, other.number, other.status, other.issued_at = None, 2, "draft", None
    other.save()
    answer = client.post(reverse("workflow:issue", args=[other.pk]))
    assert answer.status_code == 409
    assert "已经下达" in words(answer)
