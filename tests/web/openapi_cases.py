"""The cases of `test_openapi_fuzz.py`: schemathesis makes them of the document when it collects this file."""

from __future__ import annotations

import schemathesis
from hypothesis import settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from mlspec.web.access import Access
from tests.web.in_process import InProcessServer, cached_forecast
from tests.web.what_if_stand_in import PROMOTED, assume

SERVER = InProcessServer(
    {
        "demand": cached_forecast("1/95", "2/95", dataset={"series": ["store", "dept"]}),
        "bikes": cached_forecast("all", dataset={"series": [], "covariates": {"events": {"promo": ["2024-02-12"]}}}),
        "shops": cached_forecast("1", "2", dataset=PROMOTED),
    },
    Access(hosts=frozenset({"testserver", "localhost"})),
    what_if=assume,
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
schema = schemathesis.openapi.from_asgi("/openapi.json", SERVER.app)


@schema.parametrize()
@settings(max_examples=15)
def test_every_answer_is_one_of_the_document(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS)
    assert SERVER.said == []
