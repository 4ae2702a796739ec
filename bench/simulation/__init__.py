"""Made-up records, for trying reports, claims and gates out without a GPU. Nothing of them is a result.

Every record says that it is simulated, and every report prints it on every page. How the numbers come about:

- An evaluation that answers published rows has their metrics. Any other has, on the scale of log-odds, the mean of the
  published rows of its protocol, weighted by how alike they are in backbone, input height, multiply-adds,
  representation and refinement; that is a guess, and settings beyond these, such as splitting factors, make no
  difference.
- AP by OKS threshold falls in two straight lines of log-odds, through the published AP50 and AP75, so that its mean is
  AP; where these are not published its shape is the mean of those that are. Other metrics that the paper does not
  print follow from AP by their mean distance in the rows that print both; recalls follow precisions as AR follows AP.
- A training's luck, one number from a normal distribution that depends on its id and on the random state alone, moves
  all its metrics by the same log-odds: about `spread` points of AP or PCKh in standard deviation.
- A thousand images (instances, for MPII) that do not exist are then judged one by one so that AP and AR, or the columns
  of PCKh, come out as they should, and the record's metrics are those of these per-instance results, as a measured
  record's are. Which instances are easy is partly common to all trainings. What only a server scores has no
  per-instance results.
- Ceilings are those measured on ground truth that was encoded and decoded again (OKS only); the mean pose is given a
  low constant. AP of keypoints, errors and training curves have plausible shapes that agree with AP.
- Nobody was predicted and no time was spent: instances, seconds and hardware say so. There are no weights, predictions
  or images.
"""
