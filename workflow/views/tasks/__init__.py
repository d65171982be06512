"""The pages of tasks: the list, one task with its steps, and the review of what was filed."""

from django.urls import path

from workflow.views.tasks.filing import task_confirm, task_submit
from workflow.views.tasks.listing import task_list
from workflow.views.tasks.page import accept_many, task, task_accept
from workflow.views.tasks.review import review_next, task_review

urlpatterns = [
    path("tasks/", task_list, name="tasks"),
    path("tasks/accept/", accept_many, name="accept_many"),
    path("tasks/<int:pk>/", task, name="task"),
    path("tasks/<int:pk>/accept/", task_accept, name="task_accept"),
    path("tasks/<int:pk>/submit/", task_submit, name="task_submit"),
    path("tasks/<int:pk>/confirm/", task_confirm, name="task_confirm"),
    path("tasks/<int:pk>/review/", task_review, name="task_review"),
    path("review/", review_next, name="review"),
]
