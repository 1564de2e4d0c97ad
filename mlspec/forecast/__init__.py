"""Forecasting on data frames: loading, data checks, features, candidates, backtest, quantiles, inventory. Independent of targets.

Inside this package, columns have Nixtla's names (`unique_id`, `ds`, `y`). The steps in `jobs` rename them to the user's names in
their outputs.
"""
