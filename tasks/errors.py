"""Refusals of the tasks room."""

from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal


class WrongState(Refusal):
    """The step does not fit the state the task is in (often: somebody was quicker)."""

    default = _("此事项目前为“{state}”,不能{action}。页面已是旧的,请刷新后查看最新情况。")


class AlreadyAccepted(Refusal):
    default = _("此事项已由{name}于{at}签收,无需再次签收。")


class FileRefused(Refusal):
    """An uploaded file that was not accepted; nothing of it was kept."""

    status = 400
