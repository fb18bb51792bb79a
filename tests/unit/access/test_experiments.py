"""Experiments, which is active when, and who may do what in them."""

from __future__ import annotations

import threading

import pytest

import hutch.access
from hutch.access import PUBLIC, Access, Action, Role
from hutch.errors import (
    AccessDeniedError,
    ConfigurationError,
    ExperimentLockedError,
    ExperimentNotFoundError,
    UserNotFoundError,
)
from hutch.store import open_store

ON_EACH_DATABASE = True


@pytest.fixture
def site(access) -> Access:
    """An experiment at XPP and one at CXI, and a user of each role in the first."""
    access.experiments.create("xpp1", instrument="XPP")
    access.experiments.create("cxi1", instrument="CXI", is_open=True)
    for role in Role:
        access.users.add(role.label)
        access.experiments.set_role("xpp1", role.label, role)
    for name in ("xppopr", "cxiopr", "nobody"):
        access.users.add(name)
    return access


def allowed(site: Access, name: str, experiment: str | None = "xpp1") -> set[str]:
    identity = site.identify_trusted(name)
    return {str(action) for action in Action if site.may(identity, action, experiment)}


ALL = {str(action) for action in Action}


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("nobody", set()),
        ("reader", {"read"}),
        ("writer", {"read", "record", "write"}),
        ("editor", {"read", "record", "write", "edit"}),
        ("operator", ALL),
        ("xppopr", ALL),
        ("cxiopr", set()),
    ],
)
def test_roles_include_those_before_them(site, name, actions):
    assert allowed(site, name) == actions
    assert allowed(site, name, "cxi1") == (ALL if name == "cxiopr" else {"read"})
    assert allowed(site, name, None) == ALL
    assert allowed(site, name, "none") == set()


def test_a_key_may_do_what_its_scopes_and_the_roles_of_its_owner_allow(site):
    reading, recording = (
        site.identify_key(site.keys.create([scope], owner="operator")[0]) for scope in ("read", "record")
    )
    alone = site.identify_key(site.keys.create(["read", "record", "write"])[0])
    admin = site.identify_key(site.keys.create(["admin"])[0])

    assert [str(action) for action in Action if site.may(reading, action, "xpp1")] == ["read"]
    assert [str(action) for action in Action if site.may(recording, action, "xpp1")] == ["record"]
    assert not any(site.may(alone, action, "xpp1") for action in Action)
    assert all(site.may(admin, action, "xpp1") for action in Action)
    assert site.role_in(admin, "xpp1") is Role.OPERATOR
    assert site.role_in(alone, "xpp1") is site.role_in(admin, "none") is None
    assert site.role_in(reading, "xpp1") is Role.OPERATOR


def test_a_locked_experiment_is_read_and_unlocked_and_no_more(site):
    site.experiments.lock("xpp1")

    assert allowed(site, "operator") == {"read", "lock"}
    assert allowed(site, "writer") == {"read"}
    admin = site.identify_key(site.keys.create(["admin"])[0])
    with pytest.raises(ExperimentLockedError, match="locked. Unlock it with: hutch experiment unlock xpp1"):
        site.check(admin, "record", "xpp1")
    site.experiments.unlock("xpp1")
    assert allowed(site, "operator") == ALL


def test_what_is_refused_says_why(site):
    with pytest.raises(AccessDeniedError, match="takes the role 'editor'. Give it with: hutch exp"):
        site.check(site.identify_trusted("writer"), Action.EDIT, "xpp1")
    key = site.identify_key(site.keys.create(["read", "write"])[0])
    with pytest.raises(ExperimentNotFoundError, match="A key without an owner .* hutch key create --owner"):
        site.check(key, Action.WRITE, "xpp1")
    site.experiments.open("xpp1")
    with pytest.raises(AccessDeniedError, match="'writer'. A key without an owner .* hutch key create --own"):
        site.check(key, Action.WRITE, "xpp1")
    with pytest.raises(AccessDeniedError, match=r"'public' may not do this \(record\): it takes the scope"):
        site.check(PUBLIC, Action.RECORD, "cxi1")
    with pytest.raises(AccessDeniedError, match="Nobody in particular may not do this"):
        site.check(None, Action.READ, None)


def test_an_experiment_that_may_not_be_read_is_as_one_that_is_not_there(site):
    messages = []
    for name in ("xpp1", "none"):
        with pytest.raises(ExperimentNotFoundError, match=f"There is no experiment '{name}'") as caught:
            site.check(site.identify_trusted("nobody"), Action.READ, name)
        messages.append(str(caught.value).replace(name, ""))

    assert messages[0] == messages[1]


