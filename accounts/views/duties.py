"""Who works where, and who may what."""

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts import forms, operations, queries
from accounts.actors import actor_of
from accounts.grants import scope_of
from accounts.views.pages import for_administrators, form_page, people_crumbs


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def membership_start(request, pk: int):
    scope = scope_of(request.user)
    user = queries.get_person(pk, scope=scope)
    form = forms.MembershipForm(request.POST or None, scope=scope)

    def act(data):
        operations.start_membership(actor=actor_of(request), at=timezone.now(), user=user, **data)
        messages.success(request, _("{name}已到{office}任职。").format(name=user, office=data["office"]))
        return redirect("accounts:person", pk=pk)

    return form_page(
        request,
        form,
        act,
        title=_("{name}任职").format(name=user),
        hint=_("任职后即可看到并办理该机构的全部事项。"),
        crumbs=people_crumbs(user),
        button=_("保存"),
        back=reverse("accounts:person", args=[pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def membership_end(request, pk: int):
    membership = queries.get_membership(pk, scope=scope_of(request.user))
    user, office = membership.user, membership.office
    form = forms.EndMembershipForm(request.POST or None)
    alone = office in queries.last_ones_out(user, on=timezone.localdate())

    def act(data):
        operations.end_membership(actor=actor_of(request), at=timezone.now(), membership=membership, **data)
        messages.success(request, _("{name}在{office}的任职已办理结束。").format(name=user, office=office))
        return redirect("accounts:person", pk=user.pk)

    return form_page(
        request,
        form,
        act,
        title=_("{name}离任").format(name=user),
        crumbs=people_crumbs(user),
        button=_("办理离任"),
        danger=True,
        facts=[
            _("不再看到“{office}”的事项;已报送的内容和留痕不变。").format(office=office),
            _("未办结的事项仍归“{office}”,由在岗的同事继续办理。").format(office=office),
        ],
        warning=_("此人是“{office}”唯一在岗的人,离任后那里的事项将无人可办。请先安排接手的人。").format(office=office)
        if alone
        else "",
        back=reverse("accounts:person", args=[user.pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def power_give(request, pk: int):
    scope = scope_of(request.user)
    user = queries.get_person(pk, scope=scope)
    form = forms.PowerForm(request.POST or None, scope=scope)

    def act(data):
        new = operations.give(actor=actor_of(request), at=timezone.now(), user=user, **data)
        text = _("已授权。") if new else _("{name}早已有这项权限,没有变化。").format(name=user)
        messages.success(request, text)
        return redirect("accounts:person", pk=pk)

    return form_page(
        request,
        form,
        act,
        title=_("给{name}授权").format(name=user),
        crumbs=people_crumbs(user),
        button=_("授权"),
        back=reverse("accounts:person", args=[pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def power_take(request, pk: int):
    scope = scope_of(request.user)
    user = queries.get_person(pk, scope=scope)
    given = request.POST if request.method == "POST" else request.GET
    form = forms.TakeForm(given, scope=scope)
    if not form.is_valid():
        raise Http404
    power, office = form.cleaned_data["power"], form.cleaned_data["office"]

    def act(data):
        operations.take(actor=actor_of(request), at=timezone.now(), user=user, **data)
        messages.success(request, _("权限已收回。"))
        return redirect("accounts:person", pk=pk)

    name = queries.POWER_NAMES[queries.Power(power)]
    return form_page(
        request,
        form,
        act,
        title=_("收回{name}的权限").format(name=user),
        crumbs=people_crumbs(user),
        button=_("收回"),
        danger=True,
        facts=[
            _("收回对“{office}”及其下级机构的“{power}”权限。").format(office=office, power=name),
            _("从下一次打开页面起生效;此前作出的决定仍然有效。"),
        ],
        back=reverse("accounts:person", args=[pk]),
    )
