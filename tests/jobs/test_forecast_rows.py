"""The rows of a forecast are made in pieces: the same bytes in any pieces, in any number of parts, by any number of processors."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlspec.forecast import series_parts
from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET
from mlspec.forecast.quantiles import Calibration, add_quantiles, has_own_quantiles, own_column
from mlspec.forecast.scales import FLOOR, SCALE
from mlspec.jobs import forecast_rows
from mlspec.processors import VARIABLE
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_predictions import SHOPS, versions

KINDS: list[dict[str, Any]] = [
    {"kind": "seasonal-naive", "season": season, "name": f"naive-{season}"} for season in (7, 2, 5)
]
WHOLE, PIECE = 10**6, 4


def shops_and_an_ended_one() -> str:
    old = [line for line in sales(30, ("001", "002")).splitlines() if line.startswith("002")]
    return "\n".join([sales(50, SHOPS).strip(), *old, ""])


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, part: int) -> Pipeline:
    """Three versions, of a panel with parts of so many rows at most."""
    monkeypatch.setattr(series_parts, "PART_ROWS", part)
    return versions(folder, shops_and_an_ended_one(), KINDS, dataset={"ended_series": "zero", "ended_after": "10d"})


def digests(run: Pipeline, monkeypatch: pytest.MonkeyPatch, *, piece: int, processors: int) -> list[str]:
    """What a canary with a shadow, two shadows, and forecasts from earlier cutoffs are written as."""
    monkeypatch.setattr(forecast_rows, "MOST_ROWS", piece)
    monkeypatch.setenv(VARIABLE, str(processors))
    found = []
    for options in (
        {"traffic": {"v1": 60, "v2": 40, "v3": 0}}, {"traffic": {"v1": 0, "v2": 100, "v3": 0}},
        {"version": {"v3": 100}, "cutoffs": ["2024-01-20", "2024-02-02"]},
    ):  # fmt: skip
        run.run("forecast", **options)
        written = [run.files.pop(role).read_bytes() for role in ("forecast", "shadow") if role in run.files]
        found += [sha256(data).hexdigest() for data in written]
    return found


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_bytes_do_not_depend_on_pieces_parts_and_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(tmp_path / "whole", monkeypatch, WHOLE)
    whole = digests(run, monkeypatch, piece=WHOLE, processors=1)
    assert len(whole) == len({*whole}) == 5
    assert digests(run, monkeypatch, piece=PIECE, processors=2) == whole
    parted = trained(tmp_path / "parts", monkeypatch, 60)
    assert "panel-s02" in parted.files
    assert digests(parted, monkeypatch, piece=PIECE, processors=2) == whole


def test_no_more_rows_are_made_at_once_than_a_piece_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, counts = versions(tmp_path, shops_and_an_ended_one(), KINDS[:2]), []
    make = forecast_rows.RowMaker.make_rows

    def count_rows(maker: forecast_rows.RowMaker, predicted: pd.DataFrame) -> pd.DataFrame:
        counts.append(len(predicted))
        return make(maker, predicted)

    monkeypatch.setattr(forecast_rows, "MOST_ROWS", PIECE)
    monkeypatch.setattr(forecast_rows.RowMaker, "make_rows", count_rows)
    facts = run.run("forecast", traffic={"v1": 40, "v2": 60})
    assert sum(counts) == facts["rows"] > 2 * PIECE
    assert max(counts) <= PIECE


@pytest.mark.parametrize("own", [False, True], ids=["of the mean", "of a model's own"])
def test_quantiles_of_a_row_do_not_depend_on_the_rows_beside_it(own: bool) -> None:
    quantiles, random = (0.1, 0.5, 0.9), np.random.default_rng(1)
    rows = pd.DataFrame({
        ID: np.repeat([f"s{place}" for place in range(8)], 20), CUTOFF: np.tile(np.arange(5).repeat(4), 8),
        STEP: np.tile(np.arange(1, 5), 40), MEAN: random.gamma(2.0, 3.0, 160), SCALE: 2.0, FLOOR: 0.0,
    })  # fmt: skip
    rows[TARGET] = rows[MEAN] + random.normal(0.4, 1.0, len(rows))
    if own:
        rows = rows.assign(**{own_column(q): rows[MEAN] + 4 * (q - 0.5) for q in quantiles})
    ahead = rows[rows[CUTOFF] == 4].drop(columns=[TARGET, CUTOFF]).reset_index(drop=True)
    assert has_own_quantiles(ahead, quantiles) == own
    calibration = Calibration.of(rows, quantiles, with_own=own)
    pieces = [calibration.add_quantiles(ahead[first : first + 3]) for first in range(0, len(ahead), 3)]
    pd.testing.assert_frame_equal(pd.concat(pieces), add_quantiles(ahead, rows, quantiles), check_exact=True)
