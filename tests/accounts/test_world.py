"""The made-up organisation itself: what the other tests rely on."""

from accounts.grants import fresh_scope
from tests.world import PASSWORD


def test_two_alike_offices_do_not_see_each_other(world):
    assert world.readable("clerk") == world.readable("reviewer") == [world.own]
    assert world.readable("coordinator") == world.readable("leader") == [world.own, world.other]
    for role in ("anonymous", "disabled", "administrator", "auditor"):
        assert world.readable(role) == [], role
    assert world.foreign_markers("head") == [world.other.marker]


def test_head_and_password(world):
    assert fresh_scope(world.user("head")).head == {world.own.office.pk}
    assert world.user("clerk").check_password(PASSWORD)
    assert set(world.own.tasks) == {"issued", "accepted", "confirming", "reviewing"}
