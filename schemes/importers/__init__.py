"""From a scheme file to a document that was checked."""

from schemes.document import Document
from schemes.importers.check import check
from schemes.importers.problems import Problem
from schemes.importers.yaml_file import UnreadableFile, read_yaml


def read_document(raw: bytes) -> tuple[Document | None, list[Problem]]:
    """The document, or None and every problem of the file at once."""
    try:
        source = read_yaml(raw)
    except UnreadableFile as error:
        return None, error.problems
    return check(source)


__all__ = ["Document", "Problem", "read_document"]
