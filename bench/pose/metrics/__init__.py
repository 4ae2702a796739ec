"""Metrics of keypoint predictions: object keypoint similarity (OKS), OKS-NMS with rescoring, the COCO evaluation."""
