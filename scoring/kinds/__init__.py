"""One module per family of rule kinds; a kind is a frozen dataclass with its evaluate function, registered here."""
