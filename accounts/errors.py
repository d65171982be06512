"""Refusals. Every message says in Chinese what was wrong and how to go on; rooms above subclass these."""

from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """An operation that was not done, with a message for the person who asked. Nothing was changed.

    `status` is the HTTP status a page answers with.
    """

    status = 409
    default = _("此操作没有完成,请刷新页面后再试。")

    def __init__(self, message=None, **params):
        self.message = message or self.default
        self.params = params
        super().__init__(str(self.message))

    def __str__(self) -> str:
        text = str(self.message)
        return text.format(**self.params) if self.params else text


class NotAllowed(Refusal):
    """The actor may see the object but may not do this to it."""

    status = 403
    default = _("您没有办理此事项的权限。如认为应当由您办理,请联系统筹人员。")


class NotVisible(Refusal):
    """The object does not exist for this actor (a foreign object answers 404, not 403)."""

    status = 404
    default = _("没有找到这个事项,或它不属于您的处室。")


class Stale(Refusal):
    """Somebody else changed the object since the page was opened."""

    default = _("这一事项在您打开页面之后已有变化,您填写的内容已为您保留。请核对最新情况后再提交。")


class BadInput(Refusal):
    """What was typed cannot be accepted; `problems` maps a field name to its messages."""

    status = 400

    def __init__(self, problems: dict[str, list[str]]):
        self.problems = problems
        super().__init__(_("；").join(str(m) for ms in problems.values() for m in ms))
