"""The science on data frames: load, check, features, candidates, backtest, quantiles, inventory; knows no cloud.

Inside, columns have Nixtla's names (`unique_id`, `ds`, `y`); users get their own names back at the door.
"""
