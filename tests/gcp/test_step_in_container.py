"""`mlspec step` on files in buckets, as a container on Google Cloud runs it, in the test's own process."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import pytest

from mlspec.cli import far_step
from mlspec.targets.gcp.jobs.remote_steps import find_step_key
from tests.gcp import platform
from tests.gcp.acme import Acme

OUT = "steps/one"


def models(acme: Acme) -> Any:
    """The bucket that steps write to."""
    return platform.storage(acme.project).bucket(platform.bucket(acme.project, "models"))


def step(acme: Acme, capsys: pytest.CaptureFixture[str], name: str, *words: str) -> int:
    """Run a step on the spec as the record keeps it."""
    address = f"gs://{models(acme).name}"
    (shown,) = acme.asked(capsys, "show", "specs/demand.yaml")["forecasts"]
    models(acme).blob("spec.json").upload_from_string(json.dumps(shown["spec"]))
    return acme.run("step", name, "--spec", f"{address}/spec.json", "--out", f"{address}/{OUT}", *words)


def result(acme: Acme) -> Any:
    return json.loads(models(acme).blob(f"{OUT}/result.json").download_as_bytes())


def test_facts_and_files_of_a_step_are_in_the_bucket_and_a_later_step_reads_them(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step(acme, capsys, "check") == 0
    checked = result(acme)
    assert checked["facts"]["ok"] is True
    assert {f"{OUT}/{name}" for name in checked["outputs"].values()} <= set(acme.objects("models"))
    address = f"gs://{models(acme).name}/{OUT}"
    roles = [f"{role}={address}/{checked['outputs'][role]}" for role in ("panel", "series")]
    assert step(acme, capsys, "backtest", "--in", roles[0], "--in", roles[1]) == 0
    assert result(acme)["facts"]["champion"] == "seasonal-naive"


def test_an_error_of_a_step_is_in_the_bucket_for_the_process_that_waits(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.data("shop,day\n1,2024-01-01\n")
    code = step(acme, capsys, "check")
    assert (code, capsys.readouterr().err != "") == (1, True)
    assert "units" in json.dumps(result(acme))


def test_an_input_that_is_not_there_and_an_address_that_names_no_object_are_refused(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    assert step(acme, capsys, "backtest", "--in", f"panel=gs://{models(acme).name}/nothing") == 2
    assert "does not exist" in capsys.readouterr().err
    assert step(acme, capsys, "backtest", "--in", "panel=gs://bucket-alone") == 2
    assert "write gs://bucket/folder/name" in capsys.readouterr().err


def test_what_is_kept_is_of_a_step_that_the_loop_started_and_of_the_container_s_own_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str, str]] = []

    class Containers:
        find_step_key = staticmethod(find_step_key)

        def keep_unfinished(self, forecast: str, step: str, key: str) -> AbstractContextManager[None]:
            asked.append((forecast, step, key))
            return nullcontext()

    def ask(step: Any, out: str, **libraries: str) -> None:
        monkeypatch.setattr(far_step, "model_libraries", lambda: libraries)
        far_step._keep_unfinished(cast("Any", Containers()), "demand", step, out)

    of_loop = f"forecasts/demand/steps/{'0' * 64}"
    for out in ("steps/one", f"{of_loop}/instances", of_loop.replace("demand", "bikes"), f"{of_loop[:-1]}"):
        ask("backtest", out, numpy="1")
    ask("train", of_loop, numpy="1")  # it keeps nothing
    assert asked == []
    for version in ("1", "2", "1"):
        ask("backtest", of_loop, numpy=version)
    first, other, again = asked
    assert first[:2] == ("demand", "backtest")
    assert first == again != other
