"""The whole way of a task through the pages: 签收 → 填报 → 报送 → 确认 → 审核, and everything that goes wrong on it."""

import io
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.test import RequestFactory
from django.utils import timezone

from accounts.models import Membership
from assessments.models import Review
from audit.models import AuditEntry
from schemes.models import Responsibility
from tasks.files import path_of
from tasks.models import Evidence, Submission, Task, TaskState
from tasks.views import guarded
from tests.world import make_evidence, make_submission, make_task, person
from workflow.models import WorkProcess

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 64
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
XHR = {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"}


def page_of(task: Task) -> str:
    return f"/work/tasks/{task.pk}/"


def report(task: Task, **changes) -> dict:
    task.refresh_from_db()
    return {
        "text": "已办理",
        "v0": "96",
        "revision": task.revision,
        "token": uuid4().hex,
        "base": timezone.now().isoformat(),
    } | changes


def upload(client, task: Task, name: str, content: bytes, **extra):
    return client.post(f"/tasks/{task.pk}/files/", {"files": SimpleUploadedFile(name, content)}, **extra)


def fetch(client, url: str):
    """A file handed over, read to its end (which closes it)."""
    answer = client.get(url)
    if answer.streaming:
        answer.body = b"".join(answer.streaming_content)
    return answer


def drafted(task: Task) -> list[Evidence]:
    return list(Evidence.objects.filter(submission__task=task, submission__submitted_at=None).order_by("id"))


@pytest.fixture
def accepted(world):
    """A task that was signed for through the flow, so that its process stands where it should."""
    task = world.own.tasks["issued"]
    world.client("clerk").post(f"{page_of(task)}accept/")
    task.refresh_from_db()
    assert task.state == TaskState.ACCEPTED
    return task


def test_whole_way_with_one_return(world, accepted):
    task, clerk, head, reviewer = accepted, world.client("clerk"), world.client("head"), world.client("reviewer")
    assert WorkProcess.objects.get(subject_task=task)
    assert upload(clerk, task, "佐证.png", PNG).status_code == 302
    answer = clerk.post(f"{page_of(task)}submit/", report(task, text="第一次\r\n两行"), follow=True)
    assert "已报送,待处室负责人确认。" in answer.content.decode()
    task.refresh_from_db()
    assert task.state == TaskState.CONFIRMING
    first = task.submissions.get(number=1)
    assert (first.text, first.values) == ("第一次\n两行", {"合格率": "96"})

    assert "确认并送审" in head.get(page_of(task)).content.decode()
    head.post(f"{page_of(task)}confirm/", {"outcome": "approved", "revision": task.revision})
    task.refresh_from_db()
    assert task.state == TaskState.REVIEWING

    page = reviewer.get(f"{page_of(task)}review/").content.decode()
    assert "第一次" in page
    assert "佐证.png" in page
    file = first.evidence.get()
    answer = reviewer.post(
        f"{page_of(task)}review/",
        {
            "outcome": "returned",
            "revision": task.revision,
            "reason": "数据与台账不符",
            "m1": "value:合格率",
            "n1": "核对合格率",
            "m2": f"evidence:{file.pk}",
            "n2": "请盖章",
        },
        follow=True,
    )
    assert answer.status_code == 200
    task.refresh_from_db()
    assert task.state == TaskState.RETURNED

    page = clerk.get(page_of(task)).content.decode()
    for words in ("数据与台账不符", "核对合格率", "请盖章", "修改后重新报送", "第一次"):
        assert words in page
    assert [e.name for e in drafted(task)] == ["佐证.png"]

    clerk.post(f"{page_of(task)}submit/", report(task, text="第二次", v0="97.5"))
    task.refresh_from_db()
    head.post(f"{page_of(task)}confirm/", {"outcome": "approved", "revision": task.revision})
    task.refresh_from_db()
    reviewer.post(f"{page_of(task)}review/", {"outcome": "approved", "revision": task.revision})
    task.refresh_from_db()
    assert task.state == TaskState.APPROVED
    page = clerk.get(page_of(task)).content.decode()
    for words in ("第 1 次报送", "第 2 次报送", "已审核通过并办结", "审核退回:数据与台账不符"):
        assert words in page


def test_accept_is_for_the_office_only(world):
    task = world.own.tasks["issued"]
    for role, status in (
        ("reviewer", 403),
        ("coordinator", 403),
        ("leader", 403),
        ("administrator", 404),
        ("auditor", 404),
    ):
        assert world.client(role).post(f"{page_of(task)}accept/").status_code == status, role
    task.refresh_from_db()
    assert task.state == TaskState.ISSUED
    assert world.client("clerk").get(f"{page_of(task)}accept/").status_code == 405


def test_accept_many(world):
    more = [make_task(world, world.own, "issued", key=f"more{n}") for n in range(3)]
    ids = [t.pk for t in more]
    foreign = world.other.tasks["issued"].pk
    answer = world.client("clerk").post("/work/tasks/accept/", {"ids": [*ids, foreign, "x", ids[0]]}, follow=True)
    text = answer.content.decode()
    assert "已签收 3 项" in text
    assert "没有找到这个事项" in text
    assert Task.objects.filter(pk__in=ids, state=TaskState.ACCEPTED).count() == 3
    assert world.other.marker not in text
    assert "没有选中任何事项" in world.client("clerk").post("/work/tasks/accept/", follow=True).content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"text": "  "}, "请填写完成情况"),
        ({"v0": "九十六"}, ""),
        ({"text": "字" * 20001}, "最多 20000 字"),
    ],
)
def test_bad_input_keeps_what_was_typed(world, accepted, typed, words):
    sent = report(accepted, **({"text": "辛苦写的内容", "v0": "95.5"} | typed))
    answer = world.client("clerk").post(f"{page_of(accepted)}submit/", sent)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert words in text
    assert "没有报送" in text
    assert sent["text"].strip()[:20] in text
    assert f'value="{sent["v0"]}"' in text
    accepted.refresh_from_db()
    assert accepted.state == TaskState.ACCEPTED


