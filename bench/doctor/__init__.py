"""Whether an installation can do its work, and what to do about what keeps it from that: docs/doctor.md.

Nothing is changed: what a check writes to see whether that works, it removes again. The checks are made in a process of
their own, so that one that crashes or hangs is an outcome like any other.
"""
