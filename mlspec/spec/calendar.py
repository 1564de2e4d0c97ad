"""Frequencies that a forecast may have, cron expressions and time zones: what is a moment, checked without a data frame."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from mlspec.spec.faults import did_you_mean, nearest

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# pandas' offset aliases that a demand series comes in, with the anchors that each may have.
# https://pandas.pydata.org/docs/user_guide/timeseries.html#offset-aliases
FREQUENCIES: dict[str, tuple[str, ...]] = {
    "min": (), "h": (), "D": (), "B": (), "W": _DAYS,
    "MS": (), "ME": (), "QS": _MONTHS, "QE": _MONTHS, "YS": _MONTHS, "YE": _MONTHS,
}  # fmt: skip
_OLD = {"M": "ME or MS", "Q": "QE or QS", "A": "YE or YS", "Y": "YE or YS", "H": "h", "T": "min"}
_FREQUENCY = re.compile(r"([1-9][0-9]{0,3})?([A-Za-z]+)(?:-([A-Z]{3}))?")

# A run of the pipeline takes minutes; more often than this is a typing error (`* * * * *`), not a schedule.
SHORTEST = timedelta(minutes=5)
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)  # a leap year begins: 29 February is within a year of it


def frequency_problem(text: str) -> tuple[str, str | None] | None:
    """Return what is wrong with a frequency, and a hint; None if it is one."""
    found = _FREQUENCY.fullmatch(text)
    alias, anchor = (found[2], found[3]) if found else (text, None)
    if alias in _OLD:
        return f"'{text}' is pandas' old spelling", f"write {_OLD[alias]}"
    if alias not in FREQUENCIES:
        return f"'{text}' is no frequency", did_you_mean(alias, FREQUENCIES)
    if anchor is not None and anchor not in FREQUENCIES[alias]:
        known = FREQUENCIES[alias]
        return f"'{alias}' has no anchor '{anchor}'", did_you_mean(anchor, known) if known else f"write {alias}"
    return None


@lru_cache(maxsize=256)
def cron_problem(expression: str) -> tuple[str, str | None] | None:
    """Return what is wrong with a cron expression, and a hint; None if it fires, and not too often."""
    from cronsim import CronSim, CronSimError

    if len(expression.split()) != 5:
        return (
            f"expected five fields (minute hour day month weekday), found {len(expression.split())}",
            "such as 0 6 * * MON",
        )
    try:
        fires = CronSim(expression, _ANY_DAY)
        moments = [next(fires) for _ in range(12)]
    except CronSimError as error:
        return f"'{expression}' is no cron expression: {error}", "such as 0 6 * * MON: at 06:00 on Mondays"
    except StopIteration:
        return f"'{expression}' never fires", "is there such a day in that month?"
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    if min(gaps) < SHORTEST:
        return (
            f"'{expression}' fires every {min(gaps).total_seconds() / 60:g} minutes, and 5 is the least",
            "such as 0 * * * *: every hour",
        )
    return None


@lru_cache(maxsize=256)
def timezone_problem(name: str) -> tuple[str, str | None] | None:
    """Return what is wrong with the name of a time zone, and a hint; None if it is one."""
    from zoneinfo import ZoneInfo, available_timezones

    if name == "UTC":
        return None
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path out of the database, a folder of it
        near = nearest(name, sorted(available_timezones()))
        return f"'{name}' is no IANA time zone", f"did you mean '{near}'?" if near else "such as Europe/Paris or UTC"
    return None
