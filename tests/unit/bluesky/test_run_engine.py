"""A RunEngine that is wired to a catalog: what seeds and users do not see, but rely on."""

# ruff: noqa: N802, N803, N806 - every beamline calls its RunEngine RE

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import bluesky.plan_stubs as bps
import pytest
from bluesky import RunEngine
from bluesky.plans import count
from bluesky.utils import Msg
from ophyd.sim import SynAxis, SynGauss

import hutch
from hutch.errors import ConfigurationError, MetadataError
from hutch.recording.rules.rules import Rules
from hutch.recording.scan_ids import ScanIds


@pytest.fixture
def motor() -> SynAxis:
    return SynAxis(name="motor")


@pytest.fixture
def det(motor: SynAxis) -> SynGauss:
    return SynGauss("det", motor, "motor", center=0, Imax=1)


@pytest.fixture
def RE(make_run_engine: Callable[..., Any]) -> Any:
    return make_run_engine()


def _scan_ids(cat: Any) -> list[int]:
    return [run.start["scan_id"] for run in cat.values()]


def _begin_a_run_elsewhere(cat: Any) -> int:
    """Do to the stash what another process does that begins a run."""
    scan_ids = ScanIds(cat.store)
    number = scan_ids.reserve()
    scan_ids.used(number)
    return number


def test_it_is_a_run_engine_of_bluesky_and_takes_its_options(
    make_run_engine: Any, cat: Any, det: Any
) -> None:
    seen = []
    RE = make_run_engine(
        call_returns_result=True, md_validator=seen.append, md_normalizer=lambda md: {**md, "cycle": 1}
    )
    assert isinstance(RE, RunEngine)
    result = RE(count([det]))
    assert result.run_start_uids == tuple(cat)
    assert len(seen) == 1
    assert cat[-1].start["cycle"] == 1


