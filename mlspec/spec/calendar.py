"""Checks of frequencies, cron expressions and time zones, without a data frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise

from mlspec.spec.faults import ProblemAndHint, nearest_word

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# pandas' offset aliases that a demand series may have, with the anchors that each may have.
# https://pandas.pydata.org/docs/user_guide/timeseries.html#offset-aliases
FREQUENCIES: dict[str, tuple[str, ...]] = {
    "min": (), "h": (), "D": (), "B": (), "W": DAYS,
    "MS": (), "ME": (), "QS": MONTHS, "QE": MONTHS, "YS": MONTHS, "YE": MONTHS,
}  # fmt: skip
_OLD_ALIASES = {
    "M": ("ME", "MS"), "Q": ("QE", "QS"), "A": ("YE", "YS"), "Y": ("YE", "YS"), "AS": ("YS",), "H": ("h",), "T": ("min",),
}  # fmt: skip
_ALIAS_WORDS = {
    "hourly": "h", "hour": "h", "daily": "D", "day": "D", "weekly": "W-SUN", "week": "W-SUN", "monthly": "MS", "month": "MS",
    "quarterly": "QS", "quarter": "QS", "yearly": "YS", "year": "YS", "annual": "YS", "minute": "min", "minutes": "min",
    "hora": "h", "horaria": "h", "horario": "h", "dia": "D", "diaria": "D", "diario": "D", "semana": "W-SUN", "semanal": "W-SUN",
    "mes": "MS", "mensal": "MS", "trimestre": "QS", "trimestral": "QS", "ano": "YS", "anual": "YS", "minuto": "min",
}  # fmt: skip
_FREQUENCY_EXAMPLES = "such as D for days, W-FRI for weeks that end on a Friday, MS for months by their first day"
_FREQUENCY = re.compile(r"([1-9][0-9]{0,3})?([A-Za-z]+)(?:-([A-Za-z]+))?")

# A run of the pipeline takes minutes. A shorter interval is a typing error (`* * * * *`).
SHORTEST_MINUTES = 5
_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)  # the first day of a leap year, so that 29 February follows within a year
_LAST_OR_NTH = re.compile(r"(?:^|[0-9,])LW?(?:$|[,-])|#")
_CRON_EXAMPLE = "such as 0 6 * * MON: at 06:00 on Mondays"
# Files of the time zone database that are not time zones.
_THIS_MACHINES = ("localtime", "posixrules", "Factory")
_ZONE_EXAMPLE = "such as Europe/Paris or UTC"


def frequency_problem(text: str) -> ProblemAndHint | None:
    """Return what is wrong with a frequency, and a hint; None if it is one."""
    match = _FREQUENCY.fullmatch(text)
    count, alias, anchor = (match[1] or "", match[2], match[3]) if match else ("", text, None)
    if match and alias in FREQUENCIES and anchor in (None, *FREQUENCIES[alias]):
        return None
    if match and alias in _OLD_ALIASES:
        modern = [f"{count}{code}{f'-{anchor}' if anchor else ''}" for code in _OLD_ALIASES[alias]]
        return f"'{text}' is pandas' old spelling", f"write {' or '.join(modern)}"
    if alias not in FREQUENCIES:
        near = _ALIAS_WORDS.get(alias.lower()) or nearest_word(alias, FREQUENCIES)
        if near is None:
            return f"'{text}' is not a frequency", _FREQUENCY_EXAMPLES
        alias = near
    anchors = FREQUENCIES[alias.partition("-")[0]]
    day = nearest_word(anchor[:3], anchors) if anchor else None
    suggestion = f"{count}{alias}-{day}" if day else f"{count}{alias}"
    return f"'{text}' is not a frequency", f"did you mean '{suggestion}'?"


@lru_cache(maxsize=256)
def cron_problem(expression: str) -> ProblemAndHint | None:
    """Return what is wrong with a cron expression, and a hint; None if it is valid and does not fire too often."""
    from cronsim import CronSim, CronSimError

    fields = expression.split()
    if len(fields) != 5:
        return f"expected five fields (minute hour day month weekday), found {len(fields)}", _CRON_EXAMPLE
    if _LAST_OR_NTH.search(fields[2]) or _LAST_OR_NTH.search(fields[4]):
        return f"'{expression}': not every scheduler knows L and #", "name days by number or weekday: 0 6 1 * *"
    try:
        fires = CronSim(expression, _ANY_DAY)
        next(fires)
    except (CronSimError, StopIteration) as error:
        return _no_cron(expression, fields, error)
    least = _least_gap(sorted(fires.minutes), sorted(fires.hours))
    if least < SHORTEST_MINUTES:
        every = "every minute" if least == 1 else f"{least} minutes apart"
        return (
            f"'{expression}' fires {every}; the shortest interval is {SHORTEST_MINUTES} minutes",
            "such as 0 * * * *: every hour",
        )
    return None


def _no_cron(expression: str, fields: Sequence[str], error: Exception) -> ProblemAndHint:
    # If the expression is valid with any month, the error is that no month of its list has the day.
    if fields[3] != "*" and cron_problem(" ".join((*fields[:3], "*", fields[4]))) is None:
        message = f"'{expression}' never fires: no month of {fields[3]} has a day {fields[2]}"
        return message, "correct the day or the month"
    return f"'{expression}' is not a cron expression: {str(error).lower()}", _CRON_EXAMPLE


def _least_gap(minutes: Sequence[int], hours: Sequence[int]) -> int:
    """Return the fewest minutes between two runs: within an hour, or across the end of an hour."""
    inside = [later - earlier for earlier, later in pairwise(minutes)]
    turns = any((hour + 1) % 24 in hours for hour in hours)
    return min([*inside, 60 - minutes[-1] + minutes[0]] if turns else [*inside, 60])


@lru_cache(maxsize=256)
def timezone_problem(name: str) -> ProblemAndHint | None:
    """Return what is wrong with the name of a time zone, and a hint; None if it is one."""
    from zoneinfo import ZoneInfo, available_timezones

    if name == "UTC":
        return None
    if name in _THIS_MACHINES or name.startswith(("posix/", "right/")):
        return f"'{name}' means another time zone on another machine", _ZONE_EXAMPLE
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, a path outside the database, or a folder of it
        near = nearest_word(name, sorted(available_timezones()))
        return f"'{name}' is not an IANA time zone", f"did you mean '{near}'?" if near else _ZONE_EXAMPLE
    return None
