"""Users are let in with their password, and nobody learns which names there are."""

from __future__ import annotations

import subprocess
import sys
import threading

import argon2
import pytest

from hutch.access import Access
from hutch.access.attempts import Attempts
from hutch.access.passwords import Passwords, hash_password
from hutch.errors import ConfigurationError, TooManyAttemptsError, UserNotFoundError

from .conftest import Clock

ON_EACH_DATABASE = True


def test_a_user_is_let_in_with_the_right_password_only(access):
    access.users.add("bob", "sëcret \ud800")

    found = access.identify_user("bob", "sëcret \ud800")
    assert (found.name, found.user, found.scopes) == ("bob", "bob", {"read", "record", "write"})
    assert access.identify_user("bob", "secret") is None
    assert access.identify_user("bob", "") is None
    assert access.identify_user("bob", "sëcret \ud800" * 10_000) is None
    assert access.identify_user("Bob", "sëcret \ud800") is None
    assert access.identify_user("\0", "sëcret") is None
    assert access.identify_trusted("bob") == found
    assert access.identify_trusted("ann") is None


def test_only_a_hash_of_the_password_is_kept(access, store):
    access.users.add("bob", "secret")

    assert store.user("bob").password.startswith("$argon2id$")


def test_a_disabled_user_is_not_let_in(access):
    access.users.add("bob", "secret")
    assert access.identify_user("bob", "secret") is not None
    access.users.disable("bob")
    assert access.identify_user("bob", "secret") is None
    assert access.identify_trusted("bob") is None
    access.users.enable("bob")
    assert access.identify_user("bob", "secret") is not None


def test_a_new_password_takes_the_place_of_the_old_one(access):
    access.users.add("bob", "old")
    assert access.identify_user("bob", "old") is not None
    access.users.set_password("bob", "new")

    assert access.identify_user("bob", "old") is None
    assert access.identify_user("bob", "new") is not None


def test_a_user_without_a_password_has_none(access):
    access.users.add("bob")

    assert access.identify_user("bob", "") is None
    assert not access.users.find("bob").has_password


def test_an_old_hash_is_made_anew_when_its_password_is_given(access, store, monkeypatch):
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
    monkeypatch.setattr("hutch.access.users.hash_password", lambda _: weak)
    access.users.add("bob", "secret")
    assert access.identify_user("bob", "secret") is not None

    assert store.user("bob").password != weak
    assert access.identify_user("bob", "secret") is not None


@pytest.mark.parametrize("name", ["", "Bob", "a b", "-bob", "ü", "a\n", "a" * 65, "a/b"])
def test_odd_names_are_refused(access, name):
    with pytest.raises(ConfigurationError, match="is no name of a user"):
        access.users.add(name)


@pytest.mark.parametrize("password", ["", "a\nb", "x" * 1001, "a\0"])
def test_odd_passwords_are_refused(access, password):
    with pytest.raises(ConfigurationError, match="A password is one line"):
        access.users.add("bob", password)


def test_a_name_is_given_once(access):
    access.users.add("bob")
    with pytest.raises(ConfigurationError, match="There is a user 'bob' already"):
        access.users.add("bob")
    with pytest.raises(UserNotFoundError, match="There is no user 'ann'. Users: bob. Add one with"):
        access.users.remove("ann")


# too many wrong ones


def test_wrong_passwords_are_refused_after_some_for_a_while(store):
    clock = Clock(0.0)
    access = Access(store, attempts=Attempts(3, 60.0, clock))
    access.users.add("bob", "secret")
    for name in ("bob", "nobody"):
        for _ in range(3):
            assert access.identify_user(name, "wrong") is None
        with pytest.raises(TooManyAttemptsError, match=f"given for {name!r}. Try again in 60 s") as caught:
            access.identify_user(name, "secret")
        assert caught.value.retry_after_s == 60.0
    clock.now = 60.0

    assert access.identify_user("bob", "secret") is not None


def test_who_has_been_let_in_is_not_kept_out_by_who_guesses(store):
    access = Access(store, attempts=Attempts(2, 60.0))
    access.users.add("bob", "secret")
    access.identify_user("bob", "secret")
    for _ in range(2):
        access.identify_user("bob", "wrong")

    assert access.identify_user("bob", "secret") is not None
    with pytest.raises(TooManyAttemptsError, match="Too many"):
        access.identify_user("bob", "wrong")


def test_attempts_at_once_are_counted_before_they_are_looked_at():
    attempts = Attempts(5, 60.0, Clock(0.0))
    refused = []
    gate = threading.Barrier(20)

    def guess():
        gate.wait()
        try:
            attempts.begin("bob")
        except TooManyAttemptsError:
            refused.append(1)

    threads = [threading.Thread(target=guess) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 15


def test_a_flood_of_names_takes_no_more_memory():
    attempts = Attempts(5, 60.0, Clock(0.0))
    for number in range(20_000):
        attempts.begin(f"name-{number}")

    assert len(attempts._times) == 10_000


def test_a_right_password_is_hashed_once(monkeypatch):
    kept = hash_password("secret")
    passwords = Passwords()
    assert passwords.is_right("secret", kept)
    monkeypatch.setattr("hutch.access.passwords._hasher", None)

    assert passwords.is_right("secret", kept)
    assert not passwords.is_known("secret", f"{kept}x")
    assert not Passwords().is_known("secret", kept)


def test_without_argon2_the_extra_is_named():
    program = (
        "import sys; sys.modules['argon2'] = None\n"
        "from hutch.access.passwords import Passwords, hash_password\n"
        "for call in (lambda: hash_password('x'), lambda: Passwords().is_right('x', None)):\n"
        "    try:\n        call()\n    except ImportError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert done.stdout == "Passwords need argon2-cffi. Install it with: pip install 'hutch[server]'\n" * 2
