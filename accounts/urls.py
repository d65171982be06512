from django.urls import path

from accounts.views import duties, offices, people

app_name = "accounts"
urlpatterns = [
    path("", people.index, name="index"),
    path("people/", people.people, name="people"),
    path("people/new/", people.person_new, name="person_new"),
    path("people/<int:pk>/", people.person, name="person"),
    path("people/<int:pk>/edit/", people.person_edit, name="person_edit"),
    path("people/<int:pk>/disable/", people.person_disable, name="person_disable"),
    path("people/<int:pk>/enable/", people.person_enable, name="person_enable"),
    path("people/<int:pk>/password/", people.person_reset, name="person_reset"),
    path("people/<int:pk>/membership/", duties.membership_start, name="membership_start"),
    path("people/<int:pk>/give/", duties.power_give, name="power_give"),
    path("people/<int:pk>/take/", duties.power_take, name="power_take"),
    path("memberships/<int:pk>/end/", duties.membership_end, name="membership_end"),
    path("offices/", offices.offices, name="offices"),
    path("offices/new/", offices.office_new, name="office_new"),
    path("offices/<int:pk>/", offices.office, name="office"),
    path("offices/<int:pk>/edit/", offices.office_edit, name="office_edit"),
    path("offices/<int:pk>/retire/", offices.office_retire, name="office_retire"),
]
