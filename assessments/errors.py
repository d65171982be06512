"""Refusals of the assessments room."""

from django.utils.translation import gettext_lazy as _

from accounts.errors import NotAllowed, Refusal, Stale


class AlreadyDecided(Refusal):
    """Two people decided the same submission: the first decision stands, the second person is told whose it is."""

    default = _(
        "这次报送已由{name}于{at}办理“{stage}”,结论为“{outcome}”。您填写的意见没有作为结论保存,请刷新后查看最新情况。"
    )


class OwnOffice(NotAllowed):
    default = _("您是{office}的成员,不能{action}本处室的事项。请由其他审核评分人员办理。")


class OwnSubmission(NotAllowed):
    default = _("这次报送由您本人报送或确认,不能由您{action}。请由{who}办理。")


class NoPower(NotAllowed):
    default = _("您没有对{office}“{power}”的权限,不能{action}。请联系统筹人员授权,或请有此权限的人员办理。")


class CardWrongState(Refusal):
    """The step does not fit the state the scorecard is in."""

    default = _("{office}的得分表目前为“{state}”,不能{action}。请刷新后查看最新情况。")


class CardClosed(Refusal):
    """Findings change only an open scorecard; the message says who has to open it, and how."""

    default = _("{office}的得分表目前为“{state}”,不能再改动考核事实。{how}")


class SharedRowClosed(Refusal):
    """The change would alter another office's finished or signed scorecard."""

    default = _("此项的得分同时记在{office}的得分表上,该表目前为“{state}”。{how}")


class SignerInvolved(NotAllowed):
    """Who scored or filed does not sign."""

    default = _("您{why},不能再签批这份得分表。{who}")


class WrongPassword(NotAllowed):
    default = _("密码不正确,没有签批。请重新输入您的登录密码后再签。")


class DigestChanged(Stale):
    default = _("得分表在您打开页面之后有变动,没有签批。请重新核对最新的得分后再签。")


class TokenUsed(Refusal):
    default = _("这份表单已经用于另一条记录,没有重复保存。请刷新页面后重新填写。")


class AlreadyVoided(Refusal):
    default = _("这条考核事实已由{name}于{at}撤销,无需再次撤销。")


class NotIssued(Refusal):
    default = _("方案尚未下达,不能建立得分表。请先下达方案。")


class NobodyAnswers(Refusal):
    """Points without an office on whose card they could stand: refuse rather than lose them."""

    default = _("以下各项没有可以计分的责任部门,不能建立得分表:{rows}。请先在方案中指定责任部门。")
