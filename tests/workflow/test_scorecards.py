"""Results, scorecards, recording facts and the signature, by HTTP, on the notice of Jiaxing."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.grants import Power, grant
from accounts.models import Membership
from assessments.models import Finding, Scorecard, SignOff
from assessments.operations import digest_of
from scoring.rules import KINDS
from tests.assessments.conftest import AT, Year, each, jiaxing, small  # noqa: F401
from tests.world import PASSWORD
from workflow import operations as workflow
from workflow.score_presenters import view_of

OFFICE, OTHER = "登记管理处", "监督协调处"
CLERK = f"clerk:{OFFICE}"
CLAUSE = "1.14/4"


@pytest.fixture
def year(jiaxing) -> Year:  # noqa: F811
    workflow.open_scorecards(version=jiaxing.version, actor=jiaxing.actor("coordinator"), at=AT)
    return jiaxing


def browser(year: Year, name: str) -> Client:
    client = Client()
    client.force_login(year.people[name], backend="django.contrib.auth.backends.ModelBackend")
    return client


def address(name: str, *args, **query) -> str:
    return reverse(f"workflow:{name}", args=args) + (
        "?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else ""
    )


def text_of(answer) -> str:
    return answer.content.decode()


def late_rule(year: Year):
    return next(rule for rule in year.clause(CLAUSE).rules.all() if "上报" in rule.quote)


def typed(year: Year, **changes) -> dict[str, str]:
    """A complete form about the late report of 1.14/4."""
    clause = year.clause(CLAUSE)
    return {
        "action": "save",
        "token": "token-1",
        "indicator": clause.indicator_id,
        "clause": clause.pk,
        "rule": late_rule(year).pk,
        "count": "2",
        "occurred_on": "2017-11-03",
        "source": "市平安办通报〔2017〕8号",
        "note": "两次未按时上报",
    } | changes


def post_finding(year: Year, by: str = "reviewer", **changes):
    return browser(year, by).post(address("scorecard_finding", year.card(OFFICE).pk), typed(year, **changes))


def judge_all(year: Year, office: str = OFFICE) -> None:
    card = year.card(office)
    rows = set(card.entries.values_list("indicator_id", flat=True))
    answer = browser(year, "reviewer").post(
        address("scorecard_full", card.pk), {"token": f"full-{card.pk}", "source": "年终检查", "indicators": list(rows)}
    )
    assert answer.status_code == 302, text_of(answer)


def finished(year: Year, office: str = OFFICE) -> Scorecard:
    judge_all(year, office)
    card = year.card(office)
    answer = browser(year, "reviewer").post(address("scorecard_finish", card.pk), {"revision": card.revision})
    assert answer.status_code == 302, text_of(answer)
    return year.card(office)


def password(year: Year, name: str) -> None:
    user = year.user(name)
    user.set_password(PASSWORD)
    user.save()
    year.people[name] = user


def signing(card: Scorecard, **changes) -> dict[str, str]:
    given = {"digest": digest_of(card), "revision": card.revision, "opinion": "同意", "password": PASSWORD}
    return given | changes


# ------------------------------------------------------------------ who sees what


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (CLERK, 200),
        (f"head:{OFFICE}", 200),
        ("reviewer", 200),
        ("coordinator", 200),
        ("leader", 200),
        (f"clerk:{OTHER}", 404),
        ("administrator", 404),
        ("auditor", 404),
        ("stranger", 404),
    ],
)
def test_who_may_read_a_scorecard(year, name, status):
    assert browser(year, name).get(address("scorecard", year.card(OFFICE).pk)).status_code == status


@pytest.mark.parametrize(
    ("name", "status"), [("administrator", 404), ("auditor", 404), ("stranger", 404), (CLERK, 200)]
)
def test_who_may_read_results(year, name, status):
    assert browser(year, name).get(address("results")).status_code == status


def test_a_member_sees_only_their_own_offices_figures(year):
    text = text_of(browser(year, CLERK).get(address("results")))
    assert OFFICE in text
    assert OTHER not in text
    assert "全单位得分" not in text
    assert "名次" not in text


def test_coordinators_see_the_unit_and_that_nothing_is_signed(year):
    text = text_of(browser(year, "coordinator").get(address("results", year=2017)))
    assert all(words in text for words in ("未签批（草稿）", "全单位得分", OFFICE, OTHER, "围绕中心服务大局履行职能"))
    assert browser(year, "coordinator").get(address("results", year=1999)).status_code == 404


def test_opening_by_http(jiaxing):  # noqa: F811
    url = address("open_scorecards", jiaxing.version.pk)
    for name, status in ((CLERK, 403), ("administrator", 404), ("stranger", 404), ("leader", 403)):
        assert browser(jiaxing, name).post(url).status_code == status, name
    assert not Scorecard.objects.exists()
    assert "建立得分表" in text_of(browser(jiaxing, "reviewer").get(address("results")))
    assert browser(jiaxing, "reviewer").get(url).status_code == 405
    assert browser(jiaxing, "reviewer").post(url).status_code == 302
    assert Scorecard.objects.filter(process__isnull=False).count() == 4
    assert browser(jiaxing, "coordinator").post(url).status_code == 302
    assert Scorecard.objects.count() == 4


# ------------------------------------------------------------------ the page of a scorecard


def test_the_page_explains_each_figure(year):
    post_finding(year)
    text = text_of(browser(year, CLERK).get(address("scorecard", year.card(OFFICE).pk)))
    for words in (
        "为什么是 0.1",
        "市平安办通报〔2017〕8号",
        "数量 2次",
        "2017-11-03",
        "reviewer甲",
        "存疑 D024",
        "0.05×2=0.1",
    ):
        assert words in text, words
    assert "记录考核事实</a>" not in text


def test_filters_and_search(year):
    post_finding(year)
    client, card = browser(year, "reviewer"), year.card(OFFICE)

    def labels(**query):
        view = client.get(address("scorecard", card.pk, **query)).context["narrow"]
        return [line.label for line in view.lines]

    assert labels(show="deducted") == [CLAUSE]
    assert labels(show="open") == ["1.14/1", "1.14/2", "1.14/3", "1.14/6"]
    assert labels(q="反恐") == ["1.15/1", "1.15/2", "1.15/3", "1.15/4", "1.15/5"]
    assert labels(q="没有这个词") == []
    assert len(labels(show="nonsense")) == 13


def test_queries_do_not_grow_with_the_entries(year):
    card = year.card("综合处")
    assert card.entries.count() > 100
    client = browser(year, "reviewer")
    client.get(address("scorecard", card.pk))
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address("scorecard", card.pk)).status_code == 200
    assert len(captured) <= 15, "\n".join(query["sql"][:120] for query in captured)


def test_the_sum_of_the_lines_is_the_card(year):
    post_finding(year)
    view = view_of(year.card(OFFICE))
    assert sum(line.earned for line in view.lines if line.earned is not None and not line.shared) == view.card.earned
    assert sum(s.max_points for s in view.sections) == view.card.max_points
    assert sum(s.open for s in view.sections) == view.card.unresolved


# ------------------------------------------------------------------ facts


def test_a_fact_moves_the_points(year):
    before = year.card(OFFICE).earned
    answer = post_finding(year)
    assert answer.status_code == 302
    assert answer.url.endswith(f"#row-{year.row('1.14').pk}")
    assert year.entry(OFFICE, CLAUSE).earned == Decimal("0.1")
    assert year.card(OFFICE).earned == before - Decimal("0.1")
    finding = Finding.objects.get()
    assert (finding.count, finding.occurred_on, finding.note) == (2, date(2017, 11, 3), "两次未按时上报")


@pytest.mark.parametrize("htmx", [True, False])
def test_the_preview_is_what_is_saved_and_saves_nothing(year, htmx):
    headers = {"HX-Request": "true"} if htmx else {}
    answer = browser(year, "reviewer").post(
        address("scorecard_finding", year.card(OFFICE).pk), typed(year, action="preview", source=""), headers=headers
    )
    assert answer.status_code == 200
    text = text_of(answer)
    assert ("<html" in text) is not htmx
    if not htmx:
        assert "两次未按时上报" in text
    assert not Finding.objects.exists()
    shown = {move["label"]: move["after"] for move in answer.context["preview"]["moves"]}
    post_finding(year)
    card = view_of(year.card(OFFICE))
    line = next(line for line in card.lines if line.label == CLAUSE)
    assert shown[f"本条 {CLAUSE}"] == line.earned_words
    assert shown["得分表合计"] == card.earned_words


def test_a_preview_says_what_it_cannot_compute(year):
    answer = browser(year, "reviewer").post(
        address("scorecard_finding", year.card(OFFICE).pk),
        typed(year, action="preview", count="两次"),
        headers={"HX-Request": "true"},
    )
    assert answer.status_code == 200
    assert "还不能计算" in text_of(answer)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": ""}, "依据"),
        ({"count": "-1"}, "负数"),
        ({"count": "1e3"}, "不是有效的数"),
        ({"count": ""}, "数量"),
        ({"count": "0.5"}, "整数"),
        ({"occurred_on": "2016-11-03"}, "年度内"),
        ({"occurred_on": "昨天"}, "发生日期"),
        ({"source": "长" * 201}, "依据"),
        ({"token": ""}, "没有保存"),
    ],
)
def test_what_cannot_be_keeps_everything_typed(year, changes, said):
    answer = post_finding(year, **changes)
    text = text_of(answer)
    assert answer.status_code == 400
    assert said in text
    assert "两次未按时上报" in text
    for name in ("source", "count"):
        assert f'value="{typed(year, **changes)[name]}"' in text or not typed(year, **changes)[name]
    assert not Finding.objects.exists()


def test_the_same_form_twice_is_one_fact(year):
    assert [post_finding(year).status_code for _time in range(2)] == [302, 302]
    assert Finding.objects.count() == 1
    assert year.entry(OFFICE, CLAUSE).earned == Decimal("0.1")


@pytest.mark.parametrize(
    ("name", "status"),
    [("coordinator", 403), ("leader", 403), (CLERK, 403), (f"clerk:{OTHER}", 404), ("auditor", 404), ("stranger", 404)],
)
def test_who_may_not_record(year, name, status):
    url = address("scorecard_finding", year.card(OFFICE).pk)
    clause = year.clause(CLAUSE)
    assert browser(year, name).get(f"{url}?indicator={clause.indicator_id}&clause={clause.pk}").status_code == status
    assert post_finding(year, by=name).status_code == status
    assert not Finding.objects.exists()


def test_a_reviewer_does_not_score_their_own_office(year):
    Membership.objects.create(user=year.people["reviewer"], office=year.office(OFFICE))
    year.people["reviewer"] = year.user("reviewer")
    assert post_finding(year).status_code == 403
    text = text_of(browser(year, "reviewer").get(address("scorecard", year.card(OFFICE).pk)))
    assert "完成评分</button>" not in text


def test_addresses_that_lead_nowhere(year):
    client, url = browser(year, "reviewer"), address("scorecard_finding", year.card(OFFICE).pk)
    foreign = year.clause("1.12/1")
    for query in (
        "",
        "?indicator=abc",
        "?indicator=99999999",
        f"?indicator={foreign.indicator_id}&clause={foreign.pk}",
        f"?indicator={year.row('1.14').pk}&clause={foreign.pk}",
        "?indicator=99999999999999999999999999",
    ):
        assert client.get(url + query).status_code == 404, query


def test_one_rule_is_chosen_by_itself_several_are_offered(year):
    client, url = browser(year, "reviewer"), address("scorecard_finding", year.card(OFFICE).pk)
    several = year.clause(CLAUSE)
    answer = client.get(f"{url}?indicator={several.indicator_id}&clause={several.pk}")
    assert answer.context["form"] is None
    assert len(answer.context["place"].choices) == 2
    judged = year.clause("1.14/3")
    answer = client.get(f"{url}?indicator={judged.indicator_id}&clause={judged.pk}")
    assert [item["field"].label for item in answer.context["form"].asked] == ["评定分"]
    assert client.post(url, typed(year, rule="")).status_code == 400


def test_every_rule_of_the_notice_has_a_form(year):
    """Each rule can be chosen where the office answers for it, and its form asks for what the rule needs."""
    client, seen = browser(year, "reviewer"), set()
    card = year.card("综合处")
    url = address("scorecard_finding", card.pk)
    for entry in card.entries.select_related("indicator").order_by("pk"):
        query = f"?indicator={entry.indicator_id}" + (f"&clause={entry.clause_id}" if entry.clause_id else "")
        answer = client.get(url + query)
        assert answer.status_code == 200, query
        for choice in answer.context["place"].choices:
            rule = answer.context["place"].row.rules
            kind = next((r.kind for r in rule if str(r.pk) == choice.key), "judged score")
            if kind in seen:
                continue
            seen.add(kind)
            form = client.get(choice.url)
            assert form.status_code == 200
            assert form.context["form"].asked, kind
            assert client.post(url, {"indicator": entry.indicator_id, "rule": choice.key}).status_code == 400
    assert len(seen & set(KINDS)) > 12


def test_a_judged_score(year):
    clause = year.clause("1.14/3")
    given = {"clause": clause.pk, "rule": "judged", "points": "0.15", "token": "judged"}
    assert post_finding(year, **given).status_code == 302
    assert year.entry(OFFICE, "1.14/3").earned == Decimal("0.15")
    answer = post_finding(year, **(given | {"points": "0.5", "token": "too-much"}))
    assert answer.status_code == 400
    assert "超过" in text_of(answer)


def test_a_task_page_leads_to_the_form(year):
    clause = year.clause(CLAUSE)
    answer = browser(year, "reviewer").get(
        address("scorecard", year.card(OFFICE).pk, task=1, indicator=clause.indicator_id, clause=clause.pk)
    )
    assert answer.status_code == 302
    assert "/findings/new/" in answer.url


def test_voiding_needs_a_reason_and_gives_the_points_back(year):
    post_finding(year)
    finding, card = Finding.objects.get(), year.card(OFFICE)
    url = address("scorecard_void", card.pk, finding.pk)
    client = browser(year, "reviewer")
    assert client.get(url).status_code == 200
    assert client.post(url, {"reason": " "}).status_code == 400
    assert browser(year, "coordinator").post(url, {"reason": "误记"}).status_code == 403
    assert browser(year, f"clerk:{OTHER}").post(url, {"reason": "误记"}).status_code == 404
    assert client.get(address("scorecard_void", year.card(OTHER).pk, finding.pk)).status_code == 404
    assert client.post(url, {"reason": "误记"}).status_code == 302
    assert year.entry(OFFICE, CLAUSE).earned == Decimal("0.2")
    text = text_of(client.get(address("scorecard", card.pk)))
    assert "已撤销" in text
    assert "误记" in text
    assert client.post(url, {"reason": "再来"}).status_code == 409


def test_a_row_rule_is_recorded_for_the_whole_row(year):
    """1.17/3 is a condition of its row: chosen from the row's own line."""
    card = year.card("综合处")
    row = year.row("1.17")
    rule = next(rule for rule in row.rules.all() if rule.kind == "zero")
    answer = browser(year, "reviewer").post(
        address("scorecard_finding", card.pk),
        {
            "action": "save",
            "token": "zero",
            "indicator": row.pk,
            "rule": rule.pk,
            "holds": "1",
            "occurred_on": "2017-11-03",
            "source": "通报",
        },
    )
    assert answer.status_code == 302, text_of(answer)
    lines = [line for line in view_of(year.card("综合处")).lines if line.label.startswith("1.17")]
    assert sum(line.earned or 0 for line in lines) == 0
    assert any(line.zeroed for line in lines)


