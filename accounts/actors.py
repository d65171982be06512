"""Who acts, and from where: handed to every operation as `actor=`."""

from dataclasses import dataclass

from accounts.models import User


@dataclass(frozen=True)
class Actor:
    """A person at an address, or the system itself (`user` is None, `label` names the job)."""

    user: User | None
    label: str
    ip: str = ""

    @classmethod
    def person(cls, user: User, *, ip: str = "") -> "Actor":
        return cls(user=user, label=str(user), ip=ip)

    @classmethod
    def system(cls, label: str) -> "Actor":
        return cls(user=None, label=label)

    @property
    def is_system(self) -> bool:
        return self.user is None

    @property
    def user_id(self) -> int | None:
        return self.user.pk if self.user else None