def test_a_run_may_be_recorded_where_all_its_experiments_allow_it(site):
    writer = site.identify_trusted("writer")
    admin = site.identify_key(site.keys.create(["admin"])[0])
    site.experiments.activate("xpp1")

    for start in ({"experiment": "xpp1"}, {}, {"instrument": "MFX"}, {"instrument": "xpp", "time": 1000.0}):
        site.check_run(writer, Action.RECORD, start)
    nobody = site.identify_trusted("nobody")
    with pytest.raises(ExperimentNotFoundError, match="There is no experiment 'xpp1'"):
        site.check_run(nobody, Action.RECORD, {"instrument": "xpp", "time": 1000.0})
    with pytest.raises(AccessDeniedError, match="in experiment 'cxi1'"):
        site.check_run(writer, Action.RECORD, {"experiment": ["xpp1", "cxi1"]})
    for odd in ("slip", 42, {"name": "xpp1"}):
        with pytest.raises(ExperimentNotFoundError, match="There is no experiment"):
            site.check_run(writer, Action.RECORD, {"experiment": odd})
        site.check_run(admin, Action.RECORD, {"experiment": odd})
    with pytest.raises(AccessDeniedError, match="takes the scope 'record'"):
        site.check_run(PUBLIC, Action.RECORD, {"experiment": "cxi1"})


def test_before_there_are_experiments_any_may_be_named(access):
    access.users.add("bob")

    access.check_run(access.identify_trusted("bob"), "record", {"experiment": "calibration"})


# which one is active


def test_one_experiment_is_active_at_a_station(site, clock):
    site.experiments.create("xpp2", instrument="xpp")
    site.experiments.create("xpp3", instrument="XPP", station=1)
    experiments = site.experiments
    assert experiments.active("XPP") is None
    experiments.activate("xpp1")
    experiments.activate("xpp3")
    assert (experiments.active("xpp").name, experiments.active("XPP", 1).name) == ("xpp1", "xpp3")
    clock.now += 1.0
    experiments.activate("xpp2")

    assert experiments.active("XPP").name == "xpp2"
    assert experiments.active_names() == {"xpp2", "xpp3"}
    assert experiments.active("CXI") is experiments.active("") is None
    assert not experiments.deactivate("xpp1")
    assert experiments.deactivate("xpp2")
    assert experiments.active("XPP") is None


def test_what_is_active_already_is_not_activated_again(site, store):
    for _ in range(2):
        site.experiments.activate("xpp1")

    assert len(store.activations()) == 1


def test_a_run_stays_with_the_experiment_that_was_active(site, clock):
    site.experiments.create("xpp2", instrument="XPP")
    for clock.now, name in ((100.0, "xpp1"), (200.0, "xpp2"), (300.0, "xpp1")):
        site.experiments.activate(name)
    clock.now = 400.0
    site.experiments.deactivate("xpp1")

    def of(time, **more):
        return site.experiments.of_run({"time": time, "instrument": "XPP", **more})

    found = [of(time) for time in (99.0, 100.0, 199.0, 200.0, 300.0, 399.0, 400.0)]
    assert found == [[], ["xpp1"], ["xpp1"], ["xpp2"], ["xpp1"], ["xpp1"], []]
    assert of(100.0, experiment="xpp2") == ["xpp2"]
    assert of(100.0, station=1) == []
    assert site.experiments.of_run({"time": 100.0}) == []


def test_a_locked_experiment_is_not_activated(site):
    site.experiments.lock("xpp1")
    with pytest.raises(ExperimentLockedError, match="Unlock it first: hutch experiment unlock xpp1"):
        site.experiments.activate("xpp1")


# making them


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("", {}, "is no name of an experiment"),
        ("a/b", {}, "is no name of an experiment"),
        ("a" * 65, {}, "is no name of an experiment"),
        ("XPP1", {}, "There is an experiment 'xpp1' already"),
        ("x", {"instrument": "X P"}, "is no instrument"),
        ("x", {"station": -1}, "is no station"),
        ("x", {"begins": 2.0, "ends": 1.0}, "can't end before it begins"),
    ],
)
def test_an_odd_experiment_is_not_made(site, name, options, said):
    with pytest.raises(ConfigurationError, match=said):
        site.experiments.create(name, **{"instrument": "XPP", **options})
    assert len(site.experiments.all()) == 2


def test_roles_are_of_users_and_experiments_that_there_are(site):
    with pytest.raises(UserNotFoundError, match="There is no user 'ghost'"):
        site.experiments.set_role("xpp1", "ghost", "reader")
    with pytest.raises(ExperimentNotFoundError, match="There is no experiment 'none'"):
        site.experiments.set_role("none", "reader", "reader")
    with pytest.raises(ConfigurationError, match="the least first: reader, writer, editor, operator"):
        site.experiments.set_role("xpp1", "reader", "boss")
    assert site.experiments.roles("xpp1") == {role.label: role for role in Role}


def test_of_two_who_make_the_same_one_does(store_address):
    found = []
    gate = threading.Barrier(4)

    def make():
        store = open_store(store_address)
        gate.wait()
        try:
            found.append(Access(store).experiments.create("xpp1", instrument="XPP"))
        except ConfigurationError as error:
            found.append(str(error))
        store.close()

    open_store(store_address).close()
    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(isinstance(one, str) and "already" in one for one in found) == 3


def test_the_names_of_the_package_are_these():
    names = [name for name in vars(hutch.access) if not name.startswith("_") and name[0].isupper()]
    assert sorted(hutch.access.__all__) == sorted(names)