# ------------------------------------------------------------------ full points, finishing


def test_full_points_lists_what_it_will_do_and_does_just_that(year):
    client, card = browser(year, "reviewer"), year.card(OFFICE)
    url = address("scorecard_full", card.pk)
    listed = {item["label"]: item["points"] for row in client.get(url).context["rows"] for item in row["items"]}
    assert listed == {"1.14/1": "0.4", "1.14/2": "0.4", "1.14/3": "0.2", "1.14/6": "0.2"}
    rows = [year.row("1.14").pk]
    assert client.post(url, {"token": "t", "source": "", "indicators": rows}).status_code == 400
    assert not Finding.objects.exists()
    for _time in range(2):
        assert client.post(url, {"token": "t", "source": "年终检查", "indicators": rows}).status_code == 302
    made = {f"1.14/{f.clause.no}": f.points for f in Finding.objects.select_related("clause")}
    assert {label: Decimal(points) for label, points in listed.items()} == made
    assert browser(year, "leader").post(url, {"token": "u", "source": "x"}).status_code == 403


@pytest.mark.parametrize("office", ["综合处", OFFICE, "机关党支部"])
def test_the_list_of_full_points_is_what_the_operation_does(year, office):
    client, card = browser(year, "reviewer"), year.card(office)
    answer = client.get(address("scorecard_full", card.pk))
    listed = answer.context["count"]
    judge_all(year, office)
    assert Finding.objects.filter(scorecard=card).count() == listed
    assert year.card(office).unresolved == card.unresolved - listed


