"""What a model of your own is: the one module that its code imports. docs/own-model.md shows it at work.

A model is a class with the four methods of `DemandModel`; it need not inherit from it. mlspec makes it by its params of the spec
(`PromoModel(depth=3)`), fits it once a training, and lets `save` write it to a folder. Each forecast is made by `predict` of what
`load` reads from that folder, in another process and often on another machine. So `predict` knows nothing but that folder, the
history, the future and the context.

Importing this module imports no data frame library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd

# The columns that every history, future and forecast has. They are those of Nixtla's libraries.
SERIES, TIME, TARGET, OBSERVED, MEAN = "unique_id", "ds", "y", "observed", "mean"


@dataclass(frozen=True)
class ModelContext:
    """What a model is told besides the data.

    `horizon` is the number of periods to forecast, `frequency` their length as a pandas offset alias, `season` the periods in a
    season (1 for none). `seed` is the only source of randomness that gives the same model again. `quantiles` are those of the
    spec. `series_columns` name the columns of the data that a series' name is made of. `known`, `past` and `static` name the
    covariates.
    """

    horizon: int
    frequency: str
    season: int
    seed: int
    quantiles: tuple[float, ...]
    series_columns: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()


class DemandModel(Protocol):
    """A model. What it is made with are the `params` of the spec, by name.

    `history` has a row for each series and period up to the cutoff: unique_id, ds, y, observed (False where y was filled in
    because nothing was recorded), then the known, past and static covariates under their own names; sorted by series and time.
    `future` has a row for each series and period to forecast: unique_id, ds, then the known and static covariates.
    """

    def fit(self, history: pd.DataFrame, future: pd.DataFrame, context: ModelContext) -> object:
        """Learn from the history. What it returns is ignored."""
        ...

    def predict(self, history: pd.DataFrame, future: pd.DataFrame, context: ModelContext) -> pd.DataFrame:
        """Return unique_id, ds and mean for each row of `future`, in any order; quantiles too, if it has them (q0.1, q0.5, …).

        `history` may be longer than the one of `fit`, and may have other series.
        """
        ...

    def save(self, folder: Path) -> object:
        """Write all that `load` needs to an empty folder. The same model has to write the same bytes: no pickle, no time."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote to a folder."""
        ...
