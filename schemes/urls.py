from django.urls import path

from schemes import views

app_name = "schemes"
urlpatterns = [
    path("", views.scheme_list, name="list"),
    path("import/", views.import_scheme, name="import"),
    path("<slug:key>/compare/", views.compare, name="compare"),
    path("<slug:key>/<int:year>/<int:number>/", views.version, name="version"),
    path("<slug:key>/<int:year>/<int:number>/matrix/", views.matrix, name="matrix"),
    path("<slug:key>/<int:year>/<int:number>/roll/", views.roll, name="roll"),
]