def test_without_bluesky_the_error_says_how_to_install_it(cat: Any) -> None:
    program = (
        "import sys; sys.modules['bluesky'] = None\n"
        "import hutch\n"
        "from hutch.errors import MissingExtraError\n"
        "try: hutch.bluesky.run_engine(hutch.open_catalog(sys.argv[1]))\n"
        "except MissingExtraError as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, cat.store.location]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "Running plans needs bluesky. Install it with: pip install 'hutch[bluesky]'\n"


def test_its_metadata_is_that_of_the_catalog(RE: Any, cat: Any) -> None:
    RE.md["sample"] = {"name": "A"}
    cat.md["sample"]["color"] = "red"
    RE.md["sample"]["tags"] = []
    RE.md["sample"]["tags"].append("new")
    assert RE.md == cat.md
    assert cat.md["sample"] == {"name": "A", "color": "red", "tags": ["new"]}
    assert cat.md["versions"]["hutch"] == hutch.__version__


def test_a_run_that_begins_elsewhere_in_between_does_not_change_the_number(
    RE: Any, cat: Any, det: Any
) -> None:
    seen = []

    def validator(md: dict[str, Any]) -> None:
        seen.append((_begin_a_run_elsewhere(cat), md["scan_id"], RE.md["scan_id"]))

    RE.md_validator = validator
    RE(count([det]))
    RE(count([det]))
    assert seen == [(2, 1, 1), (4, 3, 3)]
    assert _scan_ids(cat) == [1, 3]
    assert RE.md["scan_id"] == 4


def test_metadata_changed_elsewhere_in_between_does_not_spoil_the_start(RE: Any, cat: Any, det: Any) -> None:
    RE.md["operator"] = "Dan"
    RE.md_validator = lambda md: cat.md.clear()
    RE(count([det]))
    assert cat[-1].start["operator"] == "Dan"
    assert "operator" not in RE.md


def test_after_a_refusal_it_is_idle_and_shows_the_stash_as_it_is(RE: Any, cat: Any, det: Any) -> None:
    with pytest.raises(MetadataError, match="owner"):
        RE(count([det]), owner=5)
    assert RE.state == "idle"
    assert "scan_id" not in RE.md
    assert _begin_a_run_elsewhere(cat) == 2
    assert RE.md["scan_id"] == 2
    RE(count([det]))
    assert _scan_ids(cat) == [1]


def test_a_plan_may_catch_the_refusal_and_go_on(RE: Any, cat: Any, det: Any) -> None:
    def plan() -> Iterator[Msg]:
        with pytest.raises(MetadataError, match="owner"):
            yield from bps.open_run({"owner": 5})
        yield from count([det])

    RE(plan())
    assert _scan_ids(cat) == [1]
    assert cat[-1].stop["exit_status"] == "success"


def test_devices_staged_for_a_refused_run_are_unstaged(RE: Any, cat: Any, det: Any) -> None:
    with pytest.raises(MetadataError, match="owner"):
        RE(count([det]), owner=5)
    assert det._staged.value == "no"


def test_the_number_of_a_run_whose_start_was_emitted_is_used_whatever_a_subscriber_does(
    RE: Any, cat: Any, det: Any
) -> None:
    def fail(name: str, doc: dict[str, Any]) -> None:
        msg = "I do not like this run."
        raise RuntimeError(msg)

    token = RE.subscribe(fail, "start")
    with pytest.raises(RuntimeError, match="do not like"):
        RE(count([det]))
    RE.unsubscribe(token)
    RE(count([det]))
    assert _scan_ids(cat) == [1, 2]


def test_interleaved_runs_of_one_plan_get_numbers_of_their_own(RE: Any, cat: Any, det: Any) -> None:
    def plan() -> Iterator[Msg]:
        yield Msg("open_run", None, run="a")
        yield Msg("open_run", None, run="b")
        yield Msg("close_run", None, run="a")
        yield Msg("close_run", None, run="b")

    RE(plan())
    assert sorted(_scan_ids(cat)) == [1, 2]


def test_a_scan_id_source_of_ones_own_is_used(make_run_engine: Any, cat: Any, det: Any) -> None:
    RE = make_run_engine(scan_id_source=lambda md: md.get("scan_id", 0) + 10)
    RE(count([det]))
    RE(count([det]))
    assert _scan_ids(cat) == [10, 20]
    assert cat.md["scan_id"] == 20


def test_rules_can_be_given_and_replaced(make_run_engine: Any, cat: Any, det: Any) -> None:
    RE = make_run_engine(rules=Rules(required=("sample",)), required=["operator"])
    with pytest.raises(MetadataError, match=r"(?s)'sample' is missing.*'operator' is missing"):
        RE(count([det]))
    RE.rules = Rules()
    RE(count([det]))
    assert _scan_ids(cat) == [1]


def test_rules_come_from_the_catalog_a_dictionary_or_a_file(
    make_run_engine: Any, cat: Any, det: Any, tmp_path: Any
) -> None:
    (tmp_path / "rules.yml").write_text("fields: {technique: {allowed: [SAXS]}}\n")
    cat.rules = {"required": ["sample"]}
    for RE, refused in (
        (make_run_engine(), "'sample' is missing"),
        (make_run_engine(required=["operator"]), "(?s)'sample' is missing.*'operator' is missing"),
        (make_run_engine(rules={"required": ["proposal"]}), "'proposal' is missing"),
        (make_run_engine(rules=tmp_path / "rules.yml"), "'technique' is 'XRF': it must be 'SAXS'"),
    ):
        with pytest.raises(MetadataError, match=refused):
            RE(count([det]), technique="XRF")
        RE.rules = {"required": ["owner"]}
        with pytest.raises(MetadataError, match=r"'owner' is missing.*\n.*RE\(plan\(\), owner=\.\.\.\)"):
            RE(count([det]), technique="XRF")
    assert len(cat) == 0
    assert "scan_id" not in cat.md


def test_bad_rules_make_no_run_engine(make_run_engine: Any) -> None:
    with pytest.raises(ConfigurationError, match="required is 'sample'; give a list of fields"):
        make_run_engine(required="sample")
    with pytest.raises(ConfigurationError, match="field 'a': type 'txt' is unknown"):
        make_run_engine(rules={"fields": {"a": {"type": "txt"}}})


def test_rules_can_be_the_validator_of_any_run_engine(cat: Any, det: Any, make_run_engine: Any) -> None:
    RE = make_run_engine()
    RE.md_validator = Rules(required=["sample"]).validate
    with pytest.raises(MetadataError, match=r"RE\(plan\(\), sample=\.\.\.\)"):
        RE(count([det]))
    RE(count([det]), sample="A")
    assert _scan_ids(cat) == [1]


def test_a_baseline_of_other_preprocessors_is_kept(
    make_run_engine: Any, cat: Any, det: Any, motor: Any
) -> None:
    seen = []

    def note(plan: Any) -> Any:
        seen.append("noted")
        return plan

    RE = make_run_engine(baseline=[motor], preprocessors=[note])
    RE(count([det]))
    assert seen == ["noted"]
    assert "baseline" in list(cat[-1])


def test_two_on_one_catalog_share_metadata_but_no_numbers(make_run_engine: Any, cat: Any, det: Any) -> None:
    one, other = make_run_engine(), make_run_engine()
    one.md["operator"] = "Dan"
    for RE in (one, other, one):
        RE(count([det]))
    assert [(run.start["operator"], run.start["scan_id"]) for run in cat.values()] == [
        ("Dan", 1),
        ("Dan", 2),
        ("Dan", 3),
    ]
