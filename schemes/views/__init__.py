"""The notice on the screen: its own table, the matrix, what differs between editions, importing and rolling."""

from schemes.views.comparing import compare
from schemes.views.importing import import_scheme
from schemes.views.reading import matrix, scheme_list, version
from schemes.views.rolling import roll

__all__ = ["compare", "import_scheme", "matrix", "roll", "scheme_list", "version"]
