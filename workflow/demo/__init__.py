"""A year of the Jiaxing notice, played through the real operations: what `make demo` shows."""
