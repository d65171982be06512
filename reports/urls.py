from django.urls import path

from reports.views import scores
from reports.views.breakdown import breakdown_print, breakdown_xlsx
from reports.views.late import late_xlsx

app_name = "reports"
urlpatterns = [
    path("breakdown/<int:version_id>/", breakdown_print, name="breakdown_print"),
    path("breakdown/<int:version_id>/xlsx/", breakdown_xlsx, name="breakdown_xlsx"),
    path("late/xlsx/", late_xlsx, name="late_xlsx"),
    *scores.urlpatterns,
]
