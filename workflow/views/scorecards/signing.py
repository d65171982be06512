"""The leader: what waits for a signature, signing exactly what is shown, sending back, reopening."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actors import actor_of
from accounts.errors import BadInput, NotAllowed, NotVisible, Refusal, Stale
from accounts.grants import Scope, scope_of
from assessments import operations as assessments
from assessments.errors import WrongPassword
from assessments.models import Scorecard, SignOff
from assessments.queries import get_card, signature_of, signatures_of, to_sign
from scoring.points import format_points
from workflow import operations as workflow
from workflow.score_presenters.card import view_of
from workflow.score_presenters.layout import exceptions_of
from workflow.score_presenters.words import (
    badge,
    grouped_digest,
    points_words,
    short_digest,
    signed,
)
from workflow.scorecard_forms import ReasonForm, SignForm
from workflow.views.scorecards.parts import May, State, card_actions, card_crumbs, number, refuse


def bundle_line(card: Scorecard, scope: Scope) -> dict[str, Any]:
    view = view_of(card)
    found = exceptions_of(view.lines)
    past = [signature for signature in signatures_of(card) if signature.withdrawn_at is not None]
    return {
        "card": card,
        "view": view,
        "badge": badge(card),
        "url": reverse("workflow:scorecard_sign", args=[card.pk]),
        "exceptions": found,
        "counts": {kind: sum(item.kind == kind for item in found) for kind in ("open", "veto", "zero", "cost")},
        "past": past_words(card, past[-1]) if past else "",
        "grave": any(item.kind in ("open", "veto") for item in found),
    }


def past_words(card: Scorecard, past: SignOff) -> str:
    """What is different from what was signed before."""
    if past.digest == assessments.digest_of(card):
        return _("与上次签批的内容完全一致")
    if card.earned is not None and card.earned != past.earned:
        before, after, change = (
            format_points(past.earned),
            format_points(card.earned),
            signed(card.earned - past.earned),
        )
        return _("上次签批 {before} 分,现为 {after} 分({change})").format(before=before, after=after, change=change)
    return _("得分与上次签批相同,但考核事实或依据有变动")


@require_safe
def sign_list(request: HttpRequest) -> HttpResponse:
    """待签批: a bundle, exceptions first."""
    scope = scope_of(request.user)
    if not scope.sign:
        raise NotVisible()
    lines = [bundle_line(card, scope) for card in to_sign(scope)]
    lines.sort(key=lambda line: (not line["grave"], not line["past"], not line["exceptions"]))
    standing = []
    cards = Scorecard.objects.filter(state=State.SIGNED, office_id__in=scope.sign).select_related("office", "version")
    for card in cards.order_by("-held_since", "pk"):
        signature = signature_of(card)
        standing.append(
            {
                "card": card,
                "signature": signature,
                "earned": points_words(card.earned),
                "points": points_words(card.max_points),
                "digest": short_digest(signature.digest) if signature else "",
                "changed": signature is None or signature.digest != assessments.digest_of(card),
                "url": reverse("workflow:scorecard_sign", args=[card.pk]),
            }
        )
    standing.sort(key=lambda line: not line["changed"])
    waiting = Scorecard.objects.filter(state=State.OPEN, office_id__in=scope.sign).select_related("office", "version")
    context = {
        "lines": lines,
        "standing": standing,
        "open": list(waiting.order_by("office__position", "pk")),
        "results_url": reverse("workflow:results"),
    }
    return render(request, "workflow/sign.html", context)


def sign_context(request: HttpRequest, card: Scorecard, scope: Scope, **more: Any) -> dict[str, Any]:
    # the digest first: whatever changes while the page is put together makes it refuse, never sign something unseen
    digest = assessments.digest_of(card)
    view = view_of(card)
    history = signatures_of(card)
    past = [signature for signature in history if signature.withdrawn_at is not None]
    signature = next((s for s in history if s.withdrawn_at is None), None)
    return {
        "card": card,
        "view": view,
        "narrow": view,
        "badge": badge(card),
        "may": May.on(card, scope),
        "digest": digest,
        "digest_short": short_digest(digest),
        "digest_full": grouped_digest(digest),
        "exceptions": exceptions_of(view.lines),
        "signature": signature,
        "signature_digest": grouped_digest(signature.digest) if signature else "",
        "signature_short": short_digest(signature.digest) if signature else "",
        "changed": signature is not None and signature.digest != digest,
        "past": past,
        "past_words": past_words(card, past[-1]) if past and signature is None else "",
        "draft": card.state != State.SIGNED,
        "recordable": set(),
        "crumbs": card_crumbs(card, _("签批")),
        "actions": [a for a in card_actions(card, May.on(card, scope)) if "sign" not in a["url"]],
        "form": SignForm.of(card, digest),
        "back_form": ReasonForm(prefix="back", label=_("退回理由"), help_text=_("写明哪一项需要重新核实")),
        "reopen_form": ReasonForm(
            prefix="reopen", label=_("重新打开的理由"), help_text=_("签批随即撤回,得分表回到评分中")
        ),
    } | more


def signable(request: HttpRequest, card_id: int) -> tuple[Scorecard, Scope]:
    scope = scope_of(request.user)
    card = get_card(card_id, scope=scope)
    if card.office_id not in scope.sign:
        raise NotAllowed(_("签批由分管领导办理,您没有签批的权限。"))
    return card, scope


def _is_signer(request: HttpRequest, password: str) -> bool:
    """Whether it is this person's password. Asked as a login is, so that wrong tries count towards the same lock."""
    return authenticate(request, username=request.user.get_username(), password=password) == request.user


