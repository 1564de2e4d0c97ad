"""The words of a notice for people: a title of one line, and the facts below it. Each receiver escapes them in its own way."""

from __future__ import annotations

from mlspec.state.notice import Notice

_STATES = {
    "firing": "fires", "resolved": "is over", "no-data": "has no data", "data-back": "has data again",
    "rolled-back": "was rolled back", "held": "is held", "stalled": "has stalled", "stepped": "is in rollout",
    "rolled-out": "is rolled out", "test": "is tested", "removed": "was taken out of the spec",
    "no-data-removed": "was taken out of the spec",
}  # fmt: skip
# What a person has to see at a glance, for receivers without colours of their own.
MARKS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
RESOLVED_MARK = "🟢"


def title_of(notice: Notice) -> str:
    """Return a title of one line: `demand: accuracy fires`."""
    subject = f"{notice.forecast}: {notice.alert}" if notice.alert else notice.forecast
    return one_line(f"{subject} {_STATES.get(notice.state, notice.state)}")


def mark_of(notice: Notice) -> str:
    """Return the sign of the notice's severity, or that something is over."""
    return RESOLVED_MARK if notice.is_end else MARKS[notice.severity]


def facts_of(notice: Notice) -> dict[str, str]:
    """Return the facts beside the message that the notice has, in order."""
    facts = {
        "severity": notice.severity, "since": notice.since, "version": notice.version, "value": _number(notice.value),
        "owner": notice.owner, "see": f"mlspec get {notice.forecast}",
    }  # fmt: skip
    # A label may have the name of a fact, which it does not replace.
    labels = {f"label {name}" if name in facts else name: value for name, value in notice.labels.items()}
    return {name: str(value) for name, value in {**facts, **labels}.items() if value}


def first_facts(notice: Notice, most: int) -> list[tuple[str, str]]:
    """Return at most so many facts; the last one says how many labels are left out. `most` is more than facts without labels."""
    facts = list(facts_of(notice).items())
    if len(facts) <= most:
        return facts
    return [*facts[: most - 1], ("more labels", str(len(facts) - most + 1))]


PAGE_TEXT = "Open the forecast's page"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


def one_line(text: str) -> str:
    """Return a text without line ends and other control characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def clip(text: str, most: int) -> str:
    """Return a text of at most `most` characters; what is left out is an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
