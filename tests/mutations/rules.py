"""The rules, and how each is broken: a file of the package, a text in it, what stands there instead, and who has to notice."""

from __future__ import annotations

from dataclasses import dataclass

ALERTS = "tests/plan/test_alerting.py"
OUTBOX = "tests/notify/test_deliver.py"
WEBHOOK = "tests/notify/test_webhook.py"
STATE = "tests/targets/test_migrate.py"
SIGNALS = "tests/cli/test_signals.py"
EVIDENCE = "tests/jobs/test_evaluate.py"
ANSWERS = "tests/engine/test_alert_handler.py"
DIGEST = "tests/spec/test_digest.py"
UPGRADE = "tests/upgrade/test_upgrade.py"
NUMBERS = "tests/jobs/test_code_version.py"
LINEAGE = "tests/upgrade/test_lineage.py"
PACKAGE = "tests/plan/test_package_source.py"


def loop(test: str) -> str:
    """One of the loop's stories."""
    return f"tests/engine/test_loop.py::test_{test}"


def rollback(test: str) -> str:
    """One of those about alerts, and a version that gives way."""
    return f"tests/engine/test_rollback.py::test_{test}"


def rollout(test: str) -> str:
    """One of those about a version that comes in, and people who say otherwise."""
    return f"tests/engine/test_rollouts.py::test_{test}"


def setback(test: str) -> str:
    """One of those about what fails or is missing."""
    return f"tests/engine/test_setbacks.py::test_{test}"


def crash(test: str) -> str:
    """One of the loop's passes that are killed, or made by many at once."""
    return f"tests/engine/test_reconcile_crash.py::test_{test}"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One rule, broken."""

    rule: str
    file: str
    old: str
    new: str
    named: str

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that have to notice, as pytest takes them."""
        return tuple(self.named.split())


