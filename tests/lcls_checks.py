"""What LCLS's logbook service promises, each as a check that a server passes or fails.

Each takes clients; the experiment is active at its instrument, and has no runs and no entries before
:func:`check_run_control`, which the others need to have been called first.
"""

from __future__ import annotations

import uuid
from typing import Any

from .lcls_client import LclsClient, Reply

__all__ = [
    "check_active_experiment",
    "check_attachments",
    "check_changed_entries",
    "check_changed_run_tables",
    "check_entries_belong_to_the_current_run",
    "check_errors",
    "check_experiment_info",
    "check_identities",
    "check_locked",
    "check_new_entry",
    "check_reads_through_get_change_nothing",
    "check_replies",
    "check_run_control",
    "check_run_params",
    "check_run_tables",
    "check_runs",
    "check_search",
    "check_tags",
    "done",
]

ENTRY = {
    "_id",
    "content",
    "title",
    "author",
    "tags",
    "run_num",
    "insert_time",
    "parent",
    "root",
    "attachments",
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
"""A picture of one pixel."""


def done(reply: Reply) -> Any:
    """Return the value of what succeeded."""
    assert reply.success, (reply.status, reply.error)
    return reply.value


def check_active_experiment(client: LclsClient, experiment: str, instrument: str) -> None:
    """It is told to everybody, whatever the case; where none is active its name is empty."""
    for spelling in (instrument.upper(), instrument.lower()):
        assert done(client.active_experiment(spelling))["name"] == experiment
    assert done(client.active_experiment(instrument, 7)) == {"name": ""}


def check_experiment_info(client: LclsClient, experiment: str, instrument: str) -> None:
    """An experiment and the logbook of an instrument tell their names."""
    assert done(client.info(experiment))["name"] == experiment
    assert done(client.info(f"{instrument}_Instrument"))["_id"]


def check_run_control(client: LclsClient, experiment: str) -> None:
    """Runs count from 1, and the last one that began is current; GET starts nothing."""
    for number in (1, 2):
        assert done(client.run_control(experiment, "start_run"))["num"] == number
        assert done(client.run_control(experiment, "current_run"))["num"] == number
        assert done(client.current_run(experiment))["num"] == number
        done(client.run_control(experiment, "end_run"))
    for call in ("start_run", "end_run", "current_run"):
        assert not client.run_control(experiment, call, "GET").success
    assert sorted(run["num"] for run in done(client.runs(experiment))) == [1, 2]


def check_runs(client: LclsClient, experiment: str) -> None:
    """A run is told with its parameters; one that is not there is an error."""
    assert {run["num"] for run in done(client.runs(experiment))} >= {1, 2}
    run = done(client.run(experiment, 1))
    assert run["num"] == 1
    assert isinstance(run["params"], dict)
    assert client.run(experiment, 4711).status == 404


def check_run_params(client: LclsClient, experiment: str) -> None:
    """Values are posted at each of the three paths, after the run too, and read by name."""
    for number, path in enumerate(client.params_paths(experiment)):
        done(client.add_run_params(experiment, 1, {f"check/at {number}": number, "check/text": "a"}, path))
    kept = done(client.run(experiment, 1))["params"]
    assert [kept[f"check/at {number}"] for number in range(3)] == [0, 1, 2]
    rows = done(client.run_params(experiment, ["check/at 0", "check/text"]))
    found = {row["num"]: row["params"] for row in rows}
    assert found[1] == {"check/at 0": 0, "check/text": "a"}
    assert not found.get(2)
    assert not client.add_run_params(experiment, 4711, {"a": 1}).success
    assert not client.add_run_params(experiment, 1, [1, 2]).success


def check_new_entry(client: LclsClient, experiment: str) -> Any:
    """An entry is told as it was posted; white space splits tags. Return it."""
    reply = client.new_entry(
        experiment, "Läser *on*", log_title="Status", log_tags=" laser \t shift\n", run_num="1"
    )
    entry = done(reply)
    assert entry.keys() >= ENTRY
    assert (entry["content"], entry["title"], entry["run_num"]) == ("Läser *on*", "Status", 1)
    assert sorted(entry["tags"]) == ["laser", "shift"]
    assert entry["author"]
    assert entry["insert_time"]
    assert entry["attachments"] == []
    assert not entry["parent"]
    answer = done(client.new_entry(experiment, "seen", parent=entry["_id"]))
    assert (answer["parent"], answer["root"]) == (entry["_id"], entry["_id"])
    last = done(client.new_entry(experiment, "thanks", parent=answer["_id"]))
    assert (last["parent"], last["root"]) == (answer["_id"], entry["_id"])
    tree = {one["_id"] for one in done(client.tree(experiment, answer["_id"]))}
    assert tree == {entry["_id"], answer["_id"], last["_id"]}
    assert tree <= {one["_id"] for one in done(client.entries(experiment))}
    return entry


def check_errors(client: LclsClient, experiment: str) -> None:
    """What can't be done is an error of the service's form, with its reason."""
    assert not client.new_entry(experiment, "").success
    assert not client.new_entry(experiment, "text", run_num="4711").success
    assert not client.new_entry(experiment, "text", parent="no-such-entry").success
    assert client.runs("xppnone").status == 404
    assert not client.get(f"lgbk/{experiment}/ws/no_such_call").success
    assert not client.post(f"lgbk/{experiment}/ws/create_update_workflow_def", data=b"no JSON").success
    assert not client.request("PUT", f"lgbk/{experiment}/ws/new_elog_entry").success


def check_attachments(client: LclsClient, experiment: str) -> None:
    """Files come back byte for byte, under their names; only pictures are shown, the rest is downloaded."""
    page = b"<script>alert(1)</script>"
    files = [("plöt.png", PNG, "image/png"), ("page.html", page, "text/html"), ("empty", b"", None)]
    posted = done(client.new_entry(experiment, "see files", files))
    attached = posted["attachments"]
    assert [(one["name"], one["size"]) for one in attached] == [
        (name, len(content)) for name, content, _ in files
    ]
    assert attached[0]["type"] == "image/png"
    assert len({one["_id"] for one in attached}) == 3
    for one, (_, content, _) in zip(attached, files, strict=True):
        answer = client.attachment(experiment, posted["_id"], one["_id"])
        assert (answer.status_code, answer.content) == (200, content)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        is_picture = content == PNG
        is_download = answer.headers.get("Content-Disposition", "inline").startswith("attachment")
        assert is_picture or is_download
    assert client.attachment(experiment, posted["_id"], "none").status_code == 404


def check_entries_belong_to_the_current_run(client: LclsClient, experiment: str) -> None:
    """An entry that names no run is about the one that is current, so that its tag finds that."""
    tag = f"T{uuid.uuid4().hex}"
    number = done(client.run_control(experiment, "start_run"))["num"]
    assert done(client.new_entry(experiment, "during", log_tags=tag))["run_num"] == number
    done(client.run_control(experiment, "end_run"))
    assert done(client.runs_with_tag(experiment, tag)) == [number]


def check_tags(client: LclsClient, experiment: str) -> None:
    """A tag finds its runs, whatever characters it has, and runs tell their tags."""
    tag = f"T{uuid.uuid4().hex}&+#é"
    for run in ("2", "1", "2"):
        done(client.new_entry(experiment, "tagged", log_tags=tag, run_num=run))
    found = done(client.runs_with_tag(experiment, tag))
    assert sorted(found) == [1, 2]
    assert all(type(run) is int for run in found)
    assert done(client.runs_with_tag(experiment, "no-such-tag")) == []
    assert tag in done(client.tags(experiment))
    assert sorted(done(client.tags_to_runs(experiment))[tag]) == [1, 2]
    tags = {int(run): names for run, names in done(client.runs_to_tags(experiment)).items()}
    assert tag in tags[1]
    assert tag in tags[2]


def check_search(client: LclsClient, experiment: str) -> None:
    """Entries are found by words, by tag, and by ranges of runs and dates."""
    word, tag = (uuid.uuid4().hex for _ in range(2))
    first = done(client.new_entry(experiment, f"the {word} here", log_tags=f"T{tag}", run_num="1"))
    second = done(client.new_entry(experiment, f"{word} again", run_num="2"))

    def found(text: str = "", **ranges: Any) -> set[str]:
        return {one["_id"] for one in done(client.search(experiment, text, **ranges))}

    both = {first["_id"], second["_id"]}
    assert found(word) == both
    assert found(f"t:T{tag}") == {first["_id"]}
    assert found(f"no{word}") == set()
    assert found(run_num=1) & both == {first["_id"]}
    assert found(start_run_num=1, end_run_num=2) & both == both
    assert found(start_run_num=2, end_run_num=9) & both == {second["_id"]}
    past = {"start_date": "2001-01-01T00:00:00.000Z", "end_date": "2002-01-01T00:00:00.000Z"}
    assert found(**past) == set()
    assert found(**past | {"end_date": "2199-01-01T00:00:00.000Z"}) >= both


def check_changed_entries(client: LclsClient, experiment: str) -> None:
    """An entry is changed and deleted; it keeps its id, its author and its place in the thread."""
    word = uuid.uuid4().hex
    entry = done(client.new_entry(experiment, f"before {word}"))
    done(client.modify_entry(experiment, entry["_id"], f"after {word}", log_title="New", log_tags="a b"))
    (found,) = done(client.search(experiment, word))
    assert (found["_id"], found["author"]) == (entry["_id"], entry["author"])
    assert (found["content"], found["title"], sorted(found["tags"])) == (f"after {word}", "New", ["a", "b"])
    done(client.delete_entry(experiment, entry["_id"]))
    shown = [one for one in done(client.search(experiment, word)) if not one.get("deleted_by")]
    assert shown == []
    assert not client.modify_entry(experiment, "no-such-entry", "text").success
    assert not client.delete_entry(experiment, "no-such-entry").success


def check_run_tables(client: LclsClient, experiment: str) -> None:
    """There is a run table by default; its rows are runs, and it is known what columns can show."""
    done(client.add_run_params(experiment, 1, {"check/hits": 12}))
    tables = done(client.run_tables(experiment))
    assert tables
    rows = done(client.run_table_data(experiment, tables[0]["name"]))
    assert {row["num"] for row in rows} >= {1, 2}
    assert "check/hits" in str(done(client.run_table_sources(experiment)))
    assert not client.run_table_data(experiment, "no such table").success


def check_changed_run_tables(client: LclsClient, experiment: str) -> None:
    """A run table is made, changed, cloned and deleted, and shows what its columns say."""
    name, copy = (f"Table {uuid.uuid4().hex}" for _ in range(2))
    done(client.add_run_params(experiment, 1, {"check/rate": 2.5}))
    column = {"label": "Rate", "type": "Run Parameter", "source": "params.check/rate", "is_editable": False}
    definition = {"name": name, "description": "rates", "coldefs": [column | {"position": 0}]}

    def names() -> set[str]:
        return {table["name"] for table in done(client.run_tables(experiment))}

    done(client.define_run_table(experiment, definition))
    rows = {row["num"]: row for row in done(client.run_table_data(experiment, name))}
    assert "2.5" in str(rows[1])
    done(client.define_run_table(experiment, definition | {"description": "more"}))
    (found,) = (table for table in done(client.run_tables(experiment)) if table["name"] == name)
    assert found["description"] == "more"
    done(client.clone_run_table(experiment, name, copy))
    done(client.delete_run_table(experiment, name))
    assert copy in names()
    assert name not in names()
    assert not client.clone_run_table(experiment, name, "a clone of what is gone").success
    assert not client.delete_run_table(experiment, name).success


def check_locked(client: LclsClient, experiment: str, allowed: str) -> None:
    """Nobody writes into an experiment that is locked; it is read as before.

    :param experiment: one that is locked.
    :param allowed: an executable that is allowed.
    """
    definition = {
        "name": "w",
        "executable": allowed,
        "parameters": "",
        "trigger": "MANUAL",
        "location": "S3DF",
    }
    for reply in (
        client.new_entry(experiment, "text"),
        client.add_run_params(experiment, 1, {"a": 1}),
        client.run_control(experiment, "start_run"),
        client.define_workflow(experiment, **definition),
    ):
        assert reply.status == 423, reply
    done(client.entries(experiment))
    done(client.runs(experiment))


def check_identities(url: str, experiment: str, password: str) -> None:
    """Nobody writes who is not known, and what is under each prefix takes its own kind of proof only."""
    with LclsClient(url, "ws-auth") as nobody, LclsClient.operator(url, experiment, f"{password}x") as wrong:
        assert nobody.new_entry(experiment, "text").status == 401
        assert nobody.runs(experiment).status == 401
        assert wrong.new_entry(experiment, "text").status in (401, 403)
    with LclsClient(url, "ws-jwt", headers={"Authorization": "Bearer none"}) as forged:
        assert forged.add_run_params(experiment, 1, {"a": 1}).status in (401, 403)
    with LclsClient(url, "ws-kerb") as no_ticket:
        assert no_ticket.runs(experiment).status == 401
    with LclsClient(url) as anybody:
        assert not anybody.new_entry(experiment, "text").success
    other = "mfx" if experiment[:3] != "mfx" else "xpp"
    with LclsClient.operator(url, other, password) as elsewhere:
        assert elsewhere.new_entry(experiment, "text").status in (401, 403)


def check_reads_through_get_change_nothing(client: LclsClient, experiment: str) -> None:
    """A call that changes something is not done through GET."""
    before = done(client.entries(experiment))
    for call in ("new_elog_entry", "modify_elog_entry", "delete_elog_entry", "create_workflow_job"):
        entry = before[0]["_id"] if before else "none"
        reply = client.get(f"lgbk/{experiment}/ws/{call}", log_text="through GET", _id=entry)
        assert reply.status in (404, 405)
    assert done(client.entries(experiment)) == before


def check_replies(client: LclsClient, experiment: str) -> None:
    """Lists are lists, also where there is nothing."""
    for reply in (
        client.runs(experiment),
        client.entries(experiment),
        client.tags(experiment),
        client.run_tables(experiment),
        client.workflows(experiment),
        client.jobs(experiment),
        client.search(experiment, uuid.uuid4().hex),
    ):
        assert isinstance(done(reply), list)
