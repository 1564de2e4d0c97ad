"""Keys and tokens are refused wherever they stand, and travel in no fault, whatever else is wrong with their line."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.cli.faults import as_github, as_json, as_sarif, as_text
from mlspec.spec import read_specs
from mlspec.spec.secrecy import REDACTED, looks_secret, redact_secrets
from tests.examples import project, spec_text

# Made up, each of its issuer's form; joined here so that no scanner of this repository takes one for real.
KEYS = {
    "google": "AI" + "zaSy" + "D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T",
    "oauth": "GOC" + "SPX-abcdefghij0123456789KLMN", "github": "gh" + "p_" + "a1B2c3D4e5F6" * 3,
    "slack": "xo" + "xb-123456789012-AbCdEf", "aws": "AK" + "IA" + "ABCDEFGHIJKLMNOP",
    "stripe": "sk_" + "live_" + "0123456789abcdefghij",
    "pem": "-----BEGIN " + "PRIVATE KEY-----",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9.ey" + "JzdWIiOiIxMjM0NTY3ODkwIn0.s5vC1xQm",
    "webhook": "https://hooks.slack.com/services/" + "T00/B00/abcdefgh", "password": "postgres://planner:hunter2hunter2@db/sales",
    "aws-secret": "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY",  # AWS's own example, in its documentation
    "aws-named": "aws_secret_access_" + "key = abcdefghijABCDEFGHIJabcdefghijABCDEFGHIJ",
    "pagerduty": "https://events.pagerduty.com/integration/" + "0123456789abcdef0123456789abcdef/enqueue",
    "pagerduty-eu": "https://events.eu.pagerduty.com/integration/" + "R0123456789abcdef0123456789abcde/enqueue",
    "teams": "https://prod-12.westeurope.logic.azure.com:443/workflows/" + "0123456789abcdef/triggers/manual/paths/invoke",
    "sendgrid": "SG." + "abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789abcdefg",
    "azure": "DefaultEndpointsProtocol=https;AccountName=acme;Account" + "Key=aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbcccccccc==",
    "random": "mY7Zq9Kd0Lw3Xv8Rt5Nb2Hc6Jf1PgUeSaTi4Oy",
}  # fmt: skip
PARTS = [
    "D4e5F6g7H8i9",
    "abcdefghij0123456789KLMN",
    "a1B2c3D4e5F6",
    "123456789012-AbCdEf",
    "ABCDEFGHIJKLMNOP",
    "hunter2",
    "mY7Zq9Kd0Lw3",
    "wJalrXUtnFEMI",
    "abcdefghijABCDEFGHIJ",
    "0123456789abcdef0123",
    "/triggers/manual",
    "abcdefghijklmnopqrstuv",
    "aaaaaaaaaaaaaaaabbbb",
]


@pytest.mark.parametrize("kind", KEYS)
def test_the_form_of_a_key_is_told_and_blotted_out(kind: str) -> None:
    key = KEYS[kind]
    assert looks_secret(f"see {key} there")
    assert REDACTED in redact_secrets(f"see {key} there")
    assert not any(part in redact_secrets(key) for part in PARTS)


@given(st.binary(min_size=30, max_size=48))
def test_blotted_text_looks_like_no_secret(raw: bytes) -> None:
    assert not looks_secret(redact_secrets(f"key: {base64.b64encode(raw).decode()} # {KEYS['google']}"))


@pytest.mark.parametrize("text", [
    "data/walmart_sales_weekly.csv", "Weekly sales per store and department, corrected for returns",
    "WeeklySalesByStoreAndDepartment2024Final",
    "supply-chain-planning-south-america@example.com", "gs://acme-Forecasting-data-Prod/exports/2024/Sales_v2.parquet",
    "https://github.com/HypothesisWorks/hypothesis/blob/master/README.md", "8ced2f59f5c7bea3344e35d2d53e1f8f8eb9fcd8",
    "SELECT Store, SUM(Weekly_Sales) FROM `acme-prod.sales.weekly_2024` WHERE Dept IN (1, 2) GROUP BY Store",
    "2024-01-01T00:00:00Z", "https://events.pagerduty.com/v2/enqueue", "https://support.pagerduty.com/docs/services-and-integrations",
    "the secret key of demand is in Secret Manager", "SELECT sum(units) AS units FROM sales WHERE token=1 AND sig=2",
])  # fmt: skip
def test_what_people_write_is_no_secret(text: str) -> None:
    assert not looks_secret(text)
    assert redact_secrets(text) == text


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("place", [
    "metadata: {name: demand, description: 'KEY'}", "metadata: {name: demand, owner: 'KEY'}",
    "metadata: {name: demand, nmae: 'KEY'}",
    "metadata: {name: 'KEY'}", "metadata: {name: demand, 'KEY': x}", "metadata: {name: demand, description: ['KEY']}",
    "metadata: {name: demand, labels: {team: 'KEY'}}", "metadata: {name: demand}\nnotify: [{webhook: {secret: 'KEY'}}]",
    "metadata: {name: demand}\nnotify: [{pubsub: 'KEY'}]", "metadata: {name: demand, description: 'KEY', name: twice}",
    "metadata: {name: demand, description: 'KEY'\n", "metadata: {name: demand}\ntargets: {local: {metadata: {description: 'KEY'}}}",
])  # fmt: skip
def test_a_key_anywhere_in_a_spec_is_refused_and_stands_in_no_output(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: str
) -> None:
    text = spec_text().replace("metadata:\n  name: demand", place.replace("KEY", KEYS[kind]))
    root = project(tmp_path_factory.mktemp("p") / "project", demand=text)
    faults = read_specs([root / "specs"], root, "local").faults
    assert faults
    said = as_text(faults) + as_json(faults, 1) + as_sarif(faults) + as_github(faults)
    assert not any(part in said for part in PARTS)
