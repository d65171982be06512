"""Every page, as the role it is made for, on an old screen and on a phone: nothing sticks out, nothing fails."""

import pytest

from tests.browser.people import SETUP, log_in

LIVE_SETUP = SETUP

VERSION = "/schemes/jiaxing-2017/{year}/1/"
PAGES = {
    "wangfang": [
        "/",
        "/work/tasks/",
        "{returned}",
        "{accepted}",
        "/notifications/",
        "/work/results/",
        VERSION,
        "/password/",
    ],
    "zhaoqiang": ["/", "{late}"],
    "zhengkai": ["/", "/work/review/", "/work/results/", "{card}", "{finding}", "{card}full/"],
    "wujing": [
        "/",
        "/work/coordination/",
        "/work/coordination/extra/",
        "/schemes/",
        VERSION,
        VERSION + "matrix/",
        VERSION + "roll/",
        "/schemes/jiaxing-2017/compare/",
        "/schemes/import/",
        "{issue}",
    ],
    "majun": ["/", "/work/sign/", "{sign}", "{signed}", "/work/results/"],
    "xitong": ["/accounts/people/", "{person}", "/accounts/offices/", "/accounts/people/new/"],
    "shenji": ["/audit/", "/audit/verify/"],
}
PLACES = """
import json
from accounts.models import User
from assessments.models import Scorecard
from schemes.models import SchemeVersion
from tasks.models import Task
version = SchemeVersion.objects.get(status="issued")
def task(state, office):
    return f"/work/tasks/{Task.objects.filter(state=state, office__name=office).order_by('due_at').first().pk}/"
def card(office):
    return f"/work/scorecards/{Scorecard.objects.get(office__name=office).pk}/"
row = version.indicators.get(code="1.14")
print(json.dumps({
    "year": version.year,
    "returned": task("returned", "综合处"),
    "accepted": task("accepted", "综合处"),
    "late": f"/work/tasks/{Task.objects.filter(office__name='登记管理处').order_by('due_at').first().pk}/",
    "card": card("登记管理处"),
    "finding": f"{card('登记管理处')}findings/new/?indicator={row.pk}&clause={row.clauses.get(no=4).pk}",
    "issue": f"/work/issue/{version.pk}/",
    "sign": f"{card('监督协调处')}sign/",
    "signed": card("机关党支部"),
    "person": f"/accounts/people/{User.objects.get(username='lina').pk}/",
}))
"""


@pytest.fixture(scope="module")
def places(live_server_process):
    import json

    return json.loads(live_server_process.shell(PLACES))


@pytest.mark.parametrize("width", [1366, 360])
@pytest.mark.parametrize("who", PAGES)
def test_pages_fit_and_work(live_server_process, page_at, screenshot, no_sideways_scroll, places, who, width):
    page = page_at(width)
    page.goto("/login/")
    if who in {"xitong", "shenji"}:
        from workflow.demo.cast import PASSWORD

        page.fill("[name=username]", who)
        page.fill("[name=password]", PASSWORD)
        with page.expect_navigation():
            page.press("[name=password]", "Enter")
    else:
        log_in(page, who)
    for number, pattern in enumerate(PAGES[who]):
        address = pattern.format(**places)
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, f"{address} answered {answer.status}"
        page.wait_for_timeout(80)  # parts that load by themselves
        no_sideways_scroll(page)
        assert page.locator("h1").count() == 1, f"{address}: a page has one first heading"
        screenshot(page, f"walk-{who}-{number}-{width}", full_page=width == 1366)
