"""Two documents have one digest where they say the same."""

import numpy as np

from hutch.documents.digests import digest


def test_the_order_of_keys_and_the_kind_of_container_do_not_matter():
    one = {"uid": "a", "data": {"x": [1.0, 2.0], "y": float("nan")}}
    other = {"data": {"y": float("nan"), "x": np.array([1.0, 2.0])}, "uid": "a"}

    assert digest("event", one) == digest("event", other)


def test_the_kind_of_document_and_the_type_of_a_number_do_matter():
    found = {digest("event", {"x": 1}), digest("datum", {"x": 1}), digest("event", {"x": 1.0})}

    assert len(found | {digest("event", {"x": True})}) == 4
