"""Home, the list and the task page: what each role sees, what nobody else does, and how many queries it takes."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.world import make_submission, make_task

ROLES = ("clerk", "head", "reviewer", "coordinator", "leader", "administrator", "auditor")
READERS = ("clerk", "head", "reviewer", "coordinator", "leader")


def text_of(client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, url
    return answer.content.decode()


def queries(client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize(
    ("role", "there", "absent"),
    [
        ("clerk", ["要我办", "等别人", "签收", "填报"], ["逐件审核"]),
        ("head", ["要我办", "确认本处室的报送", "待我定"], ["逐件审核"]),
        ("reviewer", ["等我定 · 审核", "逐件审核"], ["要我办", "等别人", "已逾期"]),
        ("coordinator", ["现在没有等您办的事", "督办台"], ["要我办"]),
    ],
)
def test_home_shows_what_waits_for_the_role(world, role, there, absent):
    text = text_of(world.client(role), "/")
    for words in there:
        assert words in text, words
    for words in absent:
        assert words not in text, words


@pytest.mark.parametrize(("role", "place"), [("administrator", "/accounts/"), ("auditor", "/audit/")])
def test_who_has_no_business_starts_at_their_own_page(world, role, place):
    answer = world.client(role).get("/")
    assert (answer.status_code, answer["Location"]) == (302, place)


@pytest.mark.parametrize("role", ROLES)
def test_pages_leak_nothing_of_other_offices(world, role):
    client, foreign = world.client(role), world.foreign_markers(role)
    for url in ("/", "/work/tasks/", "/work/tasks/?q=标记", "/work/review/"):
        answer = client.get(url, follow=True)
        for marker in foreign:
            assert marker not in answer.content.decode(), url


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("state", ["issued", "accepted", "confirming", "reviewing"])
def test_task_page_in_every_state(world, role, state):
    client, task = world.client(role), world.own.tasks[state]
    if role not in READERS:
        text_of(client, f"/work/tasks/{task.pk}/", 404)
        return
    text = text_of(client, f"/work/tasks/{task.pk}/")
    for words in ("谁在办", "若不办会怎样", "发现数据错误的,每起扣0.1分", "<mark>按季报送</mark>", "经过与接下来"):
        assert words in text, words
    member = role in ("clerk", "head")
    assert ("签收并开始填报" in text) == (member and state == "issued")
    assert ("task-form" in text) == (member and state == "accepted")
    assert ("确认并送审" in text) == (role == "head" and state == "confirming")
    assert (f"/work/tasks/{task.pk}/review/" in text) == (role == "reviewer" and state == "reviewing")


def test_foreign_and_missing_tasks_are_not_there(world):
    client, other = world.client("clerk"), world.other.tasks["accepted"]
    for url in (f"/work/tasks/{other.pk}/", "/work/tasks/999999999/", f"/work/tasks/{other.pk}/?part=check"):
        text_of(client, url, 404)
    for url in (f"/work/tasks/{other.pk}/submit/", f"/work/tasks/{other.pk}/accept/", f"/tasks/{other.pk}/draft/"):
        assert client.post(url, {"text": "x", "token": "t"}).status_code == 404, url


def test_pages_need_a_login(world):
    task = world.own.tasks["issued"]
    for url in ("/", "/work/tasks/", f"/work/tasks/{task.pk}/", f"/tasks/evidence/{world.own.evidence.pk}/"):
        for role in ("anonymous", "disabled"):
            answer = world.client(role).get(url)
            assert (answer.status_code, answer.url.startswith("/login/")) == (302, True), url


def test_late_today_and_counts(world):
    make_task(world, world.own, "accepted", key="late", due_at=world.now - timedelta(days=6))
    text = text_of(world.client("clerk"), "/")
    assert "红灯 逾期" in text
    assert "stage=late" in text
    listed = text_of(world.client("clerk"), "/work/tasks/?mine=1&stage=late")
    assert listed.count("data-keynav-open") == 1
    page = text_of(world.client("clerk"), f"/work/tasks/{world.own.tasks['accepted'].pk}/")
    assert "现在报送是按时报送" in page


def test_home_part_for_htmx_keeps_the_ticks(world):
    pk = world.own.tasks["issued"].pk
    answer = world.client("clerk").get(f"/?ids={pk}", headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert "<html" not in text
    assert f'id="pick-{pk}"' in text
    assert "checked" in text


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("?state=issued", 1),
        ("?stage=open", 2),
        ("?stage=waiting", 2),
        ("?stage=late", 0),
        ("?q=reviewing", 1),
        ("?q=数据错误", 4),
        ("?q=1.1", 4),
        ("?role=provide", 0),
        ("?role=nonsense&state=nonsense&office=x&page=x&month=2026-99&section=-1", 4),
        ("?q=%00", 4),
    ],
)
def test_filters(world, query, count):
    text = text_of(world.client("clerk"), f"/work/tasks/{query}")
    assert text.count("data-keynav-open") == count
    if not count:
        assert "没有符合条件的任务" in text


def test_list_says_why_it_is_empty(world):
    assert "您的账号看不到任务" in text_of(world.client("administrator"), "/work/tasks/")


def test_paging(world):
    for n in range(60):
        make_task(world, world.own, "issued", key=f"p{n}")
    client = world.client("clerk")
    assert text_of(client, "/work/tasks/?state=issued").count("data-keynav-open") == 50
    second = text_of(client, "/work/tasks/?state=issued&page=2")
    assert second.count("data-keynav-open") == 11
    assert "state=issued&amp;page=1" in second or "state=issued&page=1" in second


@pytest.mark.parametrize("role", ["clerk", "head", "reviewer"])
def test_as_many_queries_for_10_rows_as_for_1000(world, role):
    def fill(count: int, start: int) -> None:
        for n in range(start, start + count):
            state = ("issued", "confirming", "reviewing")[n % 3]
            make_task(world, world.own, state, key=f"many{n}")

    client = world.client(role)
    fill(9, 0)
    few = {url: queries(client, url) for url in ("/", "/work/tasks/")}
    fill(240, 9)
    many = {url: queries(client, url) for url in few}
    assert many == few
    assert few["/"] <= 15
    assert few["/work/tasks/"] <= 15


def test_queries_of_the_task_pages(world):
    task = world.own.tasks["reviewing"]
    few = queries(world.client("reviewer"), f"/work/tasks/{task.pk}/review/")
    for n in range(200):
        more = make_task(world, world.own, "reviewing", key=f"many{n}", due_at=world.now + timedelta(days=30))
        make_submission(world, world.own, more)
    assert queries(world.client("reviewer"), f"/work/tasks/{task.pk}/review/") == few
    assert few <= 25
    assert queries(world.client("clerk"), f"/work/tasks/{world.own.tasks['accepted'].pk}/") <= 22


def test_menu_shows_only_what_the_person_may(world):
    places = {
        "clerk": ["我的工作", "任务", "得分与结果", "责任分解"],
        "reviewer": ["我的工作", "任务", "审核", "得分与结果", "责任分解"],
        "coordinator": ["我的工作", "任务", "督办台", "得分与结果", "责任分解"],
        "administrator": ["系统管理"],
        "auditor": ["留痕"],
    }
    for role, expected in places.items():
        nav = world.client(role).get("/", follow=True).context["nav"]
        assert [str(item["label"]) for item in nav] == expected, role
        assert [item["active"] for item in nav].count(True) == 1


def test_a_reviewer_goes_from_the_task_to_its_place_on_the_scorecard(world):
    card = world.own.scorecard
    address = f"/work/scorecards/{card.pk}/?task={world.own.tasks['reviewing'].pk}"
    for page in (
        f"/work/tasks/{world.own.tasks['reviewing'].pk}/",
        f"/work/tasks/{world.own.tasks['reviewing'].pk}/review/",
    ):
        assert address in text_of(world.client("reviewer"), page)
    assert "/work/scorecards/" not in text_of(world.client("clerk"), f"/work/tasks/{world.own.tasks['reviewing'].pk}/")
