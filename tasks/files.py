"""Stored files."""


def sweep_partial_files(*, at):
    return 0
