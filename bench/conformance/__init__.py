"""What every backbone, representation, dataset, metric, executor and report format keeps to, as checks.

Tests run them on all built-in entries, and `python -m bench conform NAME` on an extension's. Each module has the checks
of one kind; `kinds` lists the kinds. A check is named in the output by what it holds to:

- backbones: shapes, gradients, determinism, independence (of the others in a batch), checkpoints, normalisation (with
  the layers given), cost, learning
- representations: loss, fitting (an output that minimises the loss decodes to the joints), ideal outputs, visibility,
  batches (their loss is the mean of their people's), encoding, mirrored views, decoding, determinism
- datasets: skeleton; of each split opening, annotations, images, joints, repetition, truth (scores best), crops
- metrics: of each protocol values, determinism, order, arguments, sensitivity
- report formats: files, determinism, escaping, an empty report
- executors: dry run, run, weights (those of the local executor), repetition
"""
