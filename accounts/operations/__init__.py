"""What administrators do to people and offices, and what people do to their own accounts.

Every write: check → change → record, in one transaction. A person or an office outside the administrator's reach does
not exist for them (NotVisible). The system itself (commands) may do everything except break the separation of duties.
"""

from accounts.operations.duties import end_membership, give, start_membership, take
from accounts.operations.offices import change_office, create_office, retire_office
from accounts.operations.own import logged_in, logged_out, login_failed, password_changed
from accounts.operations.people import change_user, create_user, disable_user, enable_user, reset_password
from accounts.operations.who import DutiesMixed, OnOneself

__all__ = [
    "DutiesMixed",
    "OnOneself",
    "change_office",
    "change_user",
    "create_office",
    "create_user",
    "disable_user",
    "enable_user",
    "end_membership",
    "give",
    "logged_in",
    "logged_out",
    "login_failed",
    "password_changed",
    "reset_password",
    "retire_office",
    "start_membership",
    "take",
]
