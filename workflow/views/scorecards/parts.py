"""What the pages of results share: addresses, what this person may do, the way back."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from accounts.errors import NotVisible, Refusal
from accounts.grants import Scope
from assessments.models import Scorecard

State = Scorecard.State


def link(name: str, *args: object, **query: object) -> str:
    """An address, or nothing while the page is not there. Empty values are left out of the query."""
    try:
        url = reverse(name, args=args)
    except NoReverseMatch:
        return ""
    given = {key: value for key, value in query.items() if value not in (None, "")}
    return f"{url}?{urlencode(given)}" if given else url


@dataclass(frozen=True)
class May:
    """What this person may do on this scorecard: shown here, checked by each operation."""

    score: bool
    finish: bool
    sign: bool
    reopen: bool

    @classmethod
    def on(cls, card: Scorecard, scope: Scope) -> "May":
        assessor = card.office_id in scope.review and card.office_id not in scope.member
        signer = card.office_id in scope.sign
        return cls(
            score=assessor and card.state == State.OPEN,
            finish=assessor and card.state == State.OPEN,
            sign=signer and card.state == State.FINISHED,
            reopen=signer and card.state == State.SIGNED,
        )


def card_crumbs(card: Scorecard, last: str = "") -> list[dict[str, str]]:
    found = [
        {"label": _("得分与结果"), "url": link("workflow:results", year=card.version.year)},
        {"label": f"{card.office} {card.version.year}", "url": reverse("workflow:scorecard", args=[card.pk])},
    ]
    if not last:
        return [found[0], {"label": found[1]["label"], "url": ""}]
    return [*found, {"label": last, "url": ""}]


def refuse(form: forms.Form, refusal: Refusal) -> int:
    """Say at the form why nothing was done, so that what was typed is still there; the status to answer with.

    What may no longer be seen is not explained.
    """
    if isinstance(refusal, NotVisible):
        raise refusal
    form.add_error(None, str(refusal))
    return refusal.status


def number(text: str | None) -> int | None:
    """A key out of an address; anything else is not there."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def card_actions(card: Scorecard, may: May) -> list[dict[str, Any]]:
    found = []
    if may.sign or may.reopen:
        label = _("核对并签批") if may.sign else _("签批情况")
        url = reverse("workflow:scorecard_sign", args=[card.pk])
        found.append({"label": label, "url": url, "icon": "pen", "primary": may.sign})
    for label, name, icon in (
        (_("打印"), "reports:scores_print", "printer"),
        (_("导出 Excel"), "reports:scores_xlsx", "file-earmark-excel"),
    ):
        if url := link(name, card.pk):
            found.append({"label": label, "url": url, "icon": icon})
    return found
