"""Capsules: results in one file that anybody can check and recompute.

manifest.json                what is in it: name, size and sha256 of every other member
suite.yaml                   as it was planned
trainings/ID/                spec.json  training.json
evaluations/ID/              spec.json  record.json  predictions.json  per_instance.npz  server.json
                             (variants have no predictions, and per_instance.npz only if it is not the evaluation's)
croissant.json               its dataset: files and hashes, for tools that read Croissant
model-index.yaml             its results for model cards on Hugging Face
ro-crate-metadata.json       all other members, the software, and which command made what, as an RO-Crate
report/                      of the suite, as `bench report` writes it
"""
