"""Keypoint representations: how keypoints become training targets, and network outputs become keypoints.

`bench.pose.codecs.base` states the interface, `bench.pose.codecs.build` makes a codec from its name.
"""
