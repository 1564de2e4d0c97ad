"""A stand-in for the library chronos-forecasting, where its 2 GB of PyTorch are not there: the calls of its documented interface.

The model is a random matrix over the last week's shares, so it has weights, a config, and the shapes that the library documents.
"""

import json
from pathlib import Path

import numpy as np

WEEK, LONGEST = 7, 64


class _InnerModel:
    def __init__(self, weights):
        self.weights = weights

    def save_pretrained(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / "config.json").write_text(json.dumps({"architectures": ["StandIn"]}))
        np.save(Path(folder) / "model.npy", self.weights)


class BaseChronosPipeline:
    def __init__(self, inner_model):
        self.inner_model = inner_model

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *, device_map=None):
        folder = Path(pretrained_model_name_or_path)
        if not (folder / "config.json").is_file():
            raise OSError(f"{pretrained_model_name_or_path} does not appear to have a file named config.json")
        return cls(_InnerModel(np.load(folder / "model.npy")))

    def predict_quantiles(self, inputs, prediction_length=None, quantile_levels=(0.1, 0.5, 0.9), **kwargs):
        """Return quantiles (series, steps, levels) and means (series, steps)."""
        mean = np.stack([self._means(values)[:prediction_length] for values in inputs])
        spread = np.array([2 * level - 1 for level in quantile_levels])
        return mean[:, :, None] * (1 + 0.3 * spread), mean

    def _means(self, values):
        last = values[-WEEK:]
        return last.mean() * (1 + 0.05 * np.tanh(self.inner_model.weights @ (last / last.mean() - 1)))


def make_tiny(folder, seed=0):
    """Write a tiny model with random weights, as a test's stand-in for a download."""
    weights = np.random.default_rng(seed).normal(size=(LONGEST, WEEK))
    _InnerModel(weights).save_pretrained(folder)
