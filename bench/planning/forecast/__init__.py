"""Forecasts of what unfinished trainings take on one kind of hardware, with 90 % intervals. Imports no torch.

The model, and what it takes for granted:

- Time is linear in five kinds of work (`bench.planning.forecast.work`), each at a price of its own that is not
  negative: crops made, megapixels decoded, parameters updated, multiply-adds trained on, multiply-adds of forward
  passes. Prices come from a calibration of the hardware and from finished trainings on it, by least squares of relative
  errors.
- What the prices miss is log-normal. A network is off by the same factor in all of its trainings, so where it was
  measured under other settings, what it was off by there is taken along; of a network never seen, the spread between
  networks is its error.
- A training of which one just like it is on record (all the same but seed, epochs and learning rates) takes the same
  time per instance; prices are not asked. Single evaluations likewise.
- Runs of the same work differ, even where one record alone cannot show it: `prices.REPEAT_SPREAD` is what is assumed
  until records say otherwise.
- Bounds are quantiles of Student's t, with the degrees of freedom that the observations leave.
- In totals, errors with one cause add up and errors with different causes go in quadrature: wrong prices and a wrong
  factor of a network are shared by all trainings that they enter, luck of single runs is not. So a total is relatively
  surer than its parts, but never surer than the calibration.

Not counted: start-up, reading annotations, scoring (where priced by the calibration), waiting in queues. Disk caches
are warm, the machine does nothing else than while it was measured, interrupted trainings are counted whole. What is
unknown, such as the instances of a split, gives no forecast but the reason.
"""
