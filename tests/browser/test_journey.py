"""The main job, by the four roles: sign for → submit → confirm → return → resubmit → approve → score → sign off."""

import re
from datetime import date
from decimal import Decimal

from playwright.sync_api import expect

from tests.browser.people import SETUP, log_in
from workflow.demo.cast import PASSWORD
from workflow.demo.paper import pdf

LIVE_SETUP = SETUP


def press(page, name: str | re.Pattern, within: str = "body") -> None:
    """Click a button that sends a form, say yes if it asks, and wait for the answer."""
    with page.expect_navigation():
        button = page.locator(within).get_by_role("button", name=name, exact=isinstance(name, str)).last
        asks = button.get_attribute("data-confirm")
        button.click()
        if asks:
            page.locator("[data-confirm-yes]").click()


def _open_task(app) -> str:
    """A task of 登记管理处 with a scoring rule, issued and not yet signed for."""
    return app.shell(
        "from datetime import timedelta; from django.utils import timezone\n"
        "from accounts.actors import Actor; from schemes.models import SchemeVersion\n"
        "from accounts.models import Office; from tasks.issuing import assign_extra\n"
        "now = timezone.now(); version = SchemeVersion.objects.get(status='issued')\n"
        "row = version.indicators.get(code='1.14')\n"
        "print(assign_extra(version=version, indicator=row, office=Office.objects.get(name='登记管理处'),"
        " title='矛盾纠纷排查专项报告', due_at=now + timedelta(days=3), actor=Actor.system('test'), at=now).pk)"
    ).strip()


def test_the_year_of_one_task_from_signing_for_to_signed_results(
    live_server_process, page_at, page_guard, screenshot, tmp_path
):
    page_guard.allow(r"status of 40[03]")  # the wrong password at signing
    task = _open_task(live_server_process)
    address = f"/work/tasks/{task}/"
    clerk, head, reviewer, leader = (page_at(1366) for _ in range(4))
    log_in(clerk, "lina")
    log_in(head, "zhaoqiang")
    log_in(reviewer, "zhengkai")
    log_in(leader, "majun")

    # 经办人: sign for, fill in, attach, submit
    clerk.goto(address)
    press(clerk, "签收")
    clerk.locator("#task-form [name=text]").fill("全系统排查矛盾纠纷21起,化解20起,1起正在调处。")
    file = tmp_path / "排查台账.pdf"
    file.write_bytes(pdf(name="x.pdf", title="Register").read())
    clerk.locator("#task-form input[type=file]").set_input_files(str(file))
    expect(clerk.locator("#task-files")).to_contain_text("排查台账.pdf")
    screenshot(clerk, "journey-1-clerk-fills-in")
    press(clerk, "报送", within="#task-form")
    clerk.goto(address)
    expect(clerk.locator("body")).to_contain_text("待负责人确认")

    # 负责人: hears of it live, confirms
    expect(head.locator("[data-unread]").first).not_to_have_text("0")
    head.goto(address)
    screenshot(head, "journey-2-head-confirms")
    press(head, "确认并送审")
    head.goto(address)
    expect(head.locator("body")).to_contain_text("待审核")

    # 审核人: returns with a reason and a mark
    reviewer.goto(f"{address}review/")
    expect(reviewer.locator("body")).to_contain_text("排查台账.pdf")
    reviewer.fill("#id_reason", "请写明正在调处的1起的责任人和时限。")
    reviewer.get_by_label("完成情况", exact=True).check()
    screenshot(reviewer, "journey-3-reviewer-returns")
    press(reviewer, "退回修改")

    # 经办人: sees why, with everything still there, and files again
    clerk.goto(address)
    expect(clerk.locator("body")).to_contain_text("请写明正在调处的1起的责任人和时限。")
    expect(clerk.locator("#task-form [name=text]")).to_have_value(re.compile("化解20起"))
    expect(clerk.locator("#task-files")).to_contain_text("排查台账.pdf")
    clerk.locator("#task-form [name=text]").fill("全系统排查矛盾纠纷21起,化解20起;1起由李娜负责,11月底前调处完毕。")
    screenshot(clerk, "journey-4-clerk-resubmits")
    press(clerk, "重新报送")
    clerk.goto(address)
    expect(clerk.locator("body")).to_contain_text("待负责人确认")
    head.goto(address)
    press(head, "确认并送审")

    # 审核人: approves
    reviewer.goto(f"{address}review/")
    press(reviewer, "通过")
    clerk.goto(address)
    expect(clerk.locator("body")).to_contain_text("已通过")
    screenshot(clerk, "journey-5-approved")

    _score_and_sign(live_server_process, reviewer, leader, clerk, screenshot)


def _score_and_sign(app, reviewer, leader, clerk, screenshot) -> None:
    card = app.shell(
        "from assessments.models import Scorecard; c = Scorecard.objects.get(office__name='登记管理处'); print(c.pk)"
    ).strip()
    before = app.shell(f"from assessments.models import Scorecard; print(Scorecard.objects.get(pk={card}).earned)")
    reviewer.goto(f"/work/scorecards/{card}/")
    screenshot(reviewer, "journey-6-scorecard")

    # a finding costs 0.05 (L288 未及时上报的,每次扣0.05分)
    words = "未及时上报的,每次扣0.05分"
    reviewer.locator("tr", has_text="1.14/4").get_by_role("link", name="记录考核事实").first.click()
    if reviewer.get_by_role("link", name=words).count():
        reviewer.get_by_role("link", name=words).click()
    reviewer.fill("[name=count]", "1")
    reviewer.fill("[name=source]", "市综治办通报第12号")
    reviewer.fill("[name=occurred_on]", date.today().replace(day=1).isoformat())
    screenshot(reviewer, "journey-7-finding")
    expect(reviewer.locator("#preview")).to_contain_text("0.05")
    press(reviewer, "保存")
    after = app.shell(f"from assessments.models import Scorecard; print(Scorecard.objects.get(pk={card}).earned)")
    assert Decimal(before.strip()) - Decimal(after.strip()) == Decimal("0.05")

    # the judged clauses, then on to the leader
    reviewer.goto(f"/work/scorecards/{card}/full/")
    reviewer.fill("[name=source]", "年度考核资料审查")
    press(reviewer, re.compile("满分"))
    reviewer.goto(f"/work/scorecards/{card}/")
    press(reviewer, "完成评分")

    # 领导: sees it, unfolds a figure, signs with the password
    leader.goto("/work/sign/")
    expect(leader.locator("body")).to_contain_text("登记管理处")
    leader.goto(f"/work/scorecards/{card}/sign/")
    screenshot(leader, "journey-8-leader-signs")
    leader.fill("[name=password]", "wrong-password")
    press(leader, "签批")
    expect(leader.locator("main")).to_contain_text("密码")
    leader.fill("[name=password]", PASSWORD)
    press(leader, "签批")
    expect(leader.locator("body")).to_contain_text("已签批")
    screenshot(leader, "journey-9-signed")
    state = app.shell(f"from assessments.models import Scorecard; print(Scorecard.objects.get(pk={card}).state)")
    assert state.strip() == "signed"
    clerk.goto(f"/work/scorecards/{card}/")
    expect(clerk.locator("body")).to_contain_text("已签批")
    assert app.manage("verify").returncode == 0
