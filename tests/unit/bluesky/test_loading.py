"""Devices from a file: what becomes of each entry, and what is said of those that are wrong."""

# ruff: noqa: N802, N803, N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from bluesky.plans import scan
from bluesky.run_engine import get_bluesky_event_loop
from ophyd import EpicsMotor, Signal
from ophyd.sim import SynAxis
from ophyd_async.core import Device, NotConnectedError, soft_signal_rw
from ophyd_async.sim import SimMotor

from hutch.bluesky import load_devices
from hutch.errors import ConfigurationError, DevicesFailedError


class Broken(Signal):
    """Can't be made."""

    def __init__(self, *, name: str) -> None:
        raise RuntimeError("there is no power")


class Silent(Signal):
    """Never answers."""

    waits = 0

    @property
    def connected(self) -> bool:
        return False

    def wait_for_connection(self, timeout: float = 0.0) -> None:
        Silent.waits += 1
        raise TimeoutError("no answer")


class SilentAsync(Device):
    """Never answers, in the way of ophyd-async, unless it is simulated."""

    async def connect(self, mock: Any = False, timeout: float = 10.0, force_reconnect: bool = False) -> None:
        if not mock:
            raise NotConnectedError("no answer")


class Soft(Device):
    """Has one signal in memory."""

    def __init__(self, name: str = "") -> None:
        self.value = soft_signal_rw(float)
        super().__init__(name=name)


ready = SynAxis(name="ready")


def pair(name: str) -> list[Signal]:
    """Make two devices."""
    return [Signal(name=f"{name}_x"), Signal(name=f"{name}_y")]


def nothing(name: str) -> int:
    """Make no device."""
    return 5


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "these_devices", sys.modules[__name__])


def _problems(load: Any, text: str, **options: Any) -> list[str]:
    """Return what is said of a file, without the head of the message."""
    with pytest.raises(ConfigurationError, match=r"devices\.yml' can't be used:") as caught:
        load(text, **options)
    return [line.removeprefix("  - ") for line in str(caught.value).splitlines()[1:]]


# What a file may hold


def test_each_entry_is_a_device_made_with_its_keywords(load: Any) -> None:
    devices = load(
        "ophyd.sim.SynAxis:\n"
        "- {name: theta, value: 12.5, labels: [motors, baseline]}\n"
        "- name: x\n"
        "ophyd.Signal:\n"
        "- name: note\n"
        "  value: {nested: [1, 2.5, null]}\n"
    )
    assert list(devices) == ["theta", "x", "note"]
    assert isinstance(devices.theta, SynAxis)
    assert devices["theta"].position == 12.5
    assert devices.note.get() == {"nested": [1, 2.5, None]}


def test_labels_are_those_of_the_file_and_of_the_device(load: Any) -> None:
    devices = load("ophyd.sim.SynAxis:\n- {name: theta, labels: [motors, baseline]}\n- {name: x}\n")
    assert devices.labels == {"baseline": ["theta"], "motors": ["theta"]}
    assert devices.theta._ophyd_labels_ == {"motors", "baseline"}


def test_a_class_in_a_class_is_named_with_a_colon(load: Any) -> None:
    Signal.Inner = SynAxis
    try:
        assert isinstance(load("ophyd:Signal.Inner:\n- {name: a}\n")["a"], SynAxis)
    finally:
        del Signal.Inner


def test_a_function_may_make_one_device_or_several(load: Any) -> None:
    devices = load(
        "these_devices.pair:\n- {name: slit, labels: [slits]}\n"
        "hutch.bluesky.creators.factory_base:\n"
        '- {creator: ophyd.sim.SynAxis, names: "s{:02}", first: 1, last: 3, value: 7}\n'
    )
    assert list(devices) == ["slit_x", "slit_y", "s01", "s02", "s03"]
    assert devices.labels == {"slits": ["slit_x", "slit_y"]}
    assert devices.s02.position == 7


def test_the_functions_of_bits_are_there_without_bits(load: Any) -> None:
    devices = load(
        "apsbits.utils.sim_creator.predefined_device:\n"
        "- {creator: these_devices.ready, name: sim_motor, labels: [motors]}\n"
        "- {creator: ophyd.sim.noisy_det}\n"
        "apsbits.utils.sim_creator.motors:\n"
        '- {prefix: "ioc:m", first: 7, last: 8, labels: [motors]}\n',
        mock=True,
    )
    assert list(devices) == ["sim_motor", "noisy_det", "m7", "m8"]
    assert devices.labels["motors"] == ["sim_motor", "m7", "m8"]
    assert devices.m8.prefix == "ioc:m8"


def test_classes_may_be_given_in_code(load: Any) -> None:
    assert isinstance(load("motor:\n- {name: a}\n", creators={"motor": SynAxis}).a, SynAxis)


def test_yaml_anchors_and_merges_work(load: Any) -> None:
    devices = load(
        "ophyd.sim.SynAxis:\n- &first {name: a, value: 3, labels: [motors]}\n- {<<: *first, name: b}\n"
    )
    assert [devices.b.position, devices.labels] == [3, {"motors": ["a", "b"]}]


