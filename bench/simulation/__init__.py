"""Made-up records, for trying reports, claims and gates out without a GPU. None of the numbers is a result.

Every record says that it is simulated, and every report prints that on every page. The numbers come about like this:

- Metrics are those of the published rows that an evaluation answers. Where there is none they are copied from the
  published row of the same protocol that is most alike in representation, backbone, input height and refinement.
- Each training has one random number, drawn from its id and the random state. It moves all its metrics by the same
  log-odds, which is about `spread` points of AP or PCKh in standard deviation.
- A thousand images (instances for MPII) that do not exist are scored one by one, so that intervals and comparisons in
  pairs can be computed. Their AP or mean PCKh is that of the record; metrics without a published value are theirs.
- The mean pose, ceilings, APs of keypoints, kinds of errors and training curves are plain formulas.
- Nobody was predicted and no time was spent: numbers of instances, seconds and hardware say so. There are no weights,
  predictions or images. What only a server scores has no per-image results.
"""
