"""Pages of the accounts room. Every writing page makes one call of an operation."""

from accounts.views.own import Login, Logout, PasswordChange

__all__ = ["Login", "Logout", "PasswordChange"]
