"""Refusals of the schemes room."""

from django.utils.translation import gettext_lazy as _

from accounts.errors import BadInput, Refusal
from schemes.importers.problems import Problem


class SchemeRefused(BadInput):
    """A scheme file with problems: nothing of it was imported. `places` are all of them, in the order of the file."""

    def __init__(self, places: list[Problem]) -> None:
        self.places = places
        super().__init__({"file": [str(place) for place in places]})


class SchemeNotFound(Refusal):
    status = 404
    default = _("没有找到考核方案“{key}”。请核对代号,或先导入方案文件。")


class AlreadyIssued(Refusal):
    """Another edition of the same year is in force."""

    default = _("{year}年度的方案第{number}版已经下达,不能再下达另一版;个别事项可用“临时交办”补充。")


class UnitMissing(Refusal):
    default = _("机构“{name}”还没有建立,请系统管理员先建立被考核单位,再导入方案。")
