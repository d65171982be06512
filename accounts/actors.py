"""Who acts, and from where: handed to every operation as `actor=`."""

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.models import User

# stands in the audit trail, and so is not translated
NOT_LOGGED_IN = "未登录"


@dataclass(frozen=True)
class Actor:
    """A person at an address, or the system itself (`user` is None, `label` names the job)."""

    user: User | None
    label: str
    ip: str = ""
    # sent by a browser: without a user it is a stranger, never the system
    from_request: bool = False

    @classmethod
    def person(cls, user: User, *, ip: str = "") -> "Actor":
        return cls(user=user, label=str(user), ip=ip)

    @classmethod
    def system(cls, label: str) -> "Actor":
        return cls(user=None, label=label)

    @property
    def is_system(self) -> bool:
        return self.user is None and not self.from_request

    @property
    def user_id(self) -> int | None:
        return self.user.pk if self.user else None


def address_of(request: HttpRequest) -> str:
    """The client's address as the server saw it. Headers are never read here: anybody can write them.

    Behind a proxy, the server (uvicorn --forwarded-allow-ips) puts the real one into REMOTE_ADDR.
    """
    return (request.META.get("REMOTE_ADDR") or "")[:45]


def actor_of(request: HttpRequest) -> Actor:
    """Who sent this request. Nobody logged in: an actor without a person, who may do nothing."""
    ip = address_of(request)
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Actor(user=None, label=NOT_LOGGED_IN, ip=ip, from_request=True)
    return Actor.person(user, ip=ip)
