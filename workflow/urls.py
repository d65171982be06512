"""The screens of the steps, by what they are about."""

from workflow.views import coordination, issuing, scorecards, tasks

app_name = "workflow"
urlpatterns = [*tasks.urlpatterns, *scorecards.urlpatterns, *coordination.urlpatterns, *issuing.urlpatterns]
