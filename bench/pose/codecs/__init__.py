"""Keypoint representations: how joints become training targets, and network outputs become joints.

`bench.pose.codecs.base` states the interface, `bench.pose.codecs.build` makes a codec from its name.
"""
