"""Checks of backbones, representations, datasets, metrics, executors, report formats and loggers.

Tests run them on all built-in entries, and `python -m bench conform NAME` on an extension's. `kinds` lists the kinds of
entries. Each other module has the checks of one kind: functions whose docstrings say what must hold. They check:

- backbones: each output that they have, at 64x64 and 96x64 (HxW) or their first input size
- representations: five keypoints and the usual settings, "exact" where the reference has a quirk
- datasets: the skeleton, and the splits that are there
- metrics: made-up instances of each protocol
- report formats: made-up records with hostile texts, and a report without any record
- executors: a training of seconds
- loggers: made-up trainings, some of which stop and go on
"""
