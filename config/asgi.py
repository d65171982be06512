"""The one server: pages, live pushes, and (embedded engine) the jobs, in one process."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402  (settings must be ready first)

from config.lifespan import Lifespan  # noqa: E402
from notifications.routing import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {"http": django_application, "websocket": websocket_application(), "lifespan": Lifespan()}
)
