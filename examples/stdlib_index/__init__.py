"""An index of this machine's Python standard library, made by one task for each of its files."""