MUTATIONS = (
    Mutation("a hold binds until a person resumes or the spec changes", "plan/serving.py",
             "return ledger.hold if ledger.hold and ledger.hold.spec_hash == spec_hash else None", "return None",
             rollout("a_person_s_rollback_is_held_until_a_person_resumes")),
    Mutation("a changed spec lifts a hold", "plan/serving.py",
             "ledger.hold and ledger.hold.spec_hash == spec_hash else None", "ledger.hold else None",
             rollout("a_hold_ends_when_the_spec_changes")),
    Mutation("a key that is new in the language changes no digest while it has its default", "spec/digest.py",
             "if rule.later and value[key] == rule.default:", "if False:", f"{DIGEST} {UPGRADE}"),
    Mutation("what a user says is part of the digest", "spec/digest.py",
             "if rule.later and value[key] == rule.default:", "if rule.later:", DIGEST),
    Mutation("an empty value that a user gives is a value", "spec/digest.py",
             "if later and written == empty), written)", "if False), written)", DIGEST),
    Mutation("versions of one shape stay so after an upgrade", "plan/serving.py",
             "    values = digest_values(document)\n", "    values = document\n", DIGEST),
    Mutation("a release of mlspec is no reason to train", "cli/target.py",
             "code=CODE_VERSION,", "code=__version__,", UPGRADE),
    Mutation("code that makes other forecasts raises CODE_VERSION", "forecast/quantiles.py",
             'method="weibull"', 'method="hazen"', NUMBERS + "::test_the_same_code_makes_the_same_numbers[croston]"),
    Mutation("a step's file is not taken from an older mlspec", "engine/pipeline.py",
             '"code": [engine.code, engine.mlspec],', '"code": engine.code,', LINEAGE),
    Mutation("what an older mlspec could not do is tried again", "engine/pass_plan.py",
             "desired_forecast.source.digest, engine.mlspec], 32", "desired_forecast.source.digest, engine.code], 32", LINEAGE),
    Mutation("a version in quarantine is not promoted", "plan/serving.py",
             "if judged in observed.ledger.quarantined_versions:", "if False:",
             rollback("a_version_in_quarantine_is_never_promoted_again_until_something_changes")),
    Mutation("a version that gives way goes into quarantine", "engine/traffic.py",
             "    if version in ledger.quarantined_versions:\n        return ledger\n", "    return ledger\n",
             rollback("a_version_that_turns_bad_gives_way_to_the_last_good_one_in_one_pass")),
    Mutation("nobody goes back to a version in quarantine", "plan/serving.py",
             "fit = (\n            past_release.version in passed\n"
             "            and past_release.version not in ledger.quarantined_versions\n            and",
             "fit = (\n            past_release.version in passed\n            and",
             rollout("a_rollback_to_what_cannot_serve_is_refused_with_the_reason")),
    Mutation("nobody goes back to a version that would have done no better", "plan/comparison.py",
             'if judge_alert(alert, other).state != "firing":', "if True:",
             rollback("where_demand_moved_no_version_is_blamed_and_a_newer_model_is_asked_for")
             + " " + rollback("an_earlier_version_that_was_bad_unnoticed_is_passed_over")),
    Mutation("a rollout is not given back to a version that would have done no better", "engine/rollback.py",
             "isinstance(step, Abort) and not counterfactual.would_abort_help(work, observed, rollout, step)", "False",
             rollout("a_canary_that_does_no_worse_than_what_serves_would_have_keeps_its_share")),
    Mutation("a version that cannot be weighed holds up no rollback", "engine/counterfactual.py",
             "except (DataError, ModelError, StateError, TargetError) as error:", "except ZeroDivisionError as error:",
             rollback("a_version_that_cannot_be_weighed_holds_up_no_rollback")),
    Mutation("a demand that moved asks for a newer model", "plan/training.py",
             "and not _is_rollback_ruled_out(record, observed)", "and True",
             rollback("where_demand_moved_no_version_is_blamed_and_a_newer_model_is_asked_for")),
    Mutation("no second rollback within the cooldown", "plan/rollback.py",
             "if now < cooldown_end(ledger, policy):", "if False:",
             rollback("a_second_rollback_waits_for_the_cooldown")),
    Mutation("a version that proves good does not end the cooldown", "engine/evaluation.py",
             "serves is None or now < cooldown_end(ledger, spec.rollback)", "serves is None",
             rollback("a_version_that_proves_good_does_not_end_the_cooldown")),
    Mutation("at most max_attempts rollbacks", "plan/rollback.py",
             "if len(ledger.rollbacks) >= policy.max_attempts:", "if False:",
             rollback("after_the_last_attempt_it_holds_and_asks_for_a_person")),
    Mutation("a version that proved good gives the attempts back", "engine/evaluation.py",
             "return replace(ledger, rollbacks=()) if good else ledger", "return ledger",
             rollback("a_version_that_proves_good_gives_the_attempts_back")),
    Mutation("an incident acts once on a version", "plan/rollback.py",
             "acted_note(alert.incident, facts.serves) not in ledger.acted", "True",
             setback("what_a_person_resumed_is_not_held_again_for_the_same_incident")),
    Mutation("evidence about an earlier version moves nothing", "plan/rollback.py",
             'return facts.ledger.own.get(alert.name, {}).get(facts.serves) == "firing"', "return True",
             rollback("evidence_about_an_earlier_version_moves_nothing")),
    Mutation("without a good version the fallback serves", "plan/rollback.py",
             "() if facts.serves in facts.fallbacks else (None,)", "()",
             rollback("without_a_good_version_the_fallback_serves")),
    Mutation("a fallback that is bad keeps serving", "plan/rollback.py",
             "() if facts.serves in facts.fallbacks else (None,)", "(None,)",
             rollback("a_fallback_that_is_bad_too_keeps_serving_and_asks_for_a_person")),
    Mutation("a rollout goes on with evidence only", "plan/rollout.py",
             'if outcome == "inconclusive":', "if False:",
             rollout("a_canary_without_evidence_waits_however_long")),
    Mutation("a rollout that fails gives its traffic back", "plan/rollout.py",
             'if outcome == "fail":', "if False:",
             rollout("a_canary_that_fails_gives_its_traffic_back_and_is_kept_out")),
    Mutation("a rollout waits its interval", "plan/rollout.py",
             "if now < ready:", "if False:",
             rollout("a_canary_goes_on_step_by_step_on_evidence")),
    Mutation("traffic sums to 100", "plan/rollout.py",
             "{old: ALL - percent, new: percent}", "{old: ALL, new: percent}",
             rollout("a_canary_goes_on_step_by_step_on_evidence")),
    Mutation("a version on its way is kept out when it fails", "engine/traffic.py",
             "_add_quarantine(observed.ledger, rollout.version, why, at),", "observed.ledger,",
             rollout("a_canary_that_fails_gives_its_traffic_back_and_is_kept_out")),
    Mutation("without data nothing is healthy", "plan/health.py",
             "    if not known:\n", "    if False:\n",
             rollback("without_data_nothing_is_healthy_and_nothing_moves")),
    Mutation("a value that is not there breaks no threshold", "plan/thresholds.py",
             "    if value is None:\n        return None\n    low", "    if value is None:\n        return True\n    low",
             "tests/plan/test_thresholds.py"),
    Mutation("no data does not end an incident", "plan/alerting.py",
             'if judged.state == "ok" and trouble:', 'if judged.state in ("ok", "no-data") and trouble:', ALERTS),
    Mutation("people are told once an incident", "plan/alerting.py",
             '(state == "firing" and not notified)', '(state == "firing")', ALERTS),
    Mutation("a silenced alert tells nobody and moves nothing", "plan/alerting.py",
             'return "inhibited" if inhibited else "silenced" if muted else "firing"',
             'return "inhibited" if inhibited else "firing"',
             rollback("a_silenced_alert_moves_nothing_until_its_time_is_over")),
    Mutation("an alert that fires inhibits those it names", "plan/alerting.py",
             'return "inhibited" if inhibited else "silenced" if muted else "firing"',
             'return "silenced" if muted else "firing"', ALERTS),
    Mutation("lost data of a silenced alert is told to nobody", "plan/alerting.py",
             "(data_lost and not notified and not muted and not inhibited)", "(data_lost and not notified)", ALERTS),
    Mutation("an alert on the data blames the version that served when it began", "plan/rollback.py",
             "(alert.began or alert.since) >= facts.promoted", "alert.since >= facts.promoted",
             rollback("a_silence_that_ends_blames_no_version_that_came_in_under_it")),
    Mutation("another release of a version is no new version", "engine/traffic.py", '"since": since or at', '"since": at',
             rollback("what_the_data_says_blames_the_version_that_served_when_it_began")),
    Mutation("a time without a zone is no moment", "plan/moments.py", "if parsed.tzinfo is None:", "if False:",
             "tests/plan/test_schedule.py::test_a_time_without_a_zone_is_refused"),
    Mutation("a ledger with a moment that is none is refused", "state/ledger.py",
             "if datetime.fromisoformat(at).tzinfo is None:", "if False:", STATE),
    Mutation("the loop trains within the budget", "plan/training.py",
             "if most is None or len(started) < most:", "if True:",
             loop("what_the_loop_trains_by_itself_stays_within_the_budget")),
    Mutation("new data alone trains nothing", "engine/pass_plan.py",
             "if model and not train:", "if False:",
             loop("new_data_is_checked_and_forecast_and_trains_nothing")),
    Mutation("a schedule's moment is dealt with once", "engine/pass_end.py",
             "slots = {**ledger.slots, **{name: format_moment(item.slot) for name, item in pass_plan.handled_schedules.items()}}",
             "slots = dict(ledger.slots)",
             loop("a_forecast_with_a_schedule_waits_for_its_moment_and_is_made_once")),
    Mutation("what comes due while work waits stays due", "engine/pass_plan.py",
             "if self.blocked or self.missing:\n            return {}", "if self.missing:\n            return {}",
             loop("a_run_that_came_due_while_the_data_was_bad_is_made_once_it_is_good")),
    Mutation("what comes due while the data is gone stays due", "engine/pass_plan.py",
             "if self.blocked or self.missing:\n            return {}", "if self.blocked:\n            return {}",
             loop("a_run_that_came_due_while_the_data_was_bad_is_made_once_it_is_good")),
    Mutation("a training without a budget stays due", "engine/pass_plan.py",
             'and not (name == "retrain" and self.refused)', "",
             loop("a_training_that_the_budget_refuses_is_made_once_there_is_budget")),
    Mutation("what is only observed stays due", "engine/pass_plan.py",
             'if resource_mode(self.desired.spec, _SCHEDULED[name]) == "enforce"\n            and not', "if not",
             loop("what_came_due_while_the_loop_observed_is_made_when_it_acts_again")),
    Mutation("observe does nothing", "engine/pass_plan.py",
             'return "enforce" if kind == "data" and setting == "observe" else setting', 'return "enforce"',
             loop("observe_says_what_it_sees_and_does_nothing")),
    Mutation("pause does nothing", "engine/reconcile.py",
             'if spec.forecast.reconcile.mode == "pause":', "if False:",
             loop("pause_does_nothing_at_all")),
    Mutation("what fails for good waits until an input changes", "plan/backoff.py",
             "if permanent or count >= MOST_ATTEMPTS:", "if count >= MOST_ATTEMPTS:",
             setback("work_that_fails_for_good_waits_until_an_input_changes")),
    Mutation("one that fails holds up no other", "engine/reconcile.py",
             "        except Exception as error:  # a defect in one forecast's look does not stop the others",
             "        except KeyError as error:",
             setback("one_forecast_that_fails_holds_up_no_other")),
    Mutation("a defect in the work of one is recorded", "engine/reconcile.py",
             "    except Exception as error:\n        failure = as_error(error)",
             "    except MlspecError as error:\n        failure = as_error(error)", "tests/engine/test_defects.py"),
    Mutation("no record shows a secret that was read", "cli/log_setup.py",
             "return redact_secrets(without_known_secrets(text))", "return redact_secrets(text)", "tests/cli/test_log.py"),
    Mutation("a source that is gone does not end the watch", "engine/pass_plan.py",
             "        if seen is None:\n            raise\n", "        raise\n",
             setback("data_that_is_gone_is_said_once_and_what_serves_is_still_watched")),
    Mutation("one at a time works on a forecast", "engine/reconcile.py",
             'with engine.target.lock_forecast(spec.name, "reconcile", engine.clock(), lock_timeout):', "if True:",
             crash("many_loops_at_once_roll_back_once")),
    Mutation("an alert moves nothing of a forecast that people keep to themselves", "engine/alert_handler.py",
             "if work is None or result.paused or resource_mode(", "if work is None or resource_mode(",
             ANSWERS + "::test_a_forecast_that_people_keep_to_themselves_is_left_alone"),
    Mutation("an alert is not answered by a spec that the loop has left", "engine/alert_handler.py",
             "if observed.ledger.spec != work.desired.spec_hash:", "if False:",
             ANSWERS + "::test_a_spec_whose_version_was_kept_out_is_what_the_loop_goes_by_and_the_answer_leaves_it_to_that"),
    Mutation("a message moves nothing forward", "engine/alert_handler.py",
             "return isinstance(due, Shift)", "return False",
             ANSWERS + "::test_a_rollout_takes_no_step_on_a_message_s_word"),
    Mutation("an alert is answered by one at a time", "engine/alert_handler.py",
             'with target.lock_forecast(forecast, "answer", clock(), 0.0):', "if True:",
             ANSWERS + "::test_nothing_is_done_where_nothing_serves_or_somebody_is_at_work"),
    Mutation("an answer takes what was filed, and no guess", "engine/alert_handler.py",
             "class StepNotRun(MlspecError):", "from mlspec.errors import DataError\n\n\nclass StepNotRun(DataError):",
             ANSWERS + "::test_an_answer_weighs_by_what_was_filed_alone"),
    Mutation("a move and what is remembered of it are one", "engine/traffic.py",
             "            ledger=replace(ledger, spec=desired_forecast.spec_hash),\n"
             "            notices=_pending_notices(work, notices),\n"
             "        )\n    )\n\n\ndef _record_traffic(",
             "        )\n    )\n"
             "    work.record_settlement(Settlement(work.name, ledger=ledger, notices=_pending_notices(work, "
             "notices)))\n\n\ndef _record_traffic(",
             crash("a_pass_that_is_killed_anywhere_is_made_good_by_the_next[turns_bad]")),
    Mutation("what one of several processes records is not cut off", "engine/process_pool.py",
             "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    raise Terminated", "    raise Terminated",
             SIGNALS + "::test_what_one_of_several_processes_records_is_not_cut_off_by_a_signal_that_comes_twice"),
    Mutation("a step that a signal stopped is recorded", "engine/apply.py",
             "    except BaseException as error:\n        record_failure",
             "    except Exception as error:\n        record_failure", SIGNALS),
    Mutation("the same notice goes into the outbox once", "targets/record/write.py",
             "            new.notice.id,\n            new.receiver,",
             "            new.notice.id + str(id(new)),\n            new.receiver,", OUTBOX),
    Mutation("a notice that was not taken is sent again", "engine/deliver.py",
             "        after = reschedule_delivery(pending, clock(), error.problem, permanent=error.permanent, "
             "wait=error.retry_after)\n        target.mark_delivered(after, None)",
             "        after = reschedule_delivery(pending, clock(), error.problem, permanent=error.permanent, "
             "wait=error.retry_after)\n        target.mark_delivered(after, clock())", OUTBOX),
    Mutation("a receiver that asks for time gets it", "plan/delivery.py",
             "max(pause, timedelta(seconds=min(wait or 0.0, GIVE_UP.total_seconds())))", "pause", OUTBOX),
    Mutation("a redirect of a webhook is not followed", "targets/notify/webhook.py",
             "redirect=False)", "redirect=True, retries=2)", WEBHOOK),
    Mutation("a message is signed with its time", "targets/notify/webhook.py",
             'f"{name}.{at}.".encode() + body', 'f"{name}.".encode() + body', WEBHOOK),
    Mutation("an older state is refused before it is upgraded", "targets/record/version.py",
             "if schema < SCHEMA_VERSION:", "if False:", STATE),
    Mutation("an upgrade keeps a copy of what was", "targets/local/database.py",
             "        if not backup.exists():\n", "        if False:\n", STATE),
    Mutation("a file that is changed within a run is read again", "targets/local/digest_cache.py",
             "if known_identity != identity:", "if known_identity is None:",
             "tests/targets/test_contract.py::test_a_file_that_is_changed_behind_a_run_is_told_in_the_run"),
    Mutation("a record that was edited by hand is refused", "targets/record/rows.py",
             "except (ValueError, TypeError, KeyError, AttributeError) as error:", "except ZeroDivisionError as error:", STATE),
    Mutation("what a version in quarantine served counts no more", "jobs/evaluate.py",
             'served[~served[VERSION].isin(request.options.get("quarantined") or ())]', "served", EVIDENCE),
    Mutation("a period is judged by what served it", "forecast/realised.py",
             'return ordered.drop_duplicates([ID, TIME], keep="last")', 'return ordered.drop_duplicates([ID, TIME], keep="first")',
             EVIDENCE),
    Mutation("forecasts stand in the order in which they were made", "jobs/evaluate.py",
             "if role.startswith(prefix)), reverse=True\n", "if role.startswith(prefix))\n", EVIDENCE),
    Mutation("a package that is not ours is never built from", "plan/package_source.py",
             "if canonicalize_name(asked.name) != DISTRIBUTION:", "if False:", PACKAGE),
    Mutation("builds get one version of mlspec", "plan/package_source.py", '''if len(pins) != 1 or pins[0].operator != "==" or''',
             "if", PACKAGE),
    Mutation("a password is not committed with a project", "plan/package_source.py",
             '''if user and user != "git" and not _VARIABLE.fullmatch(user):''', "if False:", PACKAGE),
    Mutation("a commit that only this machine has is no source for builds", "targets/checkout.py",
             '''or not _git(folder, "for-each-ref", "--contains", "HEAD", "refs/remotes/origin"):''', "or False:",
             "tests/targets/test_checkout.py"),
    # --- approval ---
    Mutation("a protected target is changed only with approval", "plan/approval.py",
             " if protect else reasons", " if not protect else reasons", "tests/plan/test_approval.py"),
    Mutation("an apply that needs approval asks before it acts", "engine/provision.py",
             "        approve(reasons)", "        pass", "tests/engine/test_phases.py"),
    Mutation("a destroy asks before it acts", "engine/destroy.py",
             "        approve(self.summary)", "        pass", "tests/engine/test_phases.py"),
)  # fmt: skip
