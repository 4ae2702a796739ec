"""The gate: whether a suite still measures what a committed baseline says. Reads records only; imports no torch."""
