"""Datasets, instances, crops and batches."""
