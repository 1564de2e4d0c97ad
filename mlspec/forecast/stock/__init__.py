"""Stock levels from forecasts and their past errors, and a simulation of what they would have done.

A level has to last for a protection interval: the lead time and a review period. `origins` holds past forecasts as arrays,
`classes` sorts series by their demand, `error_sizes` says how large the errors of each series are, `safety_factors` how many of
these sizes a service takes, `levels` puts them together, and `simulation` orders by them on the actuals of the backtest.
"""
