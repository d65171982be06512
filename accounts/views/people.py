"""People: the list, one person, and what is done to their account."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts import forms, operations, queries
from accounts.actors import actor_of
from accounts.grants import scope_of
from accounts.views.pages import crumbs_to, for_administrators, form_page, office_asked, people_crumbs

PAGE = 25


@require_safe
@for_administrators
def index(request):
    return redirect("accounts:offices")


@require_safe
@for_administrators
def people(request):
    scope = scope_of(request.user)
    form = forms.SearchForm(request.GET, scope=scope)
    asked = form.cleaned_data if form.is_valid() else {}
    rows = queries.search_people(
        scope,
        text=asked.get("q") or "",
        office_id=asked["office"].pk if asked.get("office") else None,
        status=asked.get("status") or "",
    )
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    powers = queries.powers_of_many([user.pk for user in page.object_list])
    for user in page.object_list:
        user.power_sentences = powers.get(user.pk, [])
    context = {"form": form, "page_obj": page, "filtered": any(asked.values()), "crumbs": crumbs_to()}
    return render(request, "accounts/people.html", context)


@require_safe
@for_administrators
def person(request, pk: int):
    scope = scope_of(request.user)
    user = queries.get_person(pk, scope=scope)
    today = timezone.localdate()
    memberships = queries.memberships_of(user)
    for membership in memberships:
        membership.over = membership.valid_to is not None and membership.valid_to < today
        membership.mine = membership.office_id in scope.administer
    powers = queries.powers_of(user)
    context = {
        "person": user,
        "memberships": memberships,
        "powers": powers,
        "administered": scope.administer,
        "oneself": user.pk == request.user.pk,
        "crumbs": crumbs_to((_("人员"), reverse("accounts:people"))),
    }
    return render(request, "accounts/person.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def person_new(request):
    form = forms.NewPersonForm(request.POST or None, scope=scope_of(request.user), initial=office_asked(request))

    def act(data):
        user, password = operations.create_user(
            actor=actor_of(request),
            at=timezone.now(),
            username=data["username"],
            name=data["name"],
            office=data["office"],
            role=data["role"] or "clerk",
        )
        return _show_password(request, user, password, created=True)

    return form_page(
        request,
        form,
        act,
        title=_("新建人员"),
        hint=_("保存后显示一次性密码,请当面或电话告知本人;首次登录时须改成自己的密码。"),
        crumbs=people_crumbs(),
        button=_("新建"),
        back=reverse("accounts:people"),
    )


def _show_password(request, user, password: str, *, created: bool):
    """Shown in the answer itself and nowhere kept: not in the session, not in a log."""
    context = {"person": user, "password": password, "created": created, "crumbs": people_crumbs(user)}
    response = render(request, "accounts/password.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def person_edit(request, pk: int):
    user = queries.get_person(pk, scope=scope_of(request.user))
    form = forms.PersonForm(request.POST or None, initial={"name": user.name, "username": user.username})

    def act(data):
        operations.change_user(
            actor=actor_of(request), at=timezone.now(), user=user, username=data["username"], name=data["name"]
        )
        messages.success(request, _("已保存。"))
        return redirect("accounts:person", pk=pk)

    return form_page(
        request,
        form,
        act,
        title=_("修改人员"),
        crumbs=people_crumbs(user),
        button=_("保存"),
        back=reverse("accounts:person", args=[pk]),
    )


def _confirmed(request, pk: int, operation, *, title, button, done, facts, danger=True, warning=""):
    """A page that says what will be touched, and does it on POST."""
    user = queries.get_person(pk, scope=scope_of(request.user))
    form = forms.forms.Form(request.POST if request.method == "POST" else None)

    def act(_data):
        operation(actor=actor_of(request), at=timezone.now(), user=user)
        messages.success(request, done.format(name=user))
        return redirect("accounts:person", pk=pk)

    return form_page(
        request,
        form,
        act,
        title=title.format(name=user),
        crumbs=people_crumbs(user),
        button=button,
        danger=danger,
        facts=facts(user),
        warning=warning(user) if warning else "",
        back=reverse("accounts:person", args=[pk]),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def person_disable(request, pk: int):
    def alone(user):
        offices = queries.last_ones_out(user, on=timezone.localdate())
        if not offices:
            return ""
        return _("停用后,{offices}再没有在岗人员,那里的事项将无人可办。请先安排接手的人。").format(
            offices=_("、").join(str(o) for o in offices)
        )

    return _confirmed(
        request,
        pk,
        operations.disable_user,
        title=_("停用{name}"),
        button=_("停用"),
        done=_("已停用{name}。"),
        facts=lambda user: [
            _("立即不能登录,已打开的页面随即断开。"),
            _("任职和权限保留,但不再计入;已办事项和留痕不变。"),
            _("随时可以重新启用。"),
        ],
        warning=alone,
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def person_enable(request, pk: int):
    return _confirmed(
        request,
        pk,
        operations.enable_user,
        title=_("启用{name}"),
        button=_("启用"),
        done=_("已启用{name}。"),
        danger=False,
        facts=lambda user: [_("用原来的密码登录,原有的任职和权限重新生效。")],
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_administrators
def person_reset(request, pk: int):
    user = queries.get_person(pk, scope=scope_of(request.user))
    form = forms.forms.Form(request.POST if request.method == "POST" else None)

    def act(_data):
        password = operations.reset_password(actor=actor_of(request), at=timezone.now(), user=user)
        return _show_password(request, user, password, created=False)

    return form_page(
        request,
        form,
        act,
        title=_("重置{name}的密码").format(name=user),
        crumbs=people_crumbs(user),
        button=_("重置密码"),
        danger=True,
        facts=[
            _("原密码立即失效,所有已登录的电脑和手机退出。"),
            _("因输错密码造成的锁定同时解除。"),
            _("得到的一次性密码只显示一次,本人登录后须改成自己的密码。"),
        ],
        back=reverse("accounts:person", args=[pk]),
    )