def test_the_same_form_twice_is_one_submission(world, accepted):
    clerk, sent = world.client("clerk"), report(accepted)
    for _ in range(2):
        answer = clerk.post(f"{page_of(accepted)}submit/", sent, follow=True)
        assert answer.redirect_chain == [(page_of(accepted), 302)]
        assert "已报送" in answer.content.decode()
    assert accepted.submissions.count() == 1


def test_late_form_is_refused_and_its_text_shown(world, accepted):
    clerk, old = world.client("clerk"), report(accepted, text="另一个窗口里写的")
    clerk.post(f"{page_of(accepted)}submit/", report(accepted))
    answer = clerk.post(f"{page_of(accepted)}submit/", old)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "待负责人确认" in text
    assert "另一个窗口里写的" in text
    assert accepted.submissions.count() == 1


def test_stale_revision_can_still_be_sent_from_the_answer(world, accepted):
    sent = report(accepted, revision=accepted.revision + 7, text="旧页面上的内容")
    answer = world.client("clerk").post(f"{page_of(accepted)}submit/", sent)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "旧页面上的内容" in text
    assert f'name="revision" value="{accepted.revision}"' in text


def test_colleagues_newer_draft_is_not_silently_replaced(world, accepted):
    colleague = person("clerk_two", "同事乙")
    Membership.objects.create(user=colleague, office=world.own.office)
    opened = timezone.now() - timedelta(minutes=5)
    Submission.objects.create(task=accepted, number=1, text="同事写的", saved_at=timezone.now(), saved_by=colleague)
    clerk, sent = world.client("clerk"), report(accepted, base=opened.isoformat(), text="我写的")
    answer = clerk.post(f"{page_of(accepted)}submit/", sent)
    assert answer.status_code == 409
    assert "同事乙" in answer.content.decode()
    assert "我写的" in answer.content.decode()
    draft = clerk.post(f"/tasks/{accepted.pk}/draft/", {"text": "我写的", "base": opened.isoformat()}, **XHR)
    assert draft.status_code == 409
    assert "error" in draft.json()
    assert accepted.submissions.get().text == "同事写的"
    # told of it, and sent again from that page
    assert clerk.post(f"{page_of(accepted)}submit/", report(accepted, text="我写的")).status_code == 302


def test_draft_saves_only_what_changed(world, accepted):
    clerk, url = world.client("clerk"), f"/tasks/{accepted.pk}/draft/"
    first = clerk.post(url, {"text": "甲", "v0": "9x", "_fields": "text,v0"}, **XHR)
    assert set(first.json()) == {"saved_at", "message"}
    clerk.post(url, {"v0": "95", "_fields": "v0"}, **XHR)
    row = accepted.submissions.get()
    assert (row.text, row.values) == ("甲", {"合格率": "95"})
    clerk.post(url, {"v0": "", "_fields": "v0"}, **XHR)
    row.refresh_from_db()
    assert (row.text, row.values) == ("甲", {})
    assert clerk.post(url, {"text": "无脚本", "v0": "1"}).status_code == 302
    row.refresh_from_db()
    assert (row.text, row.values) == ("无脚本", {"合格率": "1"})
    check = clerk.get(f"{page_of(accepted)}?part=check", **{"HTTP_HX_REQUEST": "true"})
    assert "未达到目标" in check.content.decode()
    assert world.client("reviewer").post(url, {"text": "外人"}, **XHR).status_code == 403