def test_finishing_is_refused_with_what_is_missing(year):
    client, card = browser(year, "reviewer"), year.card(OFFICE)
    answer = client.post(address("scorecard_finish", card.pk), {"revision": card.revision})
    text = text_of(answer)
    assert answer.status_code == 400
    assert "还不能完成评分，缺 4 项" in text
    for label in ("1.14/1", "1.14/2", "1.14/3", "1.14/6"):
        assert label in text
    assert year.card(OFFICE).state == Scorecard.State.OPEN


def test_finishing(year):
    judge_all(year)
    card = year.card(OFFICE)
    url = address("scorecard_finish", card.pk)
    assert browser(year, "leader").post(url, {"revision": card.revision}).status_code == 403
    assert browser(year, CLERK).post(url, {"revision": card.revision}).status_code == 403
    assert browser(year, "reviewer").post(url, {"revision": card.revision - 1}).status_code == 409
    assert browser(year, "reviewer").post(url, {"revision": card.revision}).status_code == 302
    assert year.card(OFFICE).state == Scorecard.State.FINISHED
    assert post_finding(year).status_code == 409
    text = text_of(browser(year, "reviewer").get(address("scorecard", card.pk)))
    assert "完成评分</button>" not in text


# ------------------------------------------------------------------ the signature


