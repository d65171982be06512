from django.urls import path

from notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.index, name="list"),
    path("since/", views.since, name="since"),
    path("read/", views.read, name="read"),
]
