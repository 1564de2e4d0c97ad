"""An alert's life: what was, what is measured and what is muted say what it becomes, and when people are told."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.alert_ends import alert_ends, end_entries
from mlspec.plan.alerting import advance_alerts, settle_alerts
from mlspec.plan.notices import alert_notices, pending_notices
from mlspec.plan.thresholds import AlertVerdict
from mlspec.state.ledger import AlertRecord, Ledger, Silence, ledger_of
from mlspec.state.notice import Notice
from mlspec.targets.notify.notice_text import title_of
from mlspec.targets.notify.pagerduty import alert_event
from tests.engine.world import ACCURACY
from tests.examples import alert_of, forecast_spec

T0, T1, T2 = (f"2024-03-0{day}T00:00:00Z" for day in (1, 2, 3))
STALE = {**ACCURACY, "name": "stale", "metric": "data_age", "inhibits": ["accuracy"]}


def step(ledger: Ledger, now: str, *alerts: dict[str, Any], **states: str) -> tuple[Ledger, list[str]]:
    """Judge alerts (accuracy alone, unless others are given) and return the ledger and the names that people are told of."""
    listed = [alert_of(**alert) for alert in alerts or (ACCURACY,)]
    judged = {name: AlertVerdict(name, state, 0.3, f"{name} is {state}") for name, state in states.items()}  # type: ignore[arg-type]
    moved = advance_alerts("demand", listed, judged, ledger, now)
    return settle_alerts(moved, ledger, now), [each.record.name for each in moved if each.notify]


@pytest.mark.parametrize(("seen", "states", "told"), [
    (["ok", "ok"], ["ok", "ok"], [0, 0]),
    (["pending", "firing"], ["pending", "firing"], [0, 1]),
    (["firing", "firing"], ["firing", "firing"], [1, 0]),
    (["firing", "ok", "ok"], ["firing", "resolved", "ok"], [1, 1, 0]),
    (["firing", "pending", "ok"], ["firing", "firing", "resolved"], [1, 0, 1]),
    (["firing", "no-data", "ok"], ["firing", "no-data", "resolved"], [1, 0, 1]),
    (["firing", "no-data", "firing"], ["firing", "no-data", "firing"], [1, 0, 0]),
    (["ok", "no-data", "no-data"], ["ok", "no-data", "no-data"], [0, 1, 0]),
    (["no-data", "ok"], ["no-data", "ok"], [0, 0]),
    (["firing", "ok", "firing"], ["firing", "resolved", "firing"], [1, 1, 1]),
])  # fmt: skip
def test_an_alert_moves_and_people_are_told_once_an_incident(
    seen: list[str], states: list[str], told: list[int]
) -> None:
    ledger, found, said = Ledger(), [], []
    for day, state in enumerate(seen, 1):
        ledger, names = step(ledger, f"2024-03-{day:02}T00:00:00Z", accuracy=state)
        found.append(ledger.alerts[0].state)
        said.append(len(names))
    assert found == states
    assert said == told


def test_an_incident_keeps_its_name_until_it_is_over_and_the_next_one_has_another() -> None:
    ledger, _ = step(Ledger(), T0, accuracy="firing")
    first = ledger.alerts[0].incident
    ledger, _ = step(ledger, T1, accuracy="no-data")
    assert ledger.alerts[0].incident == first
    ledger, _ = step(ledger, T2, accuracy="ok")
    ledger, _ = step(ledger, "2024-03-04T00:00:00Z", accuracy="firing")
    assert ledger.alerts[0].incident not in ("", first)


def test_since_says_how_long_a_state_has_held() -> None:
    ledger, _ = step(Ledger(), T0, accuracy="firing")
    ledger, _ = step(ledger, T1, accuracy="firing")
    assert ledger.alerts[0].since == T0


def test_a_silenced_alert_tells_nobody_and_speaks_when_the_silence_ends() -> None:
    mute = Ledger(silences=(Silence("accuracy", T2, "ann", "a strike", T0),))
    ledger, told = step(mute, T0, accuracy="firing")
    assert (ledger.alerts[0].state, told) == ("silenced", [])
    ledger, told = step(ledger, T2, accuracy="firing")
    assert (ledger.alerts[0].state, told, ledger.silences) == ("firing", ["accuracy"], ())


def test_lost_data_of_a_silenced_alert_is_told_when_the_silence_ends() -> None:
    ledger, _ = step(Ledger(silences=(Silence("accuracy", T2, "ann", "a move", T0),)), T0, accuracy="ok")
    ledger, told = step(ledger, T1, accuracy="no-data")
    assert (ledger.alerts[0].state, told) == ("no-data", [])
    ledger, told = step(ledger, T2, accuracy="no-data")
    assert told == ["accuracy"]
    assert step(ledger, "2024-03-04T00:00:00Z", accuracy="no-data")[1] == []


def history(*days: tuple[str, bool]) -> list[Notice]:
    """Return the notices of an alert that is measured so, and muted or not, on successive days."""
    spec, ledger, notices = forecast_spec(alerts=[ACCURACY]), Ledger(), []
    for day, (state, muted) in enumerate(days, 1):
        now = f"2024-03-{day:02}T00:00:00Z"
        silences = (Silence("accuracy", f"{now[:11]}12:00:00Z", "ann", "a move", now),) if muted else ()
        judged = {"accuracy": AlertVerdict("accuracy", state, 0.3, f"accuracy is {state}")}  # type: ignore[arg-type]
        moved = advance_alerts("demand", spec.alerts, judged, replace(ledger, silences=silences), now)
        notices += [end.notice for end in alert_ends(spec, moved, ledger, "v1", now)]
        ledger = settle_alerts(moved, ledger, now)
        notices += alert_notices(spec, moved, "v1", now)
    return list({notice.id: notice for notice in reversed(notices)}.values())[::-1]  # the outbox takes an id once


def test_people_who_were_told_of_lost_data_are_told_that_the_data_are_back() -> None:
    lost, back = history(("ok", False), ("no-data", False), ("no-data", False), ("pending", False), ("ok", False))
    assert [(lost.state, lost.at), (back.state, back.at)] == [
        ("no-data", "2024-03-02T00:00:00Z"), ("data-back", "2024-03-04T00:00:00Z"),
    ]  # fmt: skip
    assert (back.since, back.severity) == (lost.since, lost.severity) == ("2024-03-02T00:00:00Z", "warning")
    assert title_of(back) == "demand: accuracy has data again"


@pytest.mark.parametrize(("days", "told"), [
    ([("no-data", False), ("ok", False)], []),  # it never had data
    ([("ok", False), ("no-data", False), ("firing", False)], ["no-data", "data-back", "firing"]),
    ([("ok", False), ("no-data", True), ("ok", False)], []),  # nobody heard of the loss
    ([("ok", False), ("no-data", False), ("ok", True)], ["no-data", "data-back"]),
    ([("firing", False), ("no-data", False), ("ok", False)], ["firing", "resolved"]),  # the incident went on
])  # fmt: skip
def test_the_end_of_a_loss_is_told_to_who_heard_of_it(days: list[tuple[str, bool]], told: list[str]) -> None:
    assert [notice.state for notice in history(*days)] == told


@given(st.lists(st.tuples(st.sampled_from(["ok", "pending", "firing", "no-data"]), st.booleans()), max_size=12))
def test_at_pagerduty_every_loss_that_is_told_is_an_incident_until_the_data_are_back(
    days: list[tuple[str, bool]],
) -> None:
    still_open: list[str] = []
    for notice in history(*days):
        event = alert_event(notice, "key")
        if notice.state == "no-data":
            still_open.append(str(event["dedup_key"]))
        elif notice.state == "data-back":
            assert (event["event_action"], [event["dedup_key"]]) == ("resolve", still_open)
            still_open.clear()
    assert len(still_open) == (1 if still_open and days[-1][0] == "no-data" else 0)


@pytest.mark.parametrize(("states", "state"), [
    (("ok", "no-data"), "no-data-removed"),
    (("firing",), "removed"),
    (("firing", "no-data"), "removed"),  # the incident goes on without data
])  # fmt: skip
def test_at_pagerduty_an_alert_that_the_spec_has_no_more_leaves_no_incident_open(
    states: tuple[str, ...], state: str
) -> None:
    spec, ledger, opened = forecast_spec(alerts=[ACCURACY]), Ledger(), set[object]()
    for day, measured in enumerate(states, 1):
        now = f"2024-03-{day:02}T00:00:00Z"
        judged = {"accuracy": AlertVerdict("accuracy", measured, 0.3, f"accuracy is {measured}")}  # type: ignore[arg-type]
        moved = advance_alerts("demand", spec.alerts, judged, ledger, now)
        ledger = settle_alerts(moved, ledger, now)
        opened |= {alert_event(notice, "key")["dedup_key"] for notice in alert_notices(spec, moved, "v1", now)}
    assert alert_ends(spec, (), ledger, "v1", T2) == ()
    (end,) = alert_ends(forecast_spec(alerts=[]), (), ledger, "v1", "2024-03-09T00:00:00Z")
    event = alert_event(end.notice, "key")
    assert (end.notice.state, event["event_action"], {event["dedup_key"]}) == (state, "resolve", opened)
    assert title_of(end.notice) == "demand: accuracy was taken out of the spec"


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
def test_a_removed_alert_ends_with_the_severity_that_its_incident_began_with_where_that_was_heard(
    severity: str,
) -> None:
    pager, desk = {"pagerduty": {"secret": "pager"}}, {"webhook": {"secret": "desk"}, "severity": "critical"}
    spec = forecast_spec(alerts=[{**ACCURACY, "severity": severity}], notify=[pager, desk])
    fires = {"accuracy": AlertVerdict("accuracy", "firing", 0.3, "it fires")}
    moved = advance_alerts("demand", spec.alerts, fires, Ledger(), T0)
    heard = pending_notices(spec, alert_notices(spec, moved, "v1", T0), T0)
    after = forecast_spec(alerts=[], notify=[{**pager, "severity": "critical"}, {"webhook": {"secret": "new"}}])
    (end,) = alert_ends(after, (), settle_alerts(moved, Ledger(), T0), "v1", T1)
    assert end.beginning == heard[0].notice.id
    ends = end_entries(after, end, heard, T1)
    assert [(entry.receiver, entry.notice.severity) for entry in ends] == [
        (entry.receiver, severity) for entry in heard
    ]


@given(
    st.lists(st.sampled_from(["ok", "pending", "firing", "no-data"]), max_size=8), st.sampled_from(["info", "critical"])
)
def test_the_end_of_everything_that_a_receiver_heard_of_goes_there_whatever_severities_have_become(
    days: list[str], later: str
) -> None:
    spec, ledger = forecast_spec(alerts=[ACCURACY], notify=spec_notify("warning")), Ledger()
    outbox: dict[str, Any] = {}
    still_open = set[object]()
    for day, state in enumerate([*days, "ok"], 1):
        now = f"2024-03-{day:02}T00:00:00Z"
        judged = {"accuracy": AlertVerdict("accuracy", state, 0.3, f"accuracy is {state}")}  # type: ignore[arg-type]
        moved = advance_alerts("demand", spec.alerts, judged, ledger, now)
        sent = [
            *(
                entry
                for end in alert_ends(spec, moved, ledger, "v1", now)
                for entry in end_entries(spec, end, [outbox[end.beginning]] if end.beginning in outbox else [], now)
            ),
            *pending_notices(spec, alert_notices(spec, moved, "v1", now), now),
        ]
        for entry in sent:
            outbox.setdefault(entry.notice.id, entry)
            event = alert_event(entry.notice, "key")
            (still_open.add if event["event_action"] == "trigger" else still_open.discard)(event["dedup_key"])
        ledger = settle_alerts(moved, ledger, now)
        spec = forecast_spec(alerts=[{**ACCURACY, "severity": later}], notify=spec_notify(later))
    assert still_open == set()


def spec_notify(alert_severity: str) -> list[dict[str, Any]]:
    """A receiver that wants no notice of this severity, unless that is the highest."""
    return [{"pagerduty": {"secret": "pager"}, "severity": "critical" if alert_severity == "info" else "warning"}]


def test_nobody_hears_that_an_alert_was_removed_who_heard_nothing_of_it_before() -> None:
    for record in (AlertRecord("accuracy", "ok", T0), AlertRecord("accuracy", "silenced", T0, incident="one")):
        assert alert_ends(forecast_spec(alerts=[]), (), Ledger(alerts=(record,)), "v1", T1) == ()


def test_a_record_of_an_older_mlspec_whose_data_were_lost_tells_nobody_twice() -> None:
    lost = AlertRecord("accuracy", "no-data", T0, told=True)
    ledger, told = step(Ledger(alerts=(lost,)), T1, accuracy="no-data")
    assert (ledger.alerts, told) == ((replace(lost, value=0.3, message="accuracy is no-data"),), [])


def test_an_alert_that_fires_inhibits_those_it_names_and_no_longer_when_it_is_well() -> None:
    ledger, told = step(Ledger(), T0, STALE, ACCURACY, stale="firing", accuracy="firing")
    assert [each.state for each in ledger.alerts] == ["firing", "inhibited"]
    assert told == ["stale"]
    ledger, told = step(ledger, T1, STALE, ACCURACY, stale="ok", accuracy="firing")
    assert [each.state for each in ledger.alerts] == ["resolved", "firing"]
    assert told == ["stale", "accuracy"]


@given(st.lists(st.tuples(st.sampled_from(["ok", "pending", "firing", "no-data"]), st.booleans()), max_size=12))
def test_the_same_evidence_again_changes_nothing_and_tells_nobody(days: list[tuple[str, bool]]) -> None:
    ledger = Ledger()
    for day, (state, muted) in enumerate(days, 1):
        now = f"2024-03-{day:02}T00:00:00Z"
        if muted:
            ledger = Ledger(
                **{**asdict_shallow(ledger), "silences": (Silence("accuracy", f"{now[:11]}12:00:00Z", "a", "r", now),)}
            )
        ledger, _ = step(ledger, now, accuracy=state)
        again, told = step(ledger, now, accuracy=state)
        assert told == []
        if ledger.alerts[0].state != "resolved":
            assert again == ledger
        assert ledger_of(asdict(ledger)) == ledger  # what is recorded is what is remembered


def asdict_shallow(ledger: Ledger) -> dict[str, Any]:
    return {name: getattr(ledger, name) for name in ("alerts", "acted", "slots")}


def test_one_occurrence_has_one_name_however_often_it_is_looked_at() -> None:
    spec = forecast_spec(alerts=[ACCURACY])
    moved = advance_alerts(
        "demand", spec.alerts, {"accuracy": AlertVerdict("accuracy", "firing", 0.3, "it fires")}, Ledger(), T0
    )
    (first,) = alert_notices(spec, moved, "v1", T0)
    (second,) = alert_notices(spec, moved, "v1", T1)
    assert first.id == second.id
    assert (first.severity, first.state, first.version) == ("critical", "firing", "v1")


def test_a_record_of_an_alert_that_is_gone_from_the_spec_is_dropped() -> None:
    before = Ledger(alerts=(AlertRecord("old", "firing", T0, incident="i"),))
    ledger, _ = step(before, T1, accuracy="ok")
    assert [each.name for each in ledger.alerts] == ["accuracy"]