def test_the_bundle_shows_exceptions_first(year):
    post_finding(year)
    finished(year, OTHER)
    finished(year)
    text = text_of(browser(year, "leader").get(address("sign")))
    assert text.index(f"{OFFICE} 2017") < text.index(f"{OTHER} 2017")
    assert "−0.1" in text
    for name in (CLERK, "reviewer", "coordinator", "auditor"):
        assert browser(year, name).get(address("sign")).status_code == 404, name


def test_signing(year):
    card = finished(year)
    password(year, "leader")
    client, url = browser(year, "leader"), address("scorecard_sign", card.pk)
    page = text_of(client.get(url))
    assert digest_of(card)[:12] in page
    assert f'value="{digest_of(card)}"' in page
    assert client.post(url, signing(card)).status_code == 302
    signature = SignOff.objects.get()
    assert signature.digest == digest_of(card)
    assert signature.signer == year.people["leader"]
    page = text_of(client.get(url))
    assert "data-signature" in page
    assert signature.digest[:12] in page
    assert "data-draft" not in page
    assert "data-draft" not in text_of(browser(year, CLERK).get(address("scorecard", card.pk)))


def test_a_wrong_password_signs_nothing_and_keeps_the_opinion(year):
    card = finished(year)
    password(year, "leader")
    answer = browser(year, "leader").post(
        address("scorecard_sign", card.pk), signing(card, password="wrong", opinion="同意,望再接再厉")
    )
    assert answer.status_code == 403
    text = text_of(answer)
    assert "密码不正确" in text
    assert "望再接再厉" in text
    assert "wrong" not in text
    assert not SignOff.objects.exists()


