"""A pretrained model as a candidate: Chronos-Bolt or Chronos-2, by its own library.

`weights` is a folder, or a name on a hub that `fit` can reach. The weights are kept in the model file: a forecast needs no network.
"""

from pathlib import Path

import pandas as pd


class TinyChronos:
    """Forecasts without training: `fit` only loads the weights, so that `save` can keep them."""

    def __init__(self, weights="amazon/chronos-bolt-tiny", longest=512):
        self.weights, self.longest = weights, longest
        self.pipeline = None

    def fit(self, history, future, context):
        self.pipeline = _load_pipeline(self.weights)

    def predict(self, history, future, context):
        import torch

        series = [(name, rows["y"].tail(self.longest)) for name, rows in history.groupby("unique_id", sort=True)]
        past = [torch.tensor(values.to_numpy(dtype="float32")) for _, values in series]
        levels = list(context.quantiles)
        quantiles, means = self.pipeline.predict_quantiles(
            past, prediction_length=context.horizon, quantile_levels=levels
        )
        ahead = future.sort_values(["unique_id", "ds"], ignore_index=True)[["unique_id", "ds"]]
        values = {f"q{level:g}": quantiles[:, :, number].reshape(-1) for number, level in enumerate(levels)}
        columns = {"mean": means.reshape(-1), **values}
        return ahead.assign(**{name: pd.Series(column).astype("float64") for name, column in columns.items()})

    def save(self, folder):
        self.pipeline.inner_model.save_pretrained(folder / "weights")

    @classmethod
    def load(cls, folder):
        model = cls()
        model.pipeline = _load_pipeline(str(Path(folder) / "weights"))
        return model


def _load_pipeline(weights):
    from chronos import BaseChronosPipeline

    return BaseChronosPipeline.from_pretrained(weights, device_map="cpu")
