"""Keypoint representations: how keypoints become training targets, and network outputs become keypoints.

One file per representation holds a codec class that registers itself by the decorator `codec`. The interface is
`bench.pose.codecs.base`; `bench.pose.codecs.representation` makes a codec from its name.
"""
