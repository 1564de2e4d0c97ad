"""A model of the project's own competes, is trained, stored and forecasts like any other, and twice the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec import jobs
from mlspec.errors import BrokenModel, DamagedModel
from mlspec.forecast import trees
from mlspec.jobs.files import read_table
from mlspec.models.process import is_state_name
from mlspec.models.storage import pack_archive
from mlspec.state.step import StepRequest
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.models.projects import NAIVE, PROMO, changed, pipeline, write_model


def whole(run: Pipeline) -> dict[str, bytes]:
    """Run all steps with the custom candidate as champion, and return the bytes of what they wrote."""
    facts = run.run("backtest", incumbent=None)
    assert facts["champion"] == "custom", facts
    run.run("train", candidate=facts["champion_candidate"])
    run.run("forecast", version="v1")
    return {role: run.files[role].read_bytes() for role in ("backtest", "model", "forecast")}


def test_the_same_input_gives_the_same_bytes_wherever_the_project_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "another").mkdir()
    # A set of texts has another order with another hash seed, and a model's own random numbers are seeded.
    chance = '        import random\n        self.names = {"x", "y", "z", str(random.random())}\n'
    text = changed("        self.means = {f", f"{chance}        self.means = {{f").replace(
        "json.dumps(self.means, sort_keys=True)", "json.dumps({**self.means, **{n: 0.0 for n in self.names}})"
    )
    assert whole(pipeline(tmp_path / "one", PROMO, text=text)) == whole(
        pipeline(tmp_path / "another", PROMO, text=text)
    )


def test_a_model_file_forecasts_without_the_project(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO)
    expected = whole(run)["forecast"]
    shutil.rmtree(tmp_path / "models")
    run.run("forecast", version="v1")
    assert run.files["forecast"].read_bytes() == expected


def test_a_version_forecasts_with_the_code_that_it_was_trained_with(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO)
    expected = whole(run)["forecast"]
    write_model(tmp_path, changed("assign(mean=means)", "assign(mean=0.0)"))
    run.run("forecast", version="v1")
    assert run.files["forecast"].read_bytes() == expected


def test_what_serves_is_scored_with_its_own_code_beside_the_new_one(tmp_path: Path) -> None:
    run = pipeline(tmp_path, NAIVE, PROMO, backtest={"windows": 2})
    facts = run.run("backtest", incumbent=None)
    candidate = facts["champion_candidate"]
    run.run("train", candidate=candidate)
    write_model(tmp_path, changed("assign(mean=means)", "assign(mean=0.0)"))
    run.files["incumbent"] = run.files["model"]
    again = run.run("backtest", incumbent=candidate)
    assert again["champion"] == "seasonal-naive"
    assert again["incumbent"] == facts["metrics"]
    del run.files["incumbent"]
    alone = run.run("backtest", incumbent=candidate)
    assert (alone["incumbent"], alone["incumbent_broken"]) == (None, True)
    assert "the version that serves" in alone["notes"][0]


def test_it_is_trained_only_with_the_code_that_was_judged(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO)
    facts = run.run("backtest", incumbent=None)
    write_model(tmp_path, changed("weeks=4", "weeks=5"))
    with pytest.raises(BrokenModel, match="the code that it was judged with"):
        run.run("train", candidate=facts["champion_candidate"])


def test_it_gets_the_covariates_under_their_own_names(tmp_path: Path) -> None:
    seen = (
        "        assert list(history) == ['unique_id', 'ds', 'y', 'observed', 'promotion', 'price', 'kind'], list(history)\n"
        "        assert list(future) == ['unique_id', 'ds', 'promotion', 'kind'], list(future)\n"
        "        assert len(future) == 4 and future['promotion'].notna().all() and set(history['kind']) == {'big'}\n"
        "        assert (context.horizon, context.frequency, context.season, context.seed) == (2, 'D', 7, 5), context\n"
        "        assert context.series_columns == ('shop',) and context.quantiles == (0.1, 0.5, 0.9)\n"
        "        assert (context.known, context.past, context.static) == (('promotion',), ('price',), ('kind',))\n"
    )
    write_model(tmp_path, changed("        self.means = {f", f"{seen}        self.means = {{f"))
    covariates = {"known": ["promotion"], "past": ["price"], "static": ["kind"]}
    run = Pipeline(
        tmp_path, model={"candidates": [PROMO], "gate": [], "seed": 5, "backtest": {"windows": 1}}, inventory=None,
        dataset={"covariates": covariates, "future": {"uri": "data/plan.csv"}},
    )  # fmt: skip
    lines = sales().splitlines()
    rows = [
        f"{lines[0]},promotion,price,kind",
        *(f"{line},{number % 2},{number / 2},big" for number, line in enumerate(lines[1:])),
    ]
    plan = ["shop,day,promotion", *(f"{shop},2024-02-{day},1" for shop in ("001", "NA") for day in (12, 13))]
    run.data("\n".join(rows) + "\n").data("\n".join(plan) + "\n", "plan.csv")
    assert run.check()["ok"], run.facts
    assert run.run("backtest", incumbent=None)["champion"] == "custom"


def test_an_ensemble_of_it_and_trees_is_stored_and_forecasts(tmp_path: Path) -> None:
    both = {"kind": "ensemble", "of": ["custom", "gradient-boosting"]}
    boosting = {"kind": "gradient-boosting", "lags": [1, 7], "iterations": 5}
    run = pipeline(tmp_path, PROMO, boosting, both)
    run.run("backtest", incumbent=None)
    members = [{**PROMO, "digest": run.facts["backtest"]["champion_candidate"].get("digest", "")}, boosting]
    candidate: dict[str, Any] = {
        "kind": "ensemble",
        "name": "ensemble",
        "of": ["custom", "gradient-boosting"],
        "members": members,
    }
    if not members[0]["digest"]:
        from mlspec.models.code import find_model_code

        members[0]["digest"] = find_model_code(tmp_path, PROMO["class"]).digest
    run.run("train", candidate=candidate)
    run.run("forecast", version="v1")
    assert len(read_table(run.files["forecast"])) == 4


def test_a_model_file_whose_code_was_exchanged_is_refused(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO)
    whole(run)
    parts = trees.unpack_archive(run.files["model"].read_bytes())
    member = trees.unpack_archive(parts["member-0"])
    for name, content in (
        ("code/models/promo.py", b"print('other')\n"),
        ("code/../../evil.py", b""),
        ("state/../up", b""),
    ):
        changed_member = pack_archive({**member, name: content})
        run.files["model"].write_bytes(pack_archive({**parts, "member-0": changed_member}))
        with pytest.raises(DamagedModel):
            run.run("forecast", version="v1")


def test_predictions_of_a_server_are_those_of_the_step(tmp_path: Path) -> None:
    run = pipeline(tmp_path, PROMO)
    whole(run)
    expected = read_table(run.files["forecast"])
    out = tmp_path / "served"
    out.mkdir()
    answer = jobs.predict_apart(StepRequest("forecast", run.spec, out, out, dict(run.files), {"version": "v1"}))
    assert list(answer.positions) == ["001", "NA"]
    assert {name: values.tolist() for name, values in answer.columns.items()} == {
        name: expected[name].tolist() for name in ("mean", "q0.1", "q0.5", "q0.9")
    }


def test_one_that_breaks_behind_a_server_is_told_by_its_line_and_answers_again_once_it_is_well(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    text = changed(
        '        days = future["ds"]',
        f'        assert not __import__("os").path.exists({str(flag)!r})\n        days = future["ds"]',
    )
    run = pipeline(tmp_path, PROMO, text=text)
    whole(run)
    flag.write_text("")
    out = tmp_path / "served"
    out.mkdir()
    asked = StepRequest("forecast", run.spec, out, out, dict(run.files), {"version": "v1"})
    with pytest.raises(BrokenModel, match=r"^candidate 'custom': models/promo\.py:17: AssertionError$"):
        jobs.predict_apart(asked)
    with pytest.raises(BrokenModel, match=r"^v1: candidate 'custom': models/promo\.py:17: AssertionError$"):
        run.run("forecast", version="v1")
    flag.unlink()
    assert list(jobs.predict_apart(asked).positions) == ["001", "NA"]


@given(st.text(max_size=20))
def test_a_saved_name_never_leaves_its_folder(name: str) -> None:
    if is_state_name(name):
        assert not name.startswith("/")
        assert not {"", ".", ".."} & set(name.split("/"))


OWN = changed(
    "assign(mean=means)",
    'assign(mean=means, **{"q0.1": [m - 9 for m in means], "q0.5": means, "q0.9": [m + 9 for m in means]})',
)


def test_its_own_quantiles_are_corrected_by_their_own_past_errors(tmp_path: Path) -> None:
    """Intervals that are too wide get as narrow as past errors say, and stay in order; the mean is not touched."""
    (tmp_path / "own").mkdir()
    (tmp_path / "none").mkdir()
    windows = {"windows": 6, "step": 1}
    own = pipeline(tmp_path / "own", PROMO, text=OWN, backtest=windows)
    whole(own)
    none = pipeline(tmp_path / "none", PROMO, backtest=windows)
    whole(none)
    with_own, without = read_table(own.files["forecast"]), read_table(none.files["forecast"])
    assert with_own["mean"].tolist() == without["mean"].tolist()
    assert (with_own["q0.1"] <= with_own["q0.5"]).all()
    assert (with_own["q0.5"] <= with_own["q0.9"]).all()
    # Constant distances from the mean say nothing that the errors of the mean do not say, but for how series are scaled, and how
    # large the errors of each are.
    for column in ("q0.1", "q0.5", "q0.9"):
        assert with_own[column].tolist() == pytest.approx(without[column].tolist(), rel=0.05)


def test_own_quantiles_that_know_more_of_a_series_give_it_another_width(tmp_path: Path) -> None:
    wider = '"q0.1": [m - 9 * (s == "NA") for m, s in zip(means, future["unique_id"])]'
    text = OWN.replace('"q0.1": [m - 9 for m in means]', wider)
    run = pipeline(tmp_path, PROMO, text=text, backtest={"windows": 4, "step": 1})
    whole(run)
    rows = read_table(run.files["forecast"])
    width = (rows["mean"] - rows["q0.1"]).groupby(rows["shop"]).mean()
    assert width["NA"] > width["001"] + 3
