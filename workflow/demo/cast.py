"""The people of the demonstration. All share one password, printed at the end; production has none of them."""

from dataclasses import dataclass

from accounts.grants import Power, grant
from accounts.models import Membership, Office, User

PASSWORD = "zeren-demo-2026"  # noqa: S105  (a demonstration, printed on purpose)


@dataclass(frozen=True)
class Player:
    username: str
    name: str
    office: str | None = None
    head: bool = False
    powers: tuple[Power, ...] = ()
    words: str = ""


CAST = (
    Player("wangfang", "王芳", "综合处", words="综合处 经办人"),
    Player("chengang", "陈刚", "综合处", head=True, words="综合处 负责人"),
    Player("lina", "李娜", "登记管理处", words="登记管理处 经办人"),
    Player("zhaoqiang", "赵强", "登记管理处", head=True, words="登记管理处 负责人"),
    Player("zhangmin", "张敏", "监督协调处", words="监督协调处 经办人"),
    Player("zhoutao", "周涛", "监督协调处", head=True, words="监督协调处 负责人"),
    Player("liuyang", "刘洋", "机关党支部", words="机关党支部 经办人"),
    Player("sunli", "孙丽", "机关党支部", head=True, words="机关党支部 负责人"),
    Player("wujing", "吴静", powers=(Power.COORDINATE,), words="统筹人员(督办)"),
    Player("zhengkai", "郑凯", powers=(Power.REVIEW,), words="审核评分人员"),
    Player("hexue", "何雪", powers=(Power.REVIEW,), words="审核评分人员"),
    Player("majun", "马俊", powers=(Power.SIGN,), words="领导(签批)"),
    Player("xitong", "系统管理员", powers=(Power.ADMINISTER,), words="系统管理员(不看业务)"),
    Player("shenji", "安全审计员", powers=(Power.AUDIT,), words="安全审计员(只看留痕)"),
)


def assemble(*, unit: Office) -> dict[str, User]:
    """Create whoever is not there yet, in the offices the notice names. Returns username → person."""
    people = {}
    for player in CAST:
        user = User.objects.filter(username=player.username).first()
        if user is None:
            user = User.objects.create_user(player.username, password=PASSWORD, name=player.name)
            if player.office:
                Membership.objects.create(
                    user=user,
                    office=Office.objects.get(name=player.office),
                    role=Membership.Role.HEAD if player.head else Membership.Role.CLERK,
                )
            for power in player.powers:
                grant(user=user, power=power, office=unit)
        people[player.username] = user
    return people
