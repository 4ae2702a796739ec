"""Forecasts of the time of unfinished trainings on one kind of hardware, with 90 % intervals. Imports no torch.

The model and its assumptions:

- Time is linear in five kinds of work (`bench.planning.forecast.work`), each with a non-negative price: crops made,
  megapixels decoded, parameters updated, multiply-adds of training, multiply-adds of forward passes. Prices are fitted
  to a calibration of the hardware and to finished trainings on it, by least squares of relative errors.
- The residuals are log-normal. A network deviates from the prices by the same factor in all of its trainings, so its
  factor is known if it was measured under other settings. For a new network, the error is the spread between networks.
- A training that was done before with the same settings (except seed, epochs and learning rates) takes the same time
  per instance, and prices are not used. The same holds for evaluations.
- Runs of the same work differ by `prices.REPEAT_SPREAD` until records show otherwise.
- Bounds are quantiles of Student's t with the observations' remaining degrees of freedom.
- In totals, errors with the same cause add up, and errors with different causes are added in quadrature. Errors of
  prices and of a network's factor are shared by all trainings that use them; the variation of single runs is not. So a
  total is relatively more certain than its parts, but never more certain than the calibration.

Not included: start-up, reading annotations, scoring (if priced by the calibration), waiting in queues. It assumes warm
disk caches and no more load than during the measurement. Interrupted trainings are counted as a whole. If something
is unknown, such as the size of a split, there is a reason instead of a forecast.
"""
