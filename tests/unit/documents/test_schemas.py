"""Documents held against event-model's schemas."""

import event_model
import pytest

from hutch.documents.schemas import SCHEMAS, problems


@pytest.fixture
def documents():
    run = event_model.compose_run()
    stream = run.compose_descriptor(
        name="primary", data_keys={"x": {"source": "test", "dtype": "number", "shape": []}}
    )
    event = stream.compose_event(data={"x": 1.0}, timestamps={"x": 1.0})
    resource = run.compose_resource(spec="HDF", root="/", resource_path="a.h5", resource_kwargs={})
    datum = resource.compose_datum(datum_kwargs={})
    files = run.compose_stream_resource(
        mimetype="application/x-hdf5", uri="file://localhost/a.h5", data_key="img", parameters={}
    )
    slices = files.compose_stream_datum(
        {"start": 0, "stop": 1}, {"start": 1, "stop": 2}, stream.descriptor_doc
    )
    return {
        "start": run.start_doc,
        "descriptor": stream.descriptor_doc,
        "event": event,
        "event_page": event_model.pack_event_page(event),
        "resource": resource.resource_doc,
        "datum": datum,
        "datum_page": event_model.pack_datum_page(datum),
        "stream_resource": files.stream_resource_doc,
        "stream_datum": slices,
        "stop": run.compose_stop(),
    }


def test_what_event_model_composes_has_no_problems(documents):
    assert documents.keys() == SCHEMAS.keys()
    assert {kind: problems(kind, document) for kind, document in documents.items()} == dict.fromkeys(
        SCHEMAS, []
    )


@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_empty_document_lacks_what_it_must_have(kind):
    found = problems(kind, {})

    assert found
    assert {place for place, _ in found} == {kind}
    assert any("required" in sentence for _, sentence in found)


def test_each_problem_is_named_with_its_place(documents):
    descriptor = documents["descriptor"] | {"time": "noon", "name": 5}
    descriptor["data_keys"] = {"x": {"source": "test", "dtype": "complex", "shape": []}}

    assert {place for place, _ in problems("descriptor", descriptor)} == {"time", "name", "data_keys.x.dtype"}


def test_problems_are_bounded():
    keys = {f"key{number}": {} for number in range(1000)}
    found = problems("descriptor", {"data_keys": keys})

    assert len(found) == 20
    assert max(len(sentence) for _, sentence in found) <= 300


@pytest.mark.parametrize(
    "odd",
    [{"\ud800": 1}, {"a": "\ud800"}, {"a": 10**400}, {"a": float("nan")}, {"a": [[[[[[[[[[1]]]]]]]]]]}],
    ids=["key", "text", "integer", "nan", "lists"],
)
def test_odd_values_do_not_break_the_check(odd):
    found = problems("start", {"uid": "u", "time": 1.0, **odd})

    assert all(sentence.startswith("cannot be checked") for _, sentence in found)
