from django.urls import path

from tasks import views

app_name = "tasks"
urlpatterns = [
    path("<int:pk>/draft/", views.draft, name="draft"),
    path("<int:pk>/files/", views.upload, name="upload"),
    path("evidence/<int:pk>/", views.evidence, name="evidence"),
    path("evidence/<int:pk>/remove/", views.evidence_remove, name="evidence_remove"),
]
