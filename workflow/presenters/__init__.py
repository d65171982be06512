"""From rows to what a template of the pages of work shows. Nothing here reads a clock; views make the queries."""