@require_http_methods(["GET", "HEAD", "POST"])
def sign(request: HttpRequest, card_id: int) -> HttpResponse:
    """签批 of exactly what is shown, with the password once more."""
    card, scope = signable(request, card_id)
    if request.method != "POST":
        return render(request, "workflow/scorecard_sign.html", sign_context(request, card, scope))
    form = SignForm(request.POST)
    status = 400
    if form.is_valid():
        try:
            workflow.sign_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                revision=form.cleaned_data["revision"],
                digest=form.cleaned_data["digest"],
                password_ok=_is_signer(request, form.cleaned_data["password"]),
                opinion=form.cleaned_data["opinion"],
            )
        except WrongPassword as refusal:
            form.add_error("password", str(refusal))
            status = refusal.status
        except BadInput as refusal:
            for name, texts in refusal.problems.items():
                for text in texts:
                    form.add_error(name if name in form.fields else None, text)
        except Stale:
            return changed_page(request, card)
        else:
            messages.success(request, _("已签批:{office}。").format(office=card.office))
            return redirect("workflow:scorecard_sign", card_id=card.pk)
    context = sign_context(request, card, scope)
    if form.data.get("digest") != context["digest"]:
        return changed_page(request, card)
    return render(request, "workflow/scorecard_sign.html", context | {"form": form}, status=status)


def changed_page(request: HttpRequest, card: Scorecard) -> HttpResponse:
    """409: what was on the screen is no longer what the database holds."""
    context = {
        "card": card,
        "opinion": request.POST.get("opinion", ""),
        "url": reverse("workflow:scorecard_sign", args=[card.pk]),
    }
    return render(request, "workflow/sign_changed.html", context, status=409)


def kept(form: ReasonForm, *, shown: bool) -> ReasonForm | None:
    """The form whose text is shown read-only, because the page no longer offers the form itself."""
    return None if shown else form


@require_POST
def send_back(request: HttpRequest, card_id: int) -> HttpResponse:
    """退回重评, with a reason."""
    card, scope = signable(request, card_id)
    form, status = ReasonForm(request.POST, prefix="back", label=_("退回理由")), 400
    try:
        if form.is_valid():
            workflow.send_back_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                revision=number(request.POST.get("revision")),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, _("{office}的得分表已退回重新评分。").format(office=card.office))
            return redirect("workflow:sign")
    except BadInput as refusal:
        form.add_error("reason", str(refusal))
    except Refusal as refusal:
        status = refuse(form, refusal)
        card = get_card(card_id, scope=scope)
    context = sign_context(request, card, scope, back_form=form, kept=kept(form, shown=May.on(card, scope).sign))
    return render(request, "workflow/scorecard_sign.html", context, status=status)


@require_POST
def reopen(request: HttpRequest, card_id: int) -> HttpResponse:
    """Withdraw the signature, with a reason."""
    card, scope = signable(request, card_id)
    form, status = ReasonForm(request.POST, prefix="reopen", label=_("重新打开的理由")), 400
    try:
        if form.is_valid():
            workflow.reopen_scorecard(
                scorecard_id=card.pk,
                actor=actor_of(request),
                at=timezone.now(),
                reason=form.cleaned_data["reason"],
            )
            messages.success(request, _("签批已撤回,{office}的得分表回到评分中。").format(office=card.office))
            return redirect("workflow:scorecard", card_id=card.pk)
    except BadInput as refusal:
        form.add_error("reason", str(refusal))
    except Refusal as refusal:
        status = refuse(form, refusal)
        card = get_card(card_id, scope=scope)
    context = sign_context(request, card, scope, reopen_form=form, kept=kept(form, shown=May.on(card, scope).reopen))
    return render(request, "workflow/scorecard_sign.html", context, status=status)