@pytest.mark.parametrize("text", ["", "# all of it is commented out\n", "ophyd.Signal:\n# - {name: a}\n"])
def test_a_file_may_ask_for_nothing(load: Any, text: str) -> None:
    assert len(load(text)) == 0


def test_a_module_beside_the_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "hall_7.py").write_text("from ophyd.sim import SynAxis as Table\n")
    (tmp_path / "devices.yml").write_text("hall_7.Table:\n- name: table\n")
    program = "import sys, hutch; print(list(hutch.bluesky.load_devices(sys.argv[1])))"
    command = [sys.executable, "-c", program, str(tmp_path / "devices.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd="/")
    assert done.stdout == "['table']\n"


# ophyd-async, and hardware that is simulated


def test_devices_of_ophyd_async_are_connected_and_have_labels(load: Any, event_loop: Any) -> None:
    devices = load("ophyd_async.sim.SimMotor:\n- {name: stage, instant: true, labels: [motors, baseline]}\n")
    assert isinstance(devices.stage, SimMotor)
    assert devices.baseline == [devices.stage]
    assert devices.stage._ophyd_labels_ == {"motors", "baseline"}


def test_process_variables_are_simulated_on_request(load: Any, event_loop: Any) -> None:
    devices = load(
        'ophyd.EpicsMotor:\n- {name: m1, prefix: "ioc:m1"}\nthese_devices.SilentAsync:\n- {name: mute}\n',
        mock=True,
    )
    assert isinstance(devices.m1, EpicsMotor)
    assert list(devices) == ["m1", "mute"]
    assert devices.m1.read()["m1"]["value"] == 0


def test_a_run_engine_uses_devices_that_were_connected_before_it_was_made(
    load: Any, make_run_engine: Any, cat: Any
) -> None:
    devices = load(
        "ophyd_async.sim.SimMotor:\n- {name: stage, instant: true}\n"
        "these_devices.Soft:\n- {name: soft}\n"
        "ophyd.sim.SynAxis:\n- {name: theta, value: 3, labels: [baseline]}\n"
    )
    assert devices.event_loop is get_bluesky_event_loop()
    RE = make_run_engine(devices=devices)
    RE(scan([devices.theta], devices.stage, 0, 1, 3))
    assert cat[-1].primary.read()["stage"].values.tolist() == [0, 0.5, 1]
    assert cat[-1].baseline.read()["theta"].values.tolist() == [3, 3]


def test_devices_are_connected_in_the_loop_of_a_run_engine_that_is_there(
    load: Any, make_run_engine: Any
) -> None:
    RE = make_run_engine()
    assert load("these_devices.Soft:\n- {name: soft}\n").event_loop is RE.loop


def test_the_label_baseline_and_devices_that_are_given_make_the_baseline(
    load: Any, make_run_engine: Any
) -> None:
    devices = load("ophyd.sim.SynAxis:\n- {name: a, labels: [baseline]}\n- {name: b, labels: [baseline]}\n")
    more = SynAxis(name="c")
    RE = make_run_engine(devices=devices, baseline=[more, devices.a])
    assert RE.supplemental.baseline == [more, devices.a, devices.b]


# What is wrong with a file


def test_all_problems_of_a_file_are_named_at_once_with_their_lines(load: Any) -> None:
    assert _problems(
        load,
        "ophyd.sim.SynAxi:\n"
        "- name: theta\n"
        "ophyd.Signal:\n"
        "- {name: a, valu: 3}\n"
        "- {nam: b}\n"
        "- name: a\n"
        "nowhere.Thing:\n"
        "- name: theta\n"
        "ophyd.sim.SynAxis:\n"
        "- {name: c, velocty: 3}\n",
    ) == [
        "line 1, ophyd.sim.SynAxi: there is no 'SynAxi' in 'ophyd.sim'; did you mean 'SynAxis'?",
        "line 4, ophyd.Signal 'a': there is no keyword 'valu'; did you mean 'value'?",
        "line 5, ophyd.Signal: it needs 'name'; is 'nam' meant?",
        "line 5, ophyd.Signal: there is no keyword 'nam'; did you mean 'name'?",
        "line 6, ophyd.Signal 'a': the name is taken by the device on line 4",
        "line 7, nowhere.Thing: there is no module 'nowhere'; is its package installed?",
        "line 8, nowhere.Thing 'theta': the name is taken by the device on line 2",
        "line 10, ophyd.sim.SynAxis 'c': there is no keyword 'velocty'",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("motor:\n- {name: a}\n", "line 1, motor: it is no path of a class; write package.module.Class"),
        (".sim.X:\n- {name: a}\n", "line 1, .sim.X: it is no path of a class; write package.module.Class"),
        ("ophyd.x.Y:\n- {name: a}\n", "line 1, ophyd.x.Y: there is no module 'ophyd.x'"),
        ("ophyd.Signal: {name: a}\n", "line 1, ophyd.Signal: expected is a list of keywords, "),
        ("ophyd.Signal:\n- 5\n", "line 2, ophyd.Signal: 5 is no dictionary of keywords"),
        ("ophyd.Signal:\n- {1: 5}\n", "line 2, ophyd.Signal: {1: 5} is no dictionary of keywords"),
        ("ophyd.Signal:\n- {name: on}\n", "line 2, ophyd.Signal: name is True; give text, in quotation"),
        ("ophyd.Signal:\n- {name: a, labels: b}\n", "line 2, ophyd.Signal 'a': labels is 'b'; give a list"),
        ("- a\n", "line 1: expected are classes, each with a list of keywords for its devices"),
        ("ophyd.Signal:\n- {name: a,\n   name: b}\n", "line 3: 'name' stands here once more; it stands on"),
        (
            "ophyd.Signal:\n- {name: a}\nophyd.Signal:\n- {name: b}\n",
            "line 3, ophyd.Signal: it stands on line 1 already; put its devices into one list",
        ),
        (
            "ophyd.sim.motor:\n- {name: a}\n",
            "line 1, ophyd.sim.motor: it is a SynAxis, no class; for a device that is there already write "
            "hutch.bluesky.creators.predefined_device: [{creator: ophyd.sim.motor}]",
        ),
    ],
)
def test_what_is_said_of_one_problem(load: Any, text: str, problem: str) -> None:
    (said,) = _problems(load, text)
    assert said.startswith(problem)


@pytest.mark.parametrize("text", ["a: [\n", "a: b: c\n", "a:\n\t- b\n", "a: *nobody\n", "\x00"])
def test_what_is_no_yaml_is_refused_naming_the_place(load: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"devices\.yml' is no YAML: .*(line \d|position)"):
        load(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yml' can't be read: No such file"):
        load_devices(tmp_path / "nowhere.yml")


def test_a_module_that_lacks_another_says_which(load: Any, tmp_path: Path) -> None:
    (tmp_path / "needy_devices.py").write_text("import not_installed_anywhere\n")
    (said,) = _problems(load, "needy_devices.Thing:\n- {name: a}\n")
    assert said.endswith("'needy_devices' needs the module 'not_installed_anywhere', which is not there")


# Devices that can't be had


def test_devices_that_cannot_be_made_or_connected_are_named_and_the_others_are_there(
    load: Any, event_loop: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "torn_devices.py").write_text("raise RuntimeError('torn')\n")
    with caplog.at_level(logging.WARNING):
        devices = load(
            "these_devices.Broken:\n- {name: broken}\n"
            "these_devices.Silent:\n- {name: silent, value: 3}\n"
            "these_devices.SilentAsync:\n- {name: mute, labels: [baseline]}\n"
            "these_devices.nothing:\n- {name: none}\n"
            "torn_devices.Thing:\n- {name: torn}\n"
            "ophyd.sim.SynAxis:\n- {name: theta}\n"
        )
    assert list(devices) == ["theta"]
    assert devices.baseline == []
    assert devices.failures == {
        "torn": "line 10, torn_devices.Thing 'torn': importing its module raises RuntimeError: torn",
        "broken": "line 2, these_devices.Broken 'broken': it can't be made, RuntimeError: there is no power",
        "none": "line 8, these_devices.nothing 'none': 5 is no device: it has no name",
        "silent": "line 4, these_devices.Silent 'silent': it can't be connected, TimeoutError: no answer",
        "mute": "line 6, these_devices.SilentAsync 'mute': it can't be connected, "
        "NotConnectedError: no answer",
    }
    assert len(caplog.records) == 5


def test_strictly_they_raise_all_at_once(load: Any) -> None:
    text = "these_devices.Broken:\n- {name: a}\nthese_devices.Silent:\n- {name: b, value: 3}\n"
    with pytest.raises(DevicesFailedError, match=r"(?s)line 2.*no power.*line 4.*no answer") as caught:
        load(text, strict=True)
    assert list(caught.value.failures) == ["a", "b"]


def test_a_name_that_two_functions_give_is_a_failure_of_the_second(load: Any) -> None:
    devices = load("these_devices.pair:\n- {name: slit}\nophyd.Signal:\n- {name: slit_y}\n")
    assert list(devices) == ["slit_x", "slit_y"]
    assert devices.failures == {
        "slit_y, line 4": "line 4, ophyd.Signal 'slit_y': the name 'slit_y' is taken by the device on line 2"
    }


def test_a_device_that_hangs_while_it_connects_is_given_up(
    load: Any, event_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    class Hanging(Device):
        async def connect(self, mock: Any = False, timeout: float = 1, force_reconnect: bool = False) -> None:
            import asyncio

            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

    monkeypatch.setattr("hutch.bluesky.loading._GRACE_S", 0.01)
    devices = load("hanging:\n- {name: a}\n", creators={"hanging": Hanging}, timeout_s=0.05)
    assert "it can't be connected, TimeoutError" in devices.failures["a"]
    assert ended.wait(10)