def test_wrong_passwords_at_signing_lock_the_account_as_at_login(year):
    card = finished(year)
    password(year, "leader")
    client = browser(year, "leader")
    for _attempt in range(5):
        client.post(address("scorecard_sign", card.pk), signing(card, password="wrong"))
    answer = client.post(address("scorecard_sign", card.pk), signing(card))
    assert answer.status_code in (403, 429)
    assert not SignOff.objects.exists(), "the right password after five wrong ones waits like everybody's"


def test_who_scored_does_not_sign(year):
    card = finished(year)
    grant(user=year.people["reviewer"], power=Power.SIGN, office=year.unit)
    year.people["reviewer"] = year.user("reviewer")
    password(year, "reviewer")
    assert browser(year, "reviewer").post(address("scorecard_sign", card.pk), signing(card)).status_code == 403
    assert not SignOff.objects.exists()


@pytest.mark.parametrize(
    ("name", "status"),
    [(CLERK, 403), ("coordinator", 403), ("reviewer2", 403), (f"clerk:{OTHER}", 404), ("auditor", 404)],
)
def test_who_may_not_sign(year, name, status):
    card = finished(year)
    client = browser(year, name)
    for url in ("scorecard_sign", "scorecard_send_back", "scorecard_reopen"):
        assert client.post(address(url, card.pk), signing(card)).status_code == status, url
    assert client.get(address("scorecard_sign", card.pk)).status_code == status
    assert not SignOff.objects.exists()


