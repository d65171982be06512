"""The screens of the steps, by what they are about."""

from workflow.views import coordination, scorecards, tasks

app_name = "workflow"
urlpatterns = [*tasks.urlpatterns, *scorecards.urlpatterns, *coordination.urlpatterns]
