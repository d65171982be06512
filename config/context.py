"""What every page's frame shows: who, where, how many unread."""

from django.conf import settings

from accounts.grants import scope_of
from notifications.queries import last_id, unread_count


def page(request):
    base = {"source_url": settings.SOURCE_URL, "version": settings.VERSION}
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return base
    return base | {
        "scope": scope_of(user),
        "unread_count": unread_count(user),
        "last_notification_id": last_id(user),
    }
