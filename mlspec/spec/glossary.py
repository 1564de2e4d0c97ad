"""The terms of mlspec, each with one sentence or two: what `mlspec explain` prints and what the page of the glossary shows."""

from __future__ import annotations

TERMS: dict[str, str] = {
    "actual": "what really happened: the demand of a period that is over.",
    "alert": "a metric of a forecast with a threshold. It fires when the threshold was broken as often as `for` says.",
    "apply": "what a person starts: check, backtest, gate, train, release and forecast, each of them if something changed for it.",
    "backfill": "a forecast that is made later for an earlier moment at which none was made. It uses only the rows of that time.",
    "backtest": "forecasts from cutoffs of the past, compared with the actuals that followed.",
    "baseline": 'what a metric compares with: the forecast "as a season ago", or the demand of earlier seasons.',
    "canary": "a new version that serves a share of the series, or of the requests. The earlier version serves the rest.",
    "candidate": "a model that competes in the backtest.",
    "champion": "the candidate that won the backtest, and then the one that serves.",
    "condition": "one aspect of a forecast's state, such as DataReady, with True, False or Unknown and the reason.",
    "contract": "the checks that the data has to pass before a model is trained: `dataset.checks`.",
    "covariate": (
        "a column that may explain demand. Its values are known in advance (`known`), or up to the cutoff (`past`), or they are the"
        " same in all rows of a series (`static`)."
    ),
    "cutoff": "the last period whose data a forecast uses.",
    "DAG": "the pass of the loop as tasks that Airflow runs.",
    "drift": "a change of the distribution of demand.",
    "evaluation": "the comparison of forecasts with the actuals that came later, and the alerts that follow from it.",
    "fallback": "the seasonal-naive model that serves when no good version is left.",
    "forecast": "what one spec file describes, and the rows that it makes: a mean and quantiles for each series and period.",
    "frequency": "the length of a period: a day, a week that ends on Friday, a month.",
    "gate": "the rules that a version has to pass before it serves: `model.gate`.",
    "hold": "a release keeps serving until a person resumes. A person sets a hold, or the loop when it needs a person.",
    "horizon": "how many periods ahead a forecast reaches.",
    "incident": "the time from the moment an alert fires until its metric is measured within the threshold again.",
    "interval": "the range between two quantiles. The 80 % interval lies between 0.1 and 0.9.",
    "known covariate": "a covariate with a plan for the horizon: promotions, prices, holidays.",
    "lead time": "how many periods pass between an order and its delivery.",
    "lineage": "what a version is made of: spec, data, code. The version's name is its digest.",
    "lock": "what lets only one run at a time change a forecast. Another run waits or ends.",
    "loop": "`mlspec reconcile`: it compares what is desired with what is there, and acts on the difference.",
    "mature": "a period is mature when its actuals are known for enough series: `dataset.actuals`.",
    "notice": "a message to people, sent to the receivers under `notify`.",
    "order-up-to level": "the level up to which an order fills the stock.",
    "pass": "one round of the loop over one forecast.",
    "period": "one step of the frequency.",
    "plan": "what apply would do, field by field. With covariates: their values over the horizon.",
    "protection period": "lead time and review period together: how long the stock has to last.",
    "quantile": "a value that demand stays below with that probability.",
    "quarantine": "the state of a version that was rolled back. It is not promoted again until spec, data or code change.",
    "realised": "measured on forecasts that served, and not in a backtest.",
    "record": "what a target remembers: versions, releases, forecasts, events, alerts. Also called its state.",
    "rehearsal": "the replay of the last weeks on a copy, with a fault: `mlspec rehearse`.",
    "release": "a version that serves, with the spec of that moment. It has a number.",
    "reorder point": "the stock at which an order is due.",
    "review period": "how many periods pass between two reviews of the stock.",
    "rollback": "traffic moves back to an earlier version that was good.",
    "rollout": "how a new version takes over: all at once, blue-green or as a canary.",
    "safety stock": "the stock that is kept because demand and lead time are not known exactly.",
    "season": "how many periods pass until demand repeats: 7 days, 52 weeks, 12 months.",
    "segment": "the series that have one value in a column: `by: [Dept]`.",
    "series": "the demand of one thing over time, such as a product in a shop.",
    "service level": "the share of order cycles without a stock-out.",
    "shadow": "a version that forecasts beside the one that serves. Its forecasts are not used.",
    "silence": "a time in which nobody is notified of an alert, and nothing acts on it.",
    "spec": "the YAML file of a forecast.",
    "step": "a part of a pass: check, backtest, gate, train, forecast, inventory.",
    "target": "where a forecast runs and keeps its record: this machine, a team's database, Google Cloud.",
    "version": "a trained model with its lineage.",
    "window": "the periods that a metric looks at; in a backtest, one cutoff and the periods after it.",
}


def find_term(text: str) -> str | None:
    """Return the term that a text names, whatever its capitals, with hyphens or spaces; None if there is none."""
    words = text.replace("-", " ").replace("_", " ").casefold().split()
    return next((term for term in TERMS if term.replace("-", " ").casefold().split() == words), None)
