import copy

import event_model
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hutch
from hutch.errors import ConfigurationError

VALUES = st.one_of(
    st.floats(allow_nan=False),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.lists(st.integers(-5, 5), max_size=3),
    st.lists(st.lists(st.floats(-1, 1), min_size=2, max_size=2), min_size=1, max_size=2),
)


def test_documents_come_back_as_recorded_in_order_of_arrival(catalog, record, compose):
    rows = {
        "primary": [{"x": 1.5, "n": 1}, {"x": 2.5, "n": 2}],
        "monitor": [{"m": "a"}, {"m": None}, {"m": "c"}],
    }
    documents = compose(streams=rows, sample={"name": "A"}, stop="fail")
    expected = copy.deepcopy(documents)
    record(documents)
    assert list(catalog[-1].documents(fill="no")) == expected


def test_a_run_without_stop_replays_what_it_has(catalog, record, compose):
    documents = compose(stop=None)
    record(documents)
    assert list(catalog[-1].documents(fill="no")) == documents


def test_pages_come_back_as_events(catalog, record):
    bundle = event_model.compose_run()
    descriptor = bundle.compose_descriptor(
        name="primary", data_keys={"x": {"source": "test", "dtype": "number", "shape": []}}
    )
    page = descriptor.compose_event_page(
        data={"x": [1.0, 2.0]}, timestamps={"x": [0.0, 1.0]}, seq_num=[1, 2], time=[0.0, 1.0]
    )
    events = [("event", dict(event)) for event in event_model.unpack_event_page(page)]
    stop = bundle.compose_stop()
    start = [("start", bundle.start_doc), ("descriptor", descriptor.descriptor_doc)]
    record([*start, ("event_page", page), ("stop", stop)])
    assert list(catalog[-1].documents(fill="no")) == [*start, *events, ("stop", stop)]


def test_numpy_values_come_back_as_plain_ones(catalog, record, compose):
    documents = compose(streams={"primary": [{"x": np.float64(0.5), "a": np.arange(3)}] * 2})
    record(documents)
    events = [document for name, document in catalog[-1].documents(fill="no") if name == "event"]
    assert events[0]["data"] == {"x": 0.5, "a": [0, 1, 2]}
    assert type(events[0]["data"]["x"]) is float


def test_long_runs_are_replayed_completely(catalog, record, compose):
    rows = {"primary": [{"x": float(number)} for number in range(5000)], "slow": [{"y": 1}] * 500}
    documents = compose(streams=rows)
    record(documents)
    assert list(catalog[-1].documents(fill="no")) == documents


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), min_size=1, max_size=6))
def test_whatever_events_hold_comes_back(catalog, record, compose, rows):
    documents = compose(streams={"primary": rows})
    uid = record(documents)
    found = list(catalog[uid].documents(fill="no"))
    assert found == documents
    assert [_types(document["data"]) for name, document in found if name == "event"] == list(
        map(_types, rows)
    )
    dataset = catalog[uid].primary.read()
    assert dataset.sizes["time"] == len(rows)


def _types(data):
    return {key: type(value) for key, value in data.items()}


@pytest.mark.parametrize("fill", ["maybe", True, None, 1])
def test_another_fill_is_refused_at_once(catalog, record, fill):
    record()
    with pytest.raises(ConfigurationError, match="is none of 'yes', 'no', 'delayed'"):
        catalog[-1].documents(fill=fill)
    with pytest.raises(ValueError, match="is none of"):
        catalog[-1].documents(fill=fill)


def test_fill_has_no_default(catalog, record):
    record()
    with pytest.raises(TypeError, match="fill"):
        catalog[-1].documents()


def test_canonical_is_the_old_name_of_documents(catalog, record):
    record()
    with pytest.warns(DeprecationWarning, match=r"Run\.canonical is now Run\.documents"):
        found = list(catalog[-1].canonical(fill="no"))
    assert found == list(catalog[-1].documents(fill="no"))


def test_restream_calls_back_with_every_document(catalog, record, tmp_path):
    record()
    with hutch.open_catalog(tmp_path / "copy") as other:
        catalog[-1].restream(other.recorder())
        assert list(other[-1].documents(fill="no")) == list(catalog[-1].documents(fill="no"))


def test_event_model_takes_the_replay(catalog, record):
    record(streams={"primary": [{"x": 1.0}], "baseline": [{"y": 2.0}]})
    seen = []

    class Router(event_model.SingleRunDocumentRouter):
        def event(self, doc):
            seen.append((self.get_stream_name(doc), doc["data"]))

    catalog[-1].restream(Router())
    assert seen == [("primary", {"x": 1.0}), ("baseline", {"y": 2.0})]