def test_draft_is_for_the_office_only(world):
    task = world.own.tasks["accepted"]
    for role in ("reviewer", "coordinator", "leader"):
        text = world.client(role).get(page_of(task)).content.decode()
        assert world.own.draft.text not in text, role
        assert world.client(role).get(f"/tasks/evidence/{world.own.draft_evidence.pk}/").status_code == 404
    assert world.own.draft.text in world.client("head").get(page_of(task)).content.decode()


# ------------------------------------------------------------------ confirming


def test_decline_needs_a_reason_and_keeps_the_page(world):
    task, head = world.own.tasks["confirming"], world.client("head")
    answer = head.post(f"{page_of(task)}confirm/", {"outcome": "returned", "revision": task.revision})
    assert answer.status_code == 400
    assert "理由" in answer.content.decode()
    assert (
        head.post(
            f"{page_of(task)}confirm/", {"outcome": "returned", "revision": task.revision, "reason": "缺附件"}
        ).status_code
        == 302
    )
    task.refresh_from_db()
    assert task.state == TaskState.RETURNED
    assert "缺附件" in world.client("clerk").get(page_of(task)).content.decode()


def test_only_the_head_confirms(world):
    task = world.own.tasks["confirming"]
    for role in ("clerk", "reviewer", "coordinator"):
        answer = world.client(role).post(
            f"{page_of(task)}confirm/", {"outcome": "approved", "revision": task.revision, "reason": ""}
        )
        assert answer.status_code == 403, role
        assert "负责人才能确认" in answer.content.decode()


# ------------------------------------------------------------------ reviewing


def test_review_is_refused_to_own_office_and_to_others(world):
    task = world.own.tasks["reviewing"]
    Membership.objects.create(user=world.own.reviewer, office=world.own.office)
    assert world.client("reviewer").get(f"{page_of(task)}review/").status_code == 403
    assert world.client("clerk").get(f"{page_of(task)}review/").status_code == 403
    assert world.client("coordinator").get(f"{page_of(task)}review/").status_code == 403
    assert world.client("administrator").get(f"{page_of(task)}review/").status_code == 404


def test_review_of_what_somebody_else_decided_names_who(world):
    task = world.own.tasks["reviewing"]
    second = person("reviewer_two", "审核人丙")
    from accounts.grants import Power, grant

    grant(user=second, power=Power.REVIEW, office=world.own.office)
    sent = {"outcome": "returned", "revision": task.revision, "reason": "我的意见在此", "m0": "text", "n0": "补充"}
    world.client("reviewer").post(f"{page_of(task)}review/", {"outcome": "approved", "revision": task.revision})
    world.people["second"] = second
    answer = world.client("second").post(f"{page_of(task)}review/", sent)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert str(world.own.reviewer) in text
    assert "我的意见在此" in text
    assert Review.objects.filter(submission__task=task, stage="review").count() == 1


def test_return_without_reason_keeps_the_marks(world):
    task = world.own.tasks["reviewing"]
    sent = {"outcome": "returned", "revision": task.revision, "reason": "", "m0": "text", "n0": "写具体些"}
    answer = world.client("reviewer").post(f"{page_of(task)}review/", sent)
    text = answer.content.decode()
    assert answer.status_code == 400
    assert "退回必须说明理由" in text
    assert 'value="写具体些"' in text
    assert 'name="m0" value="text" checked' in text


def test_after_a_decision_comes_the_next_in_the_queue(world):
    now = world.now
    queue = []
    for n in range(3):
        task = make_task(world, world.own, "reviewing", key=f"q{n}", due_at=now + timedelta(days=20 + n))
        make_submission(world, world.own, task)
        queue.append(task)
    reviewer, first = world.client("reviewer"), world.own.tasks["reviewing"]
    assert reviewer.get("/work/review/").url == f"{page_of(first)}review/"
    text = reviewer.get(f"{page_of(queue[0])}review/").content.decode()
    assert "审核队列 2 / 4" in text
    assert f'rel="prev" href="{page_of(first)}review/"' in text
    assert f'rel="next" href="{page_of(queue[1])}review/"' in text
    answer = reviewer.post(f"{page_of(queue[0])}review/", {"outcome": "approved", "revision": 0})
    assert answer.url == f"{page_of(queue[1])}review/"
    # after the last of the queue: the first that is left
    assert (
        reviewer.post(f"{page_of(queue[2])}review/", {"outcome": "approved", "revision": 0}).url
        == f"{page_of(first)}review/"
    )
    for task in (queue[1], first):
        last = reviewer.post(f"{page_of(task)}review/", {"outcome": "approved", "revision": task.revision})
    assert last.url == "/"
    assert "现在没有等您审核的报送件" in reviewer.get("/work/review/").content.decode()


