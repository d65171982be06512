"""Every address. tests/permissions.yaml must hold an expectation for each."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language

from accounts import views as account_views
from config import views
from workflow.views.home import home

urlpatterns = [
    path("", home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("i18n/setlang/", login_not_required(set_language), name="set_language"),
    path("about/source/", views.source, name="source"),
    path("login/", account_views.Login.as_view(), name="login"),
    path("logout/", account_views.Logout.as_view(), name="logout"),
    path("password/", account_views.PasswordChange.as_view(), name="password_change"),
    path("accounts/", include("accounts.urls")),
    path("notifications/", include("notifications.urls")),
    path("schemes/", include("schemes.urls")),
    path("tasks/", include("tasks.urls")),
    path("assessments/", include("assessments.urls")),
    path("work/", include("workflow.urls")),
    path("reports/", include("reports.urls")),
    path("audit/", include("audit.urls")),
]

handler400 = "config.views.bad_request"
handler403 = "config.views.forbidden"
handler404 = "config.views.not_found"
handler500 = "config.views.server_error"
