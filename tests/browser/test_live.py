"""A task falls overdue while pages are open: the warning appears on them without a reload, and is there after a
reconnect."""

import time
from datetime import datetime

from playwright.sync_api import expect

from tests.browser.people import SETUP, log_in

LIVE_SETUP = SETUP

DUE_SOON = (
    "from datetime import timedelta; from django.utils import timezone\n"
    "from accounts.actors import Actor; from schemes.models import SchemeVersion; from accounts.models import Office\n"
    "from tasks.issuing import assign_extra\n"
    "now = timezone.now(); version = SchemeVersion.objects.get(status='issued')\n"
    "due = now + timedelta(seconds={seconds})\n"
    "office = Office.objects.get(name='综合处')\n"
    "assign_extra(version=version, indicator=version.indicators.get(code='1.24'), office=office,"
    " title='{title}', due_at=due, actor=Actor.system('test'), at=now); print(due.timestamp())"
)


def test_a_warning_slides_into_the_open_pages_within_five_seconds(live_server_process, page_at, screenshot):
    office, coordinator, stranger = page_at(1366), page_at(1366), page_at(360)
    log_in(office, "wangfang")
    log_in(coordinator, "wujing")
    log_in(stranger, "liuyang")  # 机关党支部: another office
    coordinator.goto("/work/coordination/")
    for page in (office, coordinator, stranger):
        expect(page.locator("[data-live-state]").first).to_contain_text("实时")
    due = float(live_server_process.shell(DUE_SOON.format(seconds=6, title="值班情况速报")))
    for page in (office, coordinator):
        # the task was announced when it was assigned; the warning is the one that says 逾期 of it
        toast = page.locator("[data-toasts] > *").filter(has_text="逾期").filter(has_text="值班情况速报").first
        toast.wait_for(timeout=15_000)
        seen = datetime.now().timestamp()
        assert due <= seen <= due + 5.5, f"seen {seen - due:.1f} s after the task fell due"
    screenshot(office, "live-1-office", full_page=False)
    screenshot(coordinator, "live-2-coordinator", full_page=False)
    assert office.title().startswith("("), office.title()
    time.sleep(1)
    assert "值班情况速报" not in stranger.content()


def test_a_page_that_was_cut_off_catches_up(live_server_process, page_at, page_guard):
    page_guard.allow("ERR_INTERNET_DISCONNECTED")
    page = page_at(1366)
    log_in(page, "wangfang")
    expect(page.locator("[data-live-state]").first).to_contain_text("实时")
    unread = int(page.locator("[data-unread]").first.inner_text() or 0)
    page.context.set_offline(True)
    live_server_process.shell(DUE_SOON.format(seconds=1, title="断网期间到期的事项"))
    time.sleep(4)
    page.context.set_offline(False)
    expect(page.locator("body")).to_contain_text("断网期间到期的事项", timeout=40_000)
    assert int(page.locator("[data-unread]").first.inner_text()) > unread
