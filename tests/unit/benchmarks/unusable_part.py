"""A part that cannot be imported."""

raise ImportError("a package is missing")
