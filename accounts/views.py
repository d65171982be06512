from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView


class Login(LoginView):
    pass


class Logout(LogoutView):
    pass


class PasswordChange(PasswordChangeView):
    pass
