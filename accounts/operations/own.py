"""What people do to their own account."""

from datetime import datetime

from accounts.actors import Actor
from accounts.models import User
from accounts.operations.who import locked_person
from accounts.trail import record


def logged_in(*, actor: Actor, at: datetime) -> None:
    record(actor=actor, at=at, verb="account.logged_in", subject=actor.user)


def logged_out(*, actor: Actor, at: datetime) -> None:
    record(actor=actor, at=at, verb="account.logged_out", subject=actor.user)


def login_failed(*, actor: Actor, at: datetime, username: str, locked: bool) -> None:
    """A failed try. What was typed is kept only where it names an account: else it may be a mistyped password."""
    known = User.objects.filter(username__iexact=username.strip()[:150]).first()
    record(
        actor=actor,
        at=at,
        verb="account.login_failed",
        subject=known or User(),
        detail={"username": known.username if known else "", "known": known is not None, "locked": locked},
    )


def password_changed(*, actor: Actor, at: datetime) -> None:
    """After the person has chosen a password of their own."""
    user = locked_person(actor.user)
    if user.must_change_password:
        user.must_change_password = False
        user.save(update_fields=["must_change_password"])
    record(actor=actor, at=at, verb="account.password_changed", subject=user)
