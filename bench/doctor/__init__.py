"""Whether an installation can do its work, and how to fix what keeps it from that: docs/doctor.md.

Nothing is changed: what a check writes into the results folder, to see whether that works, it removes again. The
checks are made in a process of their own, so that one that crashes or hangs is a finding like any other.
"""
