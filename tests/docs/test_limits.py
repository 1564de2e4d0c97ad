"""Limits that pages name are those of the code: each sentence is written with the code's own figure in it."""

from __future__ import annotations

import re

import pytest

from mlspec import jobs
from mlspec.cli import action_process, plan_markdown, plan_text
from mlspec.cli.commands import reconcile
from mlspec.engine import prune, template_process
from mlspec.forecast import auto, drift, effects, load, paired_test, regular, series_parts, source, usual_drift
from mlspec.forecast.reading import budget
from mlspec.jobs import model_check, tree_process
from mlspec.models import process
from mlspec.plan import backoff, clock, comparison, delivery, retention, serving_metrics, shares
from mlspec.render import error_tables, series_listing, timeline
from mlspec.spec import alerts, faults, metrics
from mlspec.state import request_counts
from mlspec.targets.gcp.jobs import kept_objects
from mlspec.targets.notify import deadline
from mlspec.targets.record import record
from mlspec.web import connection, instances, page_answers, request_body, server, what_if
from tests.docs.sessions import ROOT

# How a page writes a figure in words.
WORDS = {
    0.1: "a tenth", 0.25: "a quarter", 0.5: "half", 1: "once", 2: "two", 3: "three", 4: "four", 5: "five", 10: "ten",
    3600: "an hour",
}  # fmt: skip
LIMITS = [
    ("docs/ci.md", "takes {:,} characters in a comment", plan_markdown.LIMIT),
    ("docs/commands.md", "of more than {} forecasts, those that change alike", plan_text.MOST_FORECASTS),
    ("docs/commands.md", "{:,} rows", budget.MOST_ROWS),
    ("docs/commands.md", "{:.0f} GiB; ", budget.LARGEST_BYTES / 2**30),
    ("docs/commands.md", "{} times as many rows and bytes", WORDS[budget.PARTS_FACTOR]),
    ("docs/commands.md", "{:,} files", source.MOST_FILES),
    ("docs/commands.md", "{:,} series | fixed", load.MOST_SERIES),
    ("docs/commands.md", "| {} for each core |", WORDS[reconcile._JOBS_OF_A_CORE]),
    ("docs/commands.md", "| {} of a file,", faults.MOST_OF_A_FILE),
    ("docs/commands.md", "{:,} in all;", faults.MOST_OF_ALL),
    ("docs/commands.md", "on {} series of the data of NAME", WORDS[model_check.MOST_SERIES]),
    ("docs/comparison.md", "a spec of mlspec ends at {:,}", load.MOST_SERIES),
    ("docs/pages.md", "is listed, {} on a page", series_listing.PAGE),
    ("docs/pages.md", "shows the {} worst", error_tables.SHOWN_SEGMENTS),
    ("docs/pages.md", "the last {}, and says", WORDS[timeline.SHOWN_ROUTINE]),
    ("docs/pages.md", "made at most {} at a time", WORDS[page_answers._AT_ONCE]),
    ("docs/pages.md", "after {:.0f} seconds the page says that it goes on", action_process.ANSWER_SECONDS),
    ("docs/pages.md", "for {:.0f} seconds at most", jobs.WHAT_IF_SECONDS),
    ("docs/serving.md", "for {:.0f} seconds at most", jobs.WHAT_IF_SECONDS),
    ("docs/serving.md", "waits {:.0f} seconds", what_if._WAIT_SECONDS),
    ("docs/pages.md", "at most the last {}", int(re.findall("LIMIT ([0-9]+)", record._CHECKS)[0])),
    ("docs/models.md", "fewer than {} periods for each covariate", WORDS[effects.PERIODS_PER_COVARIATE]),
    ("docs/models.md", "and by {} in all", WORDS[paired_test.CLEAR_GAIN]),
    ("docs/models.md", "where {} of the series or more", WORDS[auto.INTERMITTENT_SHARE]),
    ("docs/reconcile.md", "more than {:,} periods", series_parts.PART_ROWS),
    ("docs/scale.md", "more than {:,} rows", series_parts.PART_ROWS),
    ("docs/notifications.md", "retried after {:.0f} s", backoff.FIRST_PAUSE.total_seconds()),
    ("docs/notifications.md", "up to {}", WORDS[backoff.LONGEST_PAUSE.total_seconds()]),
    ("docs/notifications.md", "After {} days it is given up", WORDS[delivery.GIVE_UP.days]),
    ("docs/notifications.md", "One delivery takes {:.0f} s at most", deadline.DEADLINE),
    ("docs/own-model.md", "at most {} lines a call", process.MOST_LINES),
    ("docs/own-model.md", "takes {} series of the forecast's data", WORDS[model_check.MOST_SERIES]),
    ("docs/reconcile.md", "in the last `window` periods (default {})", metrics.METRICS["psi"].usual_window),
    ("docs/reconcile.md", "`psi` needs {} values in the window", drift.FEWEST_BINS * drift.PER_BIN),
    ("docs/reconcile.md", "`ks` needs {};", drift.FEWEST_VALUES),
    ("docs/reconcile.md", "above {} and 0.38", metrics.METRICS["psi"].usual_above),
    ("docs/reconcile.md", "exceed {} a year", WORDS[alerts.USUAL_FALSE_ALARMS]),
    ("docs/reconcile.md", "the newest {}, each by its largest value", usual_drift.MOST_BLOCKS),
    ("docs/reconcile.md", "below {} blocks", usual_drift.FEWEST_BLOCKS),
    ("docs/reconcile.md", "at most {:.0f}. Below", metrics.METRICS["latency"].high),
    ("docs/reconcile.md", "Below {} requests there is no verdict", serving_metrics.LEAST_REQUESTS),
    ("docs/glossary.md", "Below {} requests there is no verdict", serving_metrics.LEAST_REQUESTS),
    ("docs/runbook.md", "fewer than {} requests", serving_metrics.LEAST_REQUESTS),
    ("docs/reconcile.md", "or undo at least {} of the excess", WORDS[comparison.LEAST_IMPROVEMENT]),
    ("docs/reconcile.md", "be better by {} in the worst segment", WORDS[comparison.LEAST_GAIN]),
    ("docs/reconcile.md", "at most {} rows of each kind in a pass", prune._MOST),
    ("docs/reconcile.md", "the newest {} forecasts, which an evaluation compares", retention.EVALUATED_RUNS),
    ("docs/reconcile.md", "those of the last {:.0f} days, to which requests", request_counts.KEPT_HOURS / 24),
    ("docs/reconcile.md", "is retried after {:.0f} s", backoff.FIRST_PAUSE.total_seconds()),
    ("docs/reconcile.md", "up to an hour, {} times", WORDS[backoff.MOST_ATTEMPTS]),
    ("docs/reconcile.md", "more than {} days ahead", WORDS[clock.TOLERANCE.days]),
    ("docs/reconcile.md", "if more than {} forecasts have work", shares.PER_TASK),
    ("docs/scale.md", "from {:,} rows times `iterations` on", tree_process.FEWEST_ROUNDS),
    ("docs/scale.md", "about {} bytes", regular.PERIOD_BYTES),
    ("docs/scale.md", "keep or read results for {:.0f} minutes", kept_objects.PAUSE / 60),
    ("docs/serving.md", "at most {:.1f} MB", request_body.MOST_BYTES / 1e6),
    ("docs/serving.md", "{:,} instances", instances.MOST),
    ("docs/serving.md", "{:.0f} s to send the headers", connection.HEADER_SECONDS),
    ("docs/serving.md", "{:.0f} s for the body", request_body.BODY_SECONDS),
    ("docs/serving.md", "{:.0f} s to read the answer", connection.READ_SECONDS),
    ("docs/serving.md", "keeps {} connections", connection.MOST_CONNECTIONS),
    ("docs/serving.md", "read every {:.0f} seconds", server.RENEWAL),
    ("docs/team.md", "up to {} minutes", WORDS[round(backoff.LONGEST_PASS_PAUSE / 60)]),
    ("SECURITY.md", "{} s of processor time", template_process.CPU_SECONDS),
    ("SECURITY.md", "{:.0f} MB of text", template_process.TEXT_BYTES / 1e6),
]


@pytest.mark.parametrize(("page", "sentence", "figure"), LIMITS)
def test_a_page_names_the_limit_of_the_code(page: str, sentence: str, figure: object) -> None:
    text = re.sub(r"\s+", " ", (ROOT / page).read_text(encoding="utf-8"))
    assert sentence.format(figure) in text
