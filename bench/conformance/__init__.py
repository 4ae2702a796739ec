"""What every backbone, representation, dataset, metric, executor and report format keeps to, as checks.

Tests make them on all built-in entries, and `python -m bench conform NAME` on an extension's. `check` says what a check
is, for the doctor too; `kinds` lists the kinds of entries; each other module has the functions that are the checks of
one kind, whose docstrings say what is to hold. What is looked at:

- backbones: each output that they have, at 64x64 and 96x64 (HxW) or their first input size
- representations: five keypoints and the usual settings, "exact" where the reference has a quirk
- datasets: the skeleton, and the splits that are there
- metrics: made-up instances of each protocol
- report formats: made-up records with hostile texts, and a report without any record
- executors: a training of seconds
"""
