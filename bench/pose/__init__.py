"""The pose library: skeletons, geometry, codecs, models, data, metrics, training and inference.

Usable from Python alone; it imports nothing else of `bench`.
"""
