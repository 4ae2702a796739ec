"""From records to findings: the results frame, uncertainty and verdicts. Imports no torch."""
