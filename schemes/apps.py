from django.apps import AppConfig


class SchemesConfig(AppConfig):
    name = "schemes"
    label = "schemes"
    verbose_name = "考核方案"