# ------------------------------------------------------------------ files


def office_file(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("空.pdf", b"", ""),
        ("假.pdf", b"MZ\x90\x00" + b"\x00" * 100, "不符"),
        ("假.png", PDF, "不符"),
        ("程序.exe", b"MZ", "不在允许之列"),
        ("网页.html", b"<script>alert(1)</script>", "不在允许之列"),
        ("宏.xlsx", office_file({"[Content_Types].xml": b"", "xl/vbaProject.bin": b"x", "xl/a": b""}), "宏"),
        ("断.docx", office_file({"[Content_Types].xml": b"", "word/a": b"x" * 500})[:200], ""),
        ("没有扩展名", PDF, "扩展名"),
    ],
)
def test_refused_files(world, accepted, name, content, words):
    clerk = world.client("clerk")
    answer = upload(clerk, accepted, name, content, **XHR)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert not drafted(accepted)
    page = clerk.post(f"/tasks/{accepted.pk}/files/", {"files": SimpleUploadedFile(name, content)}, follow=True)
    assert "没有完成" in page.content.decode()


def test_file_too_large(world, accepted, settings):
    settings.EVIDENCE_MAX_BYTES = 1024 * 1024
    answer = upload(world.client("clerk"), accepted, "大.pdf", PDF + b"0" * (1024 * 1024), **XHR)
    assert answer.status_code == 400
    assert "1 MB" in answer.json()["error"]


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.pdf", "..\\..\\boot.pdf", "a\u202egnp.fdp.pdf", "x" * 240 + ".pdf", '引"号;\r\nX: y.pdf']
)
def test_hostile_names_are_tamed(world, accepted, name):
    clerk = world.client("clerk")
    upload(clerk, accepted, name, PDF, **XHR)
    files = drafted(accepted)
    for file in files:
        assert not set("/\\\u202e\r\n\x00") & set(file.name)
        answer = fetch(clerk, f"/tasks/evidence/{file.pk}/")
        assert answer["Content-Disposition"].startswith("attachment")
        assert "\n" not in answer["Content-Disposition"]
        assert answer.body == PDF


def test_the_same_file_twice_is_one(world, accepted):
    clerk = world.client("clerk")
    assert upload(clerk, accepted, "甲.pdf", PDF, **XHR).status_code == 200
    answer = upload(clerk, accepted, "甲.pdf", PDF, **XHR)
    assert answer.content.decode().count("zr-file-name") == 1
    assert len(drafted(accepted)) == 1


def test_upload_without_script_keeps_the_text(world, accepted):
    clerk = world.client("clerk")
    sent = {
        "text": "写到一半",
        "v0": "90",
        "base": timezone.now().isoformat(),
        "files": SimpleUploadedFile("甲.pdf", PDF),
    }
    page = clerk.post(f"/tasks/{accepted.pk}/files/", sent, follow=True).content.decode()
    assert "写到一半" in page
    assert "已上传 1 个文件" in page
    file = drafted(accepted)[0]
    page = clerk.post(
        f"/tasks/evidence/{file.pk}/remove/", {"text": "又写了些", "v0": ""}, follow=True
    ).content.decode()
    assert "已移除“甲.pdf”" in page
    assert "又写了些" in page
    assert not drafted(accepted)


def test_files_chosen_without_script_go_with_the_report(world, accepted):
    sent = report(accepted) | {"files": [SimpleUploadedFile("甲.pdf", PDF), SimpleUploadedFile("乙.png", PNG)]}
    assert world.client("clerk").post(f"{page_of(accepted)}submit/", sent).status_code == 302
    assert [e.name for e in accepted.submissions.get().evidence.all()] == ["甲.pdf", "乙.png"]


def test_a_refused_file_with_the_report_keeps_the_text(world, accepted):
    sent = report(accepted, text="附件不对") | {"files": SimpleUploadedFile("甲.exe", b"MZ")}
    answer = world.client("clerk").post(f"{page_of(accepted)}submit/", sent)
    assert answer.status_code == 400
    assert "附件不对" in answer.content.decode()
    assert "不在允许之列" in answer.content.decode()
    accepted.refresh_from_db()
    assert accepted.state == TaskState.ACCEPTED