def test_a_stale_digest_is_answered_by_a_page_of_its_own(year):
    card = finished(year)
    password(year, "leader")
    old = signing(card)
    client = browser(year, "leader")
    client.post(address("scorecard_send_back", card.pk), {"back-reason": "请核实", "revision": card.revision})
    post_finding(year)
    card = year.card(OFFICE)
    browser(year, "reviewer").post(address("scorecard_finish", card.pk), {"revision": card.revision})
    answer = client.post(address("scorecard_sign", card.pk), old)
    assert answer.status_code == 409
    assert "页面打开后得分有变动，请重新核对" in text_of(answer)
    assert not SignOff.objects.exists()


def test_sending_back_and_reopening_need_reasons(year):
    card = finished(year)
    password(year, "leader")
    client = browser(year, "leader")
    back, again = address("scorecard_send_back", card.pk), address("scorecard_reopen", card.pk)
    assert client.post(back, {"back-reason": "", "revision": card.revision}).status_code == 400
    assert client.post(back, {"back-reason": "请核实", "revision": card.revision}).status_code == 302
    assert year.card(OFFICE).state == Scorecard.State.OPEN
    card = year.card(OFFICE)
    browser(year, "reviewer").post(address("scorecard_finish", card.pk), {"revision": card.revision})
    card = year.card(OFFICE)
    assert client.post(address("scorecard_sign", card.pk), signing(card)).status_code == 302
    assert client.post(again, {"reopen-reason": ""}).status_code == 400
    assert client.post(again, {"reopen-reason": "有新的通报"}).status_code == 302
    post_finding(year)
    card = year.card(OFFICE)
    browser(year, "reviewer").post(address("scorecard_finish", card.pk), {"revision": card.revision})
    page = text_of(client.get(address("scorecard_sign", card.pk)))
    assert "上次签批 3.5 分,现为 3.4 分(−0.1)" in page
    assert "有新的通报" in page


def test_a_signature_that_no_longer_covers_the_figures_is_shown(year):
    card = finished(year)
    password(year, "leader")
    browser(year, "leader").post(address("scorecard_sign", card.pk), signing(card))
    SignOff.objects.update(digest="0" * 64)
    for url in (address("results"), address("sign"), address("scorecard", card.pk), address("scorecard_sign", card.pk)):
        assert "签批后有变动" in text_of(browser(year, "leader").get(url)), url


# ------------------------------------------------------------------ the ranking


