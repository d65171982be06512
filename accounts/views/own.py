"""Logging in and out, and choosing a password."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.db import transaction
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from accounts import forms, operations
from accounts.actors import actor_of


@method_decorator(login_not_required, name="dispatch")
class Login(LoginView):
    """The session key is renewed by django's login(); five wrong passwords lock the name (axes)."""

    authentication_form = forms.LoginForm

    def form_valid(self, form):
        with transaction.atomic():
            response = super().form_valid(form)
            operations.logged_in(actor=actor_of(self.request), at=timezone.now())
        return response

    def form_invalid(self, form):
        username = self.request.POST.get("username", "")
        if username and self.request.POST.get("password"):
            with transaction.atomic():
                operations.login_failed(
                    actor=actor_of(self.request),
                    at=timezone.now(),
                    username=username,
                    locked=bool(getattr(self.request, "axes_locked_out", False)),
                )
        return super().form_invalid(form)


@method_decorator(login_not_required, name="dispatch")
class Logout(LogoutView):
    """By POST only. Somebody already logged out is led to the login page."""

    def post(self, request, *args, **kwargs):
        if not request.user.is_authenticated:
            return super().post(request, *args, **kwargs)
        with transaction.atomic():
            operations.logged_out(actor=actor_of(request), at=timezone.now())
            return super().post(request, *args, **kwargs)


class PasswordChange(PasswordChangeView):
    """Ends every other session of the person (their session hash covers the password)."""

    form_class = forms.NewPasswordForm
    success_url = reverse_lazy("home")

    def form_valid(self, form):
        with transaction.atomic():
            response = super().form_valid(form)
            operations.password_changed(actor=actor_of(self.request), at=timezone.now())
        messages.success(self.request, _("密码已修改,下次登录请用新密码。"))
        return response
