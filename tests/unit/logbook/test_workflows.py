"""Workflows as they are defined, and what their jobs report."""

from __future__ import annotations

import pytest

from hutch.errors import (
    AccessDeniedError,
    DocumentError,
    ExperimentLockedError,
    JobNotFoundError,
    RunNotFoundError,
    WorkflowNotFoundError,
)

ON_EACH_DATABASE = True


def test_a_workflow_of_the_same_name_and_owner_is_defined_anew(book):
    first = book.define_workflow("xpp1", "smd", "/bin/true", "-e xpp1", trigger="run_end", author="ada")
    again = book.define_workflow("xpp1", "smd", "/bin/false", author="ada")
    other = book.define_workflow("xpp1", "smd", "/bin/true", author="bob")

    assert (again.id, again.version, again.executable, again.trigger) == (first.id, 2, "/bin/false", "manual")
    assert [one.id for one in book.workflows("xpp1")] == [first.id, other.id]
    book.remove_workflow("xpp1", first.id)
    assert [one.id for one in book.workflows("xpp1")] == [other.id]
    with pytest.raises(WorkflowNotFoundError):
        book.workflow("xpp1", first.id)
    back = book.define_workflow("xpp1", "smd", "/bin/true", author="ada")
    assert (back.id, back.version) == (first.id, 3)


def test_a_token_is_worth_no_more_than_who_made_the_job(book):
    users, experiments = book.access.users, book.access.experiments
    for name in ("ann", "bob"):
        users.add(name, scopes=["read", "record", "write"])
        experiments.set_role("xpp1", name, "operator")
    book.define_workflow("xpp1", "w", "/bin/true", author="ann")
    of_ann, killed, of_bob = (
        book.create_job("xpp1", "w", None, author=name) for name in ("ann", "ann", "bob")
    )
    book.kill_job("xpp1", killed.job.id)
    experiments.set_role("xpp1", "bob", "reader")
    with pytest.raises(AccessDeniedError, match="killed"):
        book.set_counters(killed.token, [])
    with pytest.raises(AccessDeniedError, match="'bob'"):
        book.job_of_token(of_bob.token)
    assert book.job_of_token(of_ann.token).id == of_ann.job.id
    users.disable("ann")
    with pytest.raises(AccessDeniedError, match="'ann'"):
        book.set_counters(of_ann.token, [])


def test_only_what_can_be_run_is_defined(book):
    for wrong in (
        {"name": ""},
        {"name": "x\n"},
        {"parameters": "a\0b"},
        {"trigger": "sometimes"},
        {"trigger": "param_is"},
        {"trigger": "param_is", "param_name": "gain"},
    ):
        with pytest.raises(DocumentError):
            book.define_workflow("xpp1", **{"name": "w", "executable": "/bin/true", **wrong})
    assert book.workflows("xpp1") == []


@pytest.mark.parametrize(
    "path", ["/bin/sh", "/bin/../bin/true", "true", "/bin/true ", "/bin/true -x", "", "\0"]
)
def test_no_program_is_named_that_is_not_on_the_list(book, path):
    with pytest.raises(AccessDeniedError, match="hutch workflow allow"):
        book.define_workflow("xpp1", "w", path)
    assert book.workflows("xpp1") == []


def test_a_program_that_is_forbidden_later_gets_no_new_jobs(book):
    book.define_workflow("xpp1", "w", "/bin/false")
    book.create_job("xpp1", "w", None)
    book.access.executables.forbid("/bin/false")

    with pytest.raises(AccessDeniedError, match="hutch workflow allow /bin/false"):
        book.create_job("xpp1", "w", None)
    assert [one.executable for one in book.workflows("xpp1")] == ["/bin/false"]
    assert len(book.jobs("xpp1")) == 1


def test_a_job_reports_with_its_token_until_that_expires(book, clock):
    run = book.start_run("xpp1")
    workflow = book.define_workflow("xpp1", "w", "/bin/true")
    made = book.create_job("xpp1", "w", run.num)
    counters = [{"key": "events", "value": 12}, {"key": "<b>", "value": None}]
    book.set_counters(made.token, counters)

    assert (made.job.workflow, made.job.status, made.job.run_num) == (workflow.id, "queued", 1)
    assert book.counters("xpp1", made.job.id) == counters
    assert book.job_of_token(made.token).id == made.job.id
    assert made.token not in repr(book.store.jobs("xpp1"))
    with pytest.raises(AccessDeniedError, match="No job"):
        book.set_counters(made.token[:-1], counters)
    with pytest.raises(DocumentError):
        book.set_counters(made.token, [{"key": 1, "value": 2}])
    book.access.experiments.lock("xpp1")
    with pytest.raises(ExperimentLockedError):
        book.set_counters(made.token, [])
    book.access.experiments.unlock("xpp1")
    clock.now += 8 * 86_400
    with pytest.raises(AccessDeniedError, match="expired"):
        book.set_counters(made.token, counters)


def test_a_job_that_is_over_stays_what_it_is(book):
    book.define_workflow("xpp1", "w", "/bin/true")
    first, second = (book.create_job("xpp1", "w", None).job.id for _ in range(2))
    book.set_job_status("xpp1", first, "running")
    book.set_job_status("xpp1", first, "done")

    assert book.kill_job("xpp1", first).status == "done"
    assert book.kill_job("xpp1", second).status == "killed"
    assert [job.id for job in book.jobs("xpp1")] == [second, first]
    with pytest.raises(DocumentError, match="done already"):
        book.set_job_status("xpp1", first, "running")
    with pytest.raises(JobNotFoundError):
        book.job("xpp1", 99)
    with pytest.raises(RunNotFoundError):
        book.create_job("xpp1", "w", 5)