def test_ties_and_the_distance_to_the_place_before(db):
    rows = {
        str(n): {
            "points": "1",
            "offices": [(name, "responsible", None)],
            "clauses": [{"rules": [each(f"r{n}", "0.1")]}],
        }
        for n, name in enumerate(("甲处", "乙处", "丙处"), 1)
    }
    year = small(rows, offices=("甲处", "乙处", "丙处"))
    workflow.open_scorecards(version=year.version, actor=year.actor("coordinator"), at=AT)
    year.find("丙处", "r3", count=2)
    for name in ("甲处", "乙处", "丙处"):
        card = year.card(name)
        workflow.finish_scorecard(scorecard_id=card.pk, actor=year.actor("reviewer"), at=AT, revision=card.revision)
        card = year.card(name)
        workflow.sign_scorecard(
            scorecard_id=card.pk,
            actor=year.actor("leader"),
            at=AT,
            revision=card.revision,
            digest=digest_of(card),
            password_ok=True,
        )
    unit = browser(year, "coordinator").get(address("results")).context["unit"]
    assert [(str(row.result.office), row.place, row.behind) for row in unit.rows] == [
        ("甲处", "并列第 1", ""),
        ("乙处", "并列第 1", ""),
        ("丙处", "3", "20 个百分点"),
    ]
    assert "未签批（草稿）" not in text_of(browser(year, "coordinator").get(address("results")))


def test_pages_hold_nothing_inline(year):
    """The policy of the site forbids scripts and styles within a page."""
    post_finding(year)
    card = finished(year)
    clause = year.clause(CLAUSE)
    pages = [
        ("reviewer", address("results")),
        ("reviewer", address("scorecard", card.pk)),
        ("leader", address("sign")),
        ("leader", address("scorecard_sign", card.pk)),
        ("reviewer", address("scorecard_finding", card.pk, indicator=clause.indicator_id, clause=clause.pk)),
        ("reviewer", address("scorecard_full", card.pk)),
        ("reviewer", address("scorecard_void", card.pk, Finding.objects.first().pk)),
    ]
    for name, url in pages:
        text = text_of(browser(year, name).get(url))
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son[a-z]+=", text), url


# ------------------------------------------------------------------ refused, and nothing typed is lost


def test_what_was_typed_is_shown_again_when_the_card_has_moved_on(year):
    assert post_finding(year).status_code == 302
    finding = Finding.objects.get()
    card = finished(year)
    reviewer, leader = browser(year, "reviewer"), browser(year, "leader")

    answer = post_finding(year, token="another-form", source="市局通报〔2026〕9号")
    assert answer.status_code == 409
    assert "市局通报〔2026〕9号" in text_of(answer)
    answer = reviewer.post(address("scorecard_void", card.pk, finding.pk), {"reason": "重复登记了这件事"})
    assert answer.status_code == 409
    assert "重复登记了这件事" in text_of(answer)
    answer = reviewer.post(
        address("scorecard_full", card.pk), {"token": "late", "source": "年终复查", "indicators": []}
    )
    assert "年终复查" in text_of(answer)

    back = address("scorecard_send_back", card.pk)
    stale = leader.post(back, {"back-reason": "第三项请再核实", "revision": card.revision - 1})
    assert stale.status_code == 409
    assert "第三项请再核实</textarea>" in text_of(stale)
    assert leader.post(back, {"back-reason": "请核实", "revision": card.revision}).status_code == 302
    again = leader.post(back, {"back-reason": "第三项请再核实", "revision": card.revision})
    assert again.status_code == 409
    assert "第三项请再核实" in text_of(again)
    reopened = leader.post(address("scorecard_reopen", card.pk), {"reopen-reason": "得分算错了"})
    assert reopened.status_code == 409
    assert "得分算错了" in text_of(reopened)


def test_a_form_sent_again_with_other_words_is_kept_and_may_become_another_record(year):
    assert post_finding(year).status_code == 302
    answer = post_finding(year, source="另一份通报")
    assert answer.status_code == 409
    assert "另一份通报" in text_of(answer)
    token = re.search(r'name="token" value="([^"]+)"', text_of(answer)).group(1)
    assert Finding.objects.count() == 1
    assert post_finding(year, source="另一份通报", token=token).status_code == 302
    assert Finding.objects.count() == 2
