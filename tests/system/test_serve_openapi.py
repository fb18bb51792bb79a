"""Requests that nobody would think of, made from what OpenAPI says of hutch's own routes."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import hutch
from hutch.server import Admission, build_app

from ..serving import KEY, serving

CHECKS = [
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
]
HEADERS = {"Authorization": f"Apikey {KEY}"}


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    with hutch.open_catalog(tmp_path_factory.mktemp("served") / "store") as catalog:
        with catalog.start_run(plan_name="dwell", sample={"name": "A"}, scan_id=1) as run:
            run.add("primary", {"temperature": 21.4, "wave": [1.0, 2.0]})
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            yield schemathesis.openapi.from_url(f"{address}/hutch/v1/openapi.json", headers=HEADERS)


@pytest.mark.parametrize("names", [{"catalog": "raw"}, {"catalog": "raw", "run": "-1", "stream": "primary"}])
def test_every_request_is_answered_as_openapi_says(schema, names):
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=20, suppress_health_check=list(HealthCheck), database=None)
        def ask(case):
            for name in case.path_parameters or {}:
                case.path_parameters[name] = names.get(name, case.path_parameters[name])
            case.validate_response(case.call(headers=HEADERS), checks=CHECKS)

        ask()