def test_submitted_files_stay(world):
    file = world.own.evidence
    answer = world.client("clerk").post(f"/tasks/evidence/{file.pk}/remove/")
    assert answer.status_code == 409
    assert Evidence.objects.filter(pk=file.pk).exists()


def test_download_headers_and_record(world):
    file = world.own.evidence
    answer = fetch(world.client("reviewer"), f"/tasks/evidence/{file.pk}/?view=1")
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    entry = AuditEntry.objects.order_by("-seq").first()
    assert (entry.verb, entry.detail["name"]) == ("evidence.downloaded", file.name)
    assert world.client("administrator").get(f"/tasks/evidence/{file.pk}/").status_code == 404


def test_pictures_are_shown_when_asked(world, accepted):
    clerk = world.client("clerk")
    upload(clerk, accepted, "图.png", PNG)
    file = drafted(accepted)[0]
    answer = fetch(clerk, f"/tasks/evidence/{file.pk}/?view=1")
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Disposition"].startswith("inline")
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert fetch(clerk, f"/tasks/evidence/{file.pk}/")["Content-Type"] == "application/octet-stream"


def test_a_lost_file_is_said_in_words(world, caplog):
    path_of(world.own.evidence.blob.sha256).unlink()
    answer = world.client("reviewer").get(f"/tasks/evidence/{world.own.evidence.pk}/")
    assert answer.status_code == 500
    assert "文件打不开" in answer.content.decode()
    assert world.own.evidence.blob.sha256 in caplog.text
    make_evidence(world, world.own, world.own.submission, name="另一个")


def test_text_too_large_is_said_in_words(world, accepted, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    clerk, url = world.client("clerk"), f"/tasks/{accepted.pk}/draft/"
    answer = clerk.post(url, {"text": "字" * 2000}, **XHR)
    assert answer.status_code == 413
    assert "太大" in answer.json()["error"]
    assert clerk.post(url, {"text": "字" * 2000}).status_code == 413


def test_malformed_upload_is_said_in_words(world, accepted):
    clerk, url = world.client("clerk"), f"/tasks/{accepted.pk}/files/"
    answer = clerk.post(url, b"x", content_type="multipart/form-data; boundary=" + "b" * 300, **XHR)
    assert answer.status_code == 400
    assert "不完整" in answer.json()["error"]
    answer = clerk.post(url, b"", content_type="multipart/form-data; boundary=b", **XHR)
    assert answer.status_code == 400
    assert "没有收到文件" in answer.json()["error"]


@pytest.mark.parametrize(("error", "words"), [(UnreadablePostError, "上传中断"), (MultiPartParserError, "不完整")])
@pytest.mark.django_db
def test_upload_cut_off_is_said_in_words(error, words, monkeypatch):
    from django.core.handlers.wsgi import WSGIRequest

    def cut(self):
        raise error("cut off")

    monkeypatch.setattr(WSGIRequest, "_load_post_and_files", cut)
    answer = guarded(lambda request: pytest.fail("not reached"))(RequestFactory().post("/x/", {"a": 1}, **XHR))
    assert answer.status_code == 400
    assert words in answer.content.decode("unicode_escape") or words in answer.content.decode()


def test_guarded_pages_still_ask_for_the_token(world, accepted):
    client = world.client("clerk", enforce_csrf_checks=True)
    assert client.post(f"/tasks/{accepted.pk}/draft/", {"text": "x"}).status_code == 403
    assert upload(client, accepted, "甲.pdf", PDF).status_code == 403
    assert client.post(f"{page_of(accepted)}submit/", report(accepted)).status_code == 403


# ------------------------------------------------------------------ provider and collector


def test_the_collector_reads_what_was_handed_in(world):
    collecting = make_task(world, world.own, "accepted", key="collect", role=Responsibility.Role.COLLECT)
    part = make_task(
        world, world.other, "approved", key="part", role=Responsibility.Role.PROVIDE, collected_by=collecting
    )
    make_task(world, world.other, "accepted", key="part2", role=Responsibility.Role.PROVIDE, collected_by=collecting)
    filed = make_submission(world, world.other, part)
    file = make_evidence(world, world.other, filed)
    page = world.client("clerk").get(page_of(collecting)).content.decode()
    assert "应提供 2 家,还缺 1 家" in page
    assert filed.text in page
    assert file.name in page
    assert fetch(world.client("clerk"), f"/tasks/evidence/{file.pk}/").status_code == 200
    # the reviewer of the collecting office may not read the other office
    page = world.client("reviewer").get(page_of(collecting)).content.decode()
    assert filed.text not in page
    assert world.client("reviewer").get(f"/tasks/evidence/{file.pk}/").status_code == 404
    assert world.client("clerk").get(page_of(part)).status_code == 404
