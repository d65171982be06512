"""The overdue scan."""


def scan(*, at):
    return 0
