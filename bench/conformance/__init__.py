"""What every backbone, representation, dataset, metric, executor and report format keeps to, as checks.

Tests make them on all built-in entries, and `python -m bench conform NAME` on an extension's. Each module has the
checks of one kind; `kinds` lists the kinds. By the names that the command prints they are:

- backbones, with each output that they have, at 64x64 and 96x64 (HxW) or their first input size: shapes, gradients,
  determinism, independence (of the others in a batch, to 1e-4 of the largest output), checkpoints, normalization (with
  the layers given), cost, learning (15 % of the loss within 30 steps of Adam)
- representations, with five keypoints and the usual settings, "exact" where the reference has a quirk: loss, fitting
  (an output that minimises the loss decodes to the keypoints, within half a cell's diagonal or a bin along each axis),
  ideal outputs, visibility, batches (their loss is the mean of their instances's, as processes that share one need it),
  encoding, flipped views (within a cell or bin and 1 px), decoding, determinism
- datasets: skeleton; and of each split opening, annotations, images, keypoints, repetition, truth (scores best), crops
- metrics: protocols; and of each values, determinism, order, arguments (stay as they are), sensitivity
- report formats: files (stay inside the report's folder), determinism, escaping (in HTML), an empty report
- executors: dry run (writes nothing), run, weights (those of the local executor, to the bit), repetition
"""
