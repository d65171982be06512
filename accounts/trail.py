"""Where this room's changes are recorded.

The audit trail lies above this room (it names people), so it cannot be imported from here: the composition root names
its `record` in settings.AUDIT_RECORDER. There is no default: a change that cannot be recorded is not made.
"""

from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.module_loading import import_string


def record(**entry: Any) -> None:
    """Append one entry: actor, at, verb, subject, office_id, detail. Inside the transaction of the change."""
    import_string(settings.AUDIT_RECORDER)(**entry)


def kept(label: Any) -> str:
    """A label as the trail keeps it: in Chinese, whatever language the person who acts reads."""
    with translation.override(settings.LANGUAGE_CODE):
        return str(label)
