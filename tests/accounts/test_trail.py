"""What changes people is recorded, or not done."""

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.operations import create_user


def test_a_change_that_cannot_be_recorded_is_not_made(world, settings):
    settings.AUDIT_RECORDER = "audit.operations.nowhere"
    with pytest.raises(ImportError):
        create_user(actor=world.actor("administrator"), at=timezone.now(), username="newcomer", name="新人")
    assert not User.objects.filter(username="newcomer").exists()
