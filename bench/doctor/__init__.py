"""Checks of an installation, with advice: docs/doctor.md.

Nothing is changed: files written as a test are removed. The checks run in a separate process, so that a crash or hang
is an outcome like any other.
"""
