"""The list of the programs that workflows may run."""

from __future__ import annotations

import pytest

from hutch.errors import AccessDeniedError, ConfigurationError

ON_EACH_DATABASE = True


def test_what_is_on_the_list_may_be_run_and_nothing_else(access):
    listed = access.executables
    made = [listed.allow(path, author="ada") for path in ("/opt/b", "/opt/ä é.sh")]

    assert listed.all() == made
    assert (made[0].author, listed.allow("/opt/b", author="bob").author) == ("ada", "bob")
    listed.check("/opt/ä é.sh")
    for path in ("/opt", "/opt/b/", "/opt//b", "/opt/B", "opt/b", "/opt/b\0", ""):
        with pytest.raises(AccessDeniedError, match="not on the list"):
            listed.check(path)
    listed.forbid("/opt/b")
    with pytest.raises(AccessDeniedError, match="hutch workflow allow /opt/b"):
        listed.check("/opt/b")


@pytest.mark.parametrize(
    "path", ["", "b", "./b", "/opt/../b", "/opt/", "//b", "/", "/a\nb", "/a\0", "/" + 5000 * "a"]
)
def test_what_is_no_whole_path_does_not_get_onto_the_list(access, path):
    with pytest.raises(ConfigurationError):
        access.executables.allow(path)
    assert access.executables.all() == []


def test_what_is_not_on_the_list_cannot_be_taken_from_it(access):
    with pytest.raises(ConfigurationError, match="hutch workflow allowed"):
        access.executables.forbid("/opt/b")
