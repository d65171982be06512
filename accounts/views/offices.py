"""Offices: the tree, one office, and changing it."""

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import forms, operations, queries
from accounts.actors import actor_of
from accounts.grants import scope_of
from accounts.views.pages import crumbs_to, for_administrators, form_page, office_asked


@require_safe
@for_administrators
def offices(request):
    rows = queries.office_tree(scope_of(request.user))
    context = {
        "rows": rows,
        "phantoms": sum(row.phantom for row in rows),
        "headless": sum(row.headless for row in rows),
        "crumbs": crumbs_to(),
    }
    return render(request, "accounts/offices.html", context)


@require_safe
@for_administrators
def office(request, pk: int):
    found = queries.get_office(pk, scope=scope_of(request.user))
    today = timezone.localdate()
    holders = [
        {
            "power": queries.POWER_NAMES[power],
            "user": user,
            "where": where,
            "inherited": where.pk != found.pk,
        }
        for power, user, where in queries.holders_over(found)
    ]
    context = {
        "office": found,
        "retired": found.valid_to is not None and found.valid_to < today,
        "memberships": queries.people_of_office(found),
        "children": found.children.active_on(today),
        "holders": holders,
        "crumbs": crumbs_to((_("机构"), reverse("accounts:offices"))),
    }
    return render(request, "accounts/office.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def office_new(request):
    asked = office_asked(request)
    initial = {"parent": asked["office"]} if asked else {}
    form = forms.NewOfficeForm(request.POST or None, scope=scope_of(request.user), initial=initial)

    def act(data):
        made = operations.create_office(actor=actor_of(request), at=timezone.now(), **data)
        messages.success(request, _("机构“{name}”已建立。").format(name=made))
        return redirect("accounts:office", pk=made.pk)

    return form_page(
        request,
        form,
        act,
        title=_("新建机构"),
        crumbs=crumbs_to((_("机构"), reverse("accounts:offices"))),
        button=_("新建"),
        back=reverse("accounts:offices"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def office_edit(request, pk: int):
    scope = scope_of(request.user)
    found = queries.get_office(pk, scope=scope)
    initial = {"name": found.name, "parent": found.parent_id, "position": found.position}
    form = forms.OfficeForm(request.POST or None, scope=scope, initial=initial)
    if found.parent_id and found.parent_id not in scope.administer:
        # the superior lies outside the administrator's reach: it stays
        del form.fields["parent"]

    def act(data):
        operations.change_office(
            actor=actor_of(request),
            at=timezone.now(),
            office=found,
            name=data["name"],
            parent=data.get("parent", found.parent),
            position=data["position"],
        )
        messages.success(request, _("已保存。"))
        return redirect("accounts:office", pk=pk)

    return form_page(
        request,
        form,
        act,
        title=_("修改机构"),
        hint=_("改变上级机构时,对上级机构的授权随之改变范围。"),
        crumbs=crumbs_to((_("机构"), reverse("accounts:offices")), (str(found), reverse("accounts:office", args=[pk]))),
        button=_("保存"),
        back=reverse("accounts:office", args=[pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def office_retire(request, pk: int):
    found = queries.get_office(pk, scope=scope_of(request.user))
    form = forms.RetireForm(request.POST or None)

    def act(data):
        operations.retire_office(actor=actor_of(request), at=timezone.now(), office=found, **data)
        messages.success(request, _("机构“{name}”已撤销。").format(name=found))
        return redirect("accounts:offices")

    return form_page(
        request,
        form,
        act,
        title=_("撤销“{name}”").format(name=found),
        crumbs=crumbs_to((_("机构"), reverse("accounts:offices")), (str(found), reverse("accounts:office", args=[pk]))),
        button=_("撤销机构"),
        danger=True,
        facts=[
            _("撤销后不能再任职、授权或下达新事项;历年的事项、得分和留痕都保留。"),
            _("还有人任职或有下级机构时不能撤销。"),
        ],
        back=reverse("accounts:office", args=[pk]),
    )
