"""Devices by name and by label."""

from __future__ import annotations

import copy
import pickle

import pytest
from ophyd.sim import SynAxis

from hutch.bluesky.devices import Devices
from hutch.errors import DeviceNotFoundError


@pytest.fixture
def devices() -> Devices:
    names = ["theta", "two_theta", "keys", "s 1"]
    labels = {"theta": ["motors", "baseline"], "two_theta": ["motors"]}
    return Devices({name: SynAxis(name=name) for name in names}, labels, {"lost": "line 3: no answer"})


def test_a_device_is_found_by_its_name_in_both_ways(devices: Devices) -> None:
    assert devices["theta"] is devices.theta
    assert devices["s 1"].name == devices["keys"].name.replace("keys", "s 1")
    assert list(devices.keys()) == ["theta", "two_theta", "keys", "s 1"]


def test_a_name_that_is_not_there_is_an_error_with_near_ones(devices: Devices) -> None:
    with pytest.raises(DeviceNotFoundError, match="no device 'thet'. Did you mean 'theta'"):
        devices.thet  # noqa: B018 - it raises
    with pytest.raises(KeyError, match="There is no device 'xyz'. There are 4 others."):
        devices["xyz"]
    assert "xyz" not in devices
    assert not hasattr(devices, "xyz")


def test_a_device_that_failed_says_why(devices: Devices) -> None:
    with pytest.raises(AttributeError, match="'lost' is not there: line 3: no answer"):
        devices.lost  # noqa: B018 - it raises


def test_labels_choose_devices(devices: Devices) -> None:
    assert list(devices.with_label("motors")) == ["theta", "two_theta"]
    assert devices.baseline == [devices.theta]
    assert devices.labels == {"baseline": ["theta"], "motors": ["theta", "two_theta"]}
    assert list(devices.with_label("mirrors")) == []


def test_it_prints_as_a_table(devices: Devices) -> None:
    assert repr(devices).splitlines() == [
        "device     class    labels",
        "theta      SynAxis  baseline, motors",
        "two_theta  SynAxis  motors",
        "keys       SynAxis",
        "s 1        SynAxis",
        "not there: lost: line 3: no answer",
    ]


def test_names_are_completed(devices: Devices) -> None:
    assert devices._ipython_key_completions_() == list(devices)
    assert {"theta", "with_label"} <= set(dir(devices))
    assert "s 1" not in dir(devices)


def test_asking_for_private_names_is_no_look_up(devices: Devices) -> None:
    assert list(copy.copy(devices)) == list(devices)
    assert pickle.loads(pickle.dumps(Devices({}))).failures == {}  # noqa: S301 - our own
