"""The administrators' pages: plain sentences, kept input, refusals that say how to go on."""

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.grants import Power, fresh_scope, grant
from accounts.models import Membership, Office, User


@pytest.fixture
def admin(world):
    return world.client("administrator")


def text_of(response) -> str:
    main = response.content.decode().split("<main", 1)[1].split("</main>", 1)[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def test_people_list_and_search(world, admin):
    page = admin.get("/accounts/people/")
    assert "可审核、评分:甲测试处" in text_of(page)
    assert "甲测试处 · 负责人" in text_of(page)
    found = text_of(admin.get("/accounts/people/", {"q": "乙测试处审核"}))
    assert "乙测试处审核人" in found
    assert "分管领导甲" not in found
    assert "head_other" in text_of(admin.get("/accounts/people/", {"q": "HEAD_O"}))
    assert "已停用人员" in text_of(admin.get("/accounts/people/", {"status": "disabled"}))
    assert "分管领导甲" not in text_of(admin.get("/accounts/people/", {"office": world.own.office.pk}))
    nobody = text_of(admin.get("/accounts/people/", {"q": "无此人"}))
    assert "没有符合条件的人员" in nobody
    assert "清除筛选" in nobody
    for odd in ({"q": "\x00"}, {"office": "x"}, {"office": 10**30}, {"status": "?"}, {"page": "9" * 30}):
        assert admin.get("/accounts/people/", odd).status_code == 200, odd


def test_people_list_has_pages_and_few_queries(world, admin, django_assert_max_num_queries):
    User.objects.bulk_create(User(username=f"u{n:03}", name=f"人员{n:03}") for n in range(60))
    Membership.objects.bulk_create(
        Membership(user=user, office=world.own.office) for user in User.objects.filter(username__startswith="u")
    )
    with django_assert_max_num_queries(15):
        page = admin.get("/accounts/people/", {"q": "人员"})
    assert page.context["page_obj"].paginator.num_pages == 3
    assert "q=" in page.content.decode().split('rel="next"')[1][:200]


def test_person_in_plain_sentences(world, admin):
    grant(user=world.own.reviewer, power=Power.REVIEW, office=world.other.office)
    page = text_of(admin.get(reverse("accounts:person", args=[world.own.reviewer.pk])))
    assert "可审核、评分 甲测试处" in page
    assert "可审核、评分 乙测试处" in page
    assert "没有任职" in page
    oneself = text_of(admin.get(reverse("accounts:person", args=[world.people["administrator"].pk])))
    assert "须由另一位系统管理员办理" in oneself
    assert "收回" not in oneself


def test_new_person_with_one_time_password(world, admin):
    url = reverse("accounts:person_new")
    bad = admin.post(url, {"name": "李明", "username": "clerk", "office": world.own.office.pk, "role": "clerk"})
    assert bad.status_code == 400
    assert "已有人使用" in text_of(bad)
    assert 'value="李明"' in bad.content.decode()  # what was typed stays
    good = admin.post(url, {"name": "李明", "username": "liming", "office": world.own.office.pk, "role": "head"})
    user = User.objects.get(username="liming")
    password = re.search(r'translate="no">([^<]+)<', good.content.decode()).group(1)
    assert user.check_password(password)
    assert "只在这里显示一次" in text_of(good)
    assert fresh_scope(user).head
    again = admin.get(reverse("accounts:person", args=[user.pk]))
    assert password not in again.content.decode()


def test_disabling_says_what_it_touches(world, admin):
    Membership.objects.filter(user__in=[world.own.head, world.people["disabled"]]).delete()
    url = reverse("accounts:person_disable", args=[world.own.clerk.pk])
    page = text_of(admin.get(url))
    assert "立即不能登录" in page
    assert "甲测试处再没有在岗人员" in page
    assert world.user("clerk").is_active
    assert admin.post(url).status_code == 302
    assert not world.user("clerk").is_active
    own = reverse("accounts:person_disable", args=[world.people["administrator"].pk])
    refused = admin.post(own)
    assert refused.status_code == 403
    assert "另一位系统管理员" in text_of(refused)


def test_separation_is_said_on_the_form(world, admin):
    url = reverse("accounts:power_give", args=[world.people["auditor"].pk])
    refused = admin.post(url, {"power": Power.REVIEW, "office": world.own.office.pk})
    assert refused.status_code == 409
    assert "须由不同的人担任" in text_of(refused)
    assert not fresh_scope(world.user("auditor")).review


def test_give_and_take(world, admin):
    url = reverse("accounts:power_give", args=[world.people["leader"].pk])
    given = admin.post(url, {"power": Power.REVIEW, "office": world.own.office.pk}, follow=True)
    assert "已授权" in given.content.decode()
    take = reverse("accounts:power_take", args=[world.people["leader"].pk])
    query = {"power": Power.REVIEW, "office": world.own.office.pk}
    confirm = text_of(admin.get(take, query))
    assert "收回对“甲测试处”及其下级机构的“审核与评分”权限" in confirm
    assert fresh_scope(world.user("leader")).review
    admin.post(take, query)
    assert not fresh_scope(world.user("leader")).review
    for odd in ({}, {"power": "delete_user", "office": world.own.office.pk}, {"power": Power.REVIEW, "office": 0}):
        assert admin.get(take, odd).status_code == 404
    bad = admin.post(url, {"power": "delete_user", "office": world.own.office.pk})
    assert bad.status_code == 400


def test_membership_pages(world, admin):
    start = reverse("accounts:membership_start", args=[world.own.clerk.pk])
    today = timezone.localdate().isoformat()
    twice = admin.post(start, {"office": world.own.office.pk, "role": "head", "valid_from": today})
    assert twice.status_code == 409
    assert "请先办理离任" in text_of(twice)
    assert admin.post(start, {"office": "", "role": "head", "valid_from": "昨天"}).status_code == 400
    good = admin.post(start, {"office": world.other.office.pk, "role": "clerk", "valid_from": today})
    assert good.status_code == 302
    row = Membership.objects.get(user=world.own.clerk, office=world.other.office)
    end = reverse("accounts:membership_end", args=[row.pk])
    assert "不再看到“乙测试处”的事项" in text_of(admin.get(end))
    assert admin.post(end, {"last_day": today}).status_code == 302
    row.refresh_from_db()
    assert row.valid_to == timezone.localdate()


def test_office_tree_marks_phantoms(world, admin):
    empty = Office.objects.create(name="无人处", parent=world.root, position=5)
    Office.objects.create(name="只有下级的处", parent=world.root, position=6)
    below = Office.objects.create(name="下级科", parent=Office.objects.get(name="只有下级的处"))
    Membership.objects.create(user=world.own.clerk, office=below)
    page = admin.get("/accounts/offices/")
    rows = {row.office.name: row for row in page.context["rows"]}
    assert [name for name, row in rows.items() if row.phantom] == ["无人处"]
    assert rows["下级科"].headless
    assert (rows["世界委员会"].depth, rows["下级科"].depth) == (0, 2)
    assert (rows["甲测试处"].heads, rows["甲测试处"].clerks) == (1, 1)  # the disabled one does not count
    assert "有 1 个机构无人在岗" in text_of(page)
    detail = text_of(admin.get(reverse("accounts:office", args=[empty.pk])))
    assert "无人在岗" in detail
    assert "统筹与催办" in detail  # who holds a power there, from above


def test_office_pages(world, admin):
    new = reverse("accounts:office_new")
    today = timezone.localdate().isoformat()
    data = {"name": "新设处", "parent": world.root.pk, "position": 3, "valid_from": today}
    assert admin.post(new, data).status_code == 302
    office = Office.objects.get(name="新设处")
    twice = admin.post(new, data)
    assert twice.status_code == 400
    assert "已有名为" in text_of(twice)
    edit = reverse("accounts:office_edit", args=[office.pk])
    circle = admin.post(edit, {"name": "新设处", "parent": office.pk, "position": 3})
    assert circle.status_code == 400
    retire = reverse("accounts:office_retire", args=[world.own.office.pk])
    for odd in ("9999-12-31", "0001-01-01", "昨天", ""):
        assert admin.post(retire, {"last_day": odd}).status_code == 400
    refused = admin.post(retire, {"last_day": today})
    assert refused.status_code == 409
    assert "先为他们办理离任" in text_of(refused)
    assert admin.post(reverse("accounts:office_retire", args=[office.pk]), {"last_day": today}).status_code == 302


def test_forms_take_no_request_without_a_token(world):
    client = world.client("administrator", enforce_csrf_checks=True)
    url = reverse("accounts:person_disable", args=[world.own.clerk.pk])
    assert client.post(url).status_code == 403
    assert world.user("clerk").is_active


def test_what_people_are_called_is_escaped(world, admin):
    User.objects.filter(pk=world.own.clerk.pk).update(name="<script>alert(1)</script>")
    Office.objects.filter(pk=world.own.office.pk).update(name="<b>处</b>")
    for url in (
        "/accounts/people/",
        "/accounts/offices/",
        f"/accounts/people/{world.own.clerk.pk}/",
        f"/accounts/people/{world.own.clerk.pk}/disable/",
        f"/accounts/people/{world.own.clerk.pk}/give/",
        f"/accounts/offices/{world.own.office.pk}/",
    ):
        page = admin.get(url).content.decode()
        assert "<script>alert" not in page, url
        assert "<b>处" not in page, url


def test_an_administrator_of_one_office_sees_only_it(world):
    user = User.objects.create(username="sub", name="处室管理员")
    grant(user=user, power=Power.ADMINISTER, office=world.own.office)
    world.people["sub"] = user
    client = world.client("sub")
    people = text_of(client.get("/accounts/people/"))
    assert "甲测试处经办人" in people
    assert "乙测试处" not in people
    assert "乙测试处" not in text_of(client.get("/accounts/offices/"))
    for url in (
        f"/accounts/people/{world.other.clerk.pk}/",
        f"/accounts/people/{world.other.clerk.pk}/disable/",
        f"/accounts/offices/{world.other.office.pk}/",
        f"/accounts/offices/{world.root.pk}/edit/",
        f"/accounts/memberships/{world.other.membership.pk}/end/",
    ):
        assert client.get(url).status_code == 404, url
        assert client.post(url).status_code in (404, 405), url
    edit = client.get(f"/accounts/offices/{world.own.office.pk}/edit/")
    assert "parent" not in edit.context["form"].fields
    same = client.post(f"/accounts/offices/{world.own.office.pk}/edit/", {"name": "甲测试一处", "position": 1})
    assert same.status_code == 302
    world.own.office.refresh_from_db()
    assert (world.own.office.name, world.own.office.parent) == ("甲测试一处", world.root)
