from django.apps import AppConfig


class WorkflowConfig(AppConfig):
    name = "workflow"
    verbose_name = "流程"

    def ready(self) -> None:
        from workflow import flows  # noqa: F401  (viewflow registers its flows at import)
