"""Datasets, people, crops and batches."""
