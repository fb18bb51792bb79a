"""What calls of LCLS's clients find and show, beyond what every client is promised."""

from __future__ import annotations

import base64
import csv
import io
from datetime import UTC, datetime

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.logbook import Logbook
from hutch.server import Admission, build_app

from ...serving import serving

EXPERIMENT = "xppx1"
PASSWORD = "a long password"  # noqa: S105
DAY_S = 86_400.0
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def logbook(tmp_path_factory):
    """A logbook with an entry of each of ten days, about runs 1 to 5, two for each."""
    with hutch.open_catalog(tmp_path_factory.mktemp("lcls") / "store") as catalog:
        access = Access(catalog.store)
        access.users.add("xppopr", PASSWORD, scopes=["read", "record", "write"])
        access.experiments.create(EXPERIMENT, instrument="XPP", leader="Ada", description="Ångström")
        access.executables.allow("/bin/true")
        found = Logbook(catalog)
        for _ in range(5):
            found.start_run(EXPERIMENT)
        for day in range(10):
            found.post(
                EXPERIMENT,
                f"beam {'lost' if day % 2 else 'back'}",
                tags=[f"day{day}"],
                run=day // 2 + 1,
                time=NOON + day * DAY_S,
                author="ada",
            )
        yield found


@pytest.fixture(scope="module")
def client(logbook):
    identity = base64.b64encode(f"xppopr:{PASSWORD}".encode()).decode()
    catalog = hutch.open_catalog(logbook.store.location)
    with (
        catalog,
        serving(build_app({"raw": catalog}, Admission())) as address,
        httpx.Client(
            base_url=f"{address}/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/",
            headers={"Authorization": f"Basic {identity}"},
            timeout=20,
        ) as found,
    ):
        yield found


def value(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


def moment(day):
    return datetime.fromtimestamp(NOON + day * DAY_S, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"search_text": "lost"}, [1, 3, 5, 7, 9]),
        ({"search_text": "lost", "start_run_num": 2, "end_run_num": 3}, [3, 5]),
        ({"search_text": "lost run:2-3"}, [3, 5]),
        ({"search_text": "beam", "start_run_num": 5}, [8, 9]),
        ({"search_text": "beam", "tag": "day4"}, [4]),
        ({"search_text": "t:day4"}, [4]),
        ({"tag": "day4"}, [4]),
        ({"run_num": 2}, [2, 3]),
        ({"end_run_num": 1}, [0, 1]),
        ({"start_date": moment(7)}, [7, 8, 9]),
        ({"start_date": moment(2), "end_date": moment(4)}, [2, 3]),
        ({"search_text": "lost", "start_date": moment(2), "end_date": moment(6)}, [3, 5]),
        ({"search_text": "lost", "limit": 2}, [7, 9]),
        ({"search_text": "beam", "tag": "day4"}, [4]),
        ({"search_text": "beam", "tag": 'no "such" tag'}, []),
        ({}, list(range(10))),
    ],
)
def test_a_search_is_narrowed_by_all_that_is_given(client, query, days):
    found = value(client.get("search_elog", params=query))
    assert [entry["tags"] for entry in found] == [[f"day{day}"] for day in reversed(days)]


@pytest.mark.parametrize("query", [{"start_date": "soon"}, {"search_text": "run:x"}, {"start_run_num": "x"}])
def test_what_cannot_be_searched_for_is_told(client, query):
    assert client.get("search_elog", params=query).status_code == 400


def test_entries_are_asked_for_in_pages(client):
    whole = value(client.get("elog"))
    first = value(client.get("elog", params={"limit": 4}))
    rest = value(client.get("elog", params={"before": first[-1]["_id"]}))
    assert first + rest == whole
    assert len(first) == 4
    assert value(client.get("search_elog", params={"_id": whole[3]["_id"]})) == [whole[3]]


def test_times_are_told_in_utc(client):
    assert value(client.get("elog"))[-1]["insert_time"] == "2026-03-10T12:00:00.000Z"


def test_an_experiment_is_told_in_full(client):
    found = value(client.get("info"))
    assert (found["instrument"], found["leader_account"], found["description"]) == ("XPP", "Ada", "Ångström")
    assert found["is_locked"] is False


def test_runs_are_told_with_their_parameters_or_without(client):
    value(client.post("add_run_params?run_num=2", json={"gain": 3}))
    runs = value(client.get("runs"))
    assert [run["num"] for run in runs] == [1, 2, 3, 4, 5]
    assert runs[1]["params"] == {"gain": 3}
    assert [run["is_closed"] for run in runs] == [True] * 4 + [False]
    assert all("params" not in run for run in value(client.get("runs?includeParams=false")))
    assert value(client.get("2/get_tags_for_run")) == ["day2", "day3"]


def test_who_deleted_an_entry_is_told(client, logbook):
    entry = logbook.post(EXPERIMENT, "of ada", author="ada", run=0, time=NOON - DAY_S)
    gone = value(client.post("delete_elog_entry", data={"_id": entry.id}))
    assert (gone["author"], gone["deleted_by"]) == ("ada", "xppopr")


def test_an_entry_is_modified_by_json_as_by_a_form(client, logbook):
    entry = logbook.post(EXPERIMENT, "old", title="T", tags="a", run=0, time=NOON - DAY_S, author="xppopr")
    changed = {"_id": str(entry.id), "log_text": "new", "log_title": "", "log_tags": "b c"}
    found = value(client.post("modify_elog_entry", json=changed))
    assert (found["content"], found["title"], found["tags"]) == ("new", "", ["b", "c"])
    value(client.post("delete_elog_entry", data={"_id": entry.id}))


@pytest.mark.parametrize("sent", [{"data": {"log_tags": ["a b", "c"]}}, {"json": {"log_tags": ["a b", "c"]}}])
def test_tags_may_be_given_one_by_one(client, sent):
    ((kind, fields),) = sent.items()
    made = value(client.post("new_elog_entry", **{kind: {"log_text": "tagged", **fields}}))
    assert made["tags"] == ["a", "b", "c"]
    found = value(client.get("search_elog", params={"tag": ["c", "a"]}))
    assert [one["_id"] for one in found] == [made["_id"]]
    assert value(client.get("search_elog", params={"tag": ["c", "day0"]})) == []
    value(client.delete(f"delete_elog_entry?_id={made['_id']}"))


@pytest.mark.parametrize(
    "given",
    [
        {"log_text": {"a": 1}},
        {"log_text": ["a"]},
        {"log_text": "  "},
        {"log_text": "a", "log_tags": ["a", 1]},
        {"log_text": "a", "log_tags": {"a": 1}},
        {"log_text": "a", "run_num": [1]},
    ],
)
def test_what_is_no_text_is_not_written_as_if_it_were(client, given):
    before = value(client.get("elog"))
    answer = client.post("new_elog_entry", json=given)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert value(client.get("elog")) == before


def test_tables_and_entries_are_deleted_as_by_the_pages_of_lcls(client):
    made = value(client.post("new_elog_entry", data={"log_text": "a slip"}))
    value(client.delete("delete_elog_entry", params={"_id": made["_id"]}))
    assert made["_id"] not in [one["_id"] for one in value(client.get("elog"))]
    definition = {"name": "Short", "coldefs": [{"source": "num"}]}
    value(client.post("create_update_user_run_table_def", json=definition))
    value(client.delete("delete_run_table", params={"table_name": "Short"}))
    assert "Short" not in [one["name"] for one in value(client.get("run_tables"))]


def test_a_thread_is_told_however_it_is_asked_for(client, logbook):
    first = logbook.post(EXPERIMENT, "asked", run=0, time=NOON - 2 * DAY_S, author="xppopr")
    second = logbook.post(EXPERIMENT, "answered", parent=first.id, time=NOON - DAY_S, author="xppopr")
    ways = (f"elog/{second.id}/complete_elog_tree", f"complete_elog_tree?entry_id={first.id}")
    for path in ways:
        assert [one["content"] for one in value(client.get(path))] == ["asked", "answered"]
    assert len(value(client.get("complete_elog_tree"))) == len(value(client.get("elog")))
    assert client.get("complete_elog_tree?entry_id=4711").status_code == 404
    entry = value(client.post("new_elog_entry", data={"log_text": "now", "run_num": "current"}))
    assert entry["run_num"] == 5
    for one in (entry["_id"], second.id, first.id):
        value(client.post("delete_elog_entry", data={"_id": one}))


def test_a_value_that_a_job_posts_tells_which(client, logbook):
    logbook.define_workflow(EXPERIMENT, "fit", "/bin/true", author="xppopr")
    made = logbook.create_job(EXPERIMENT, "fit", 3, author="xppopr")
    path = f"{client.base_url}add_run_params?run_num=3".replace("ws-auth", "ws-jwt")
    value(httpx.post(path, json={"width": 1.5}, headers={"Authorization": f"Bearer {made.token}"}))
    (row,) = logbook.history_of_param(EXPERIMENT, 3, "width")
    assert (row["author"], row["origin"]) == ("xppopr", {"service": "lcls", "job": made.job.id})


def test_a_table_is_sorted_by_position_edited_and_taken_as_csv(client):
    columns = [
        {"label": "Comment", "source": "editable_params.comment.value", "position": 2},
        {"label": "Run", "source": "num", "position": 0},
        {"label": "PV", "source": "params.XPP:GON:MMS:01.RBV", "position": 1},
    ]
    made = value(client.post("create_update_user_run_table_def", json={"name": "Mine", "coldefs": columns}))
    assert [column["label"] for column in made["coldefs"]] == ["Run", "PV", "Comment"]
    assert [column["source"] for column in made["coldefs"]][1:] == [
        "params.XPP:GON:MMS:01.RBV",
        "params.comment",
    ]
    value(client.post("add_run_params?run_num=1", json={"XPP:GON:MMS:01.RBV": -2.5}))
    cell = {"runnum": "1", "source": "params.comment", "value": "=1+1"}
    value(client.post("run_table_editable_update", data=cell))
    row = value(client.get("run_table_data?tableName=Mine"))[0]
    assert row["params"] == {"XPP:GON:MMS:01.RBV": -2.5, "comment": "=1+1"}
    answer = client.get("runtables/export_as_csv?runtable=Mine")
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert lines[0] == ["Run", "PV", "Comment"]
    assert lines[1] == ["1", "-2.5", "'=1+1"]
    wrong = client.post("run_table_editable_update", data={**cell, "source": "begin_time"})
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    "definition",
    [
        [],
        {},
        {"name": "A"},
        {"name": "A", "coldefs": [1]},
        {"name": "A", "coldefs": [{"source": 1}]},
        {"name": "A", "coldefs": [{"source": "num", "position": "x"}]},
        {"name": "A", "coldefs": []},
        {"name": "\x00", "coldefs": [{"source": "num"}]},
    ],
)
def test_what_is_no_run_table_is_refused(client, definition):
    assert client.post("create_update_user_run_table_def", json=definition).status_code in (400, 422)


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"executable": 1}, {"trigger": "DAILY"}, {"trigger": "RUN_PARAM_IS_VALUE"}]
)
def test_what_is_no_workflow_is_refused(client, change):
    whole = {"name": "w", "executable": "/bin/true", "trigger": "MANUAL", "location": "S3DF"}
    assert client.post("create_update_workflow_def", json=whole | change).status_code in (400, 422)


def test_a_workflow_is_told_as_it_was_defined_and_its_jobs_with_it(client):
    whole = {"name": "w", "executable": "/bin/true", "parameters": "-n 4", "trigger": "RUN_PARAM_IS_VALUE"}
    whole |= {"location": "S3DF", "run_param_name": "state", "run_param_val": "go"}
    made = value(client.post("create_update_workflow_def", json=whole))
    again = value(client.post("create_update_workflow_def", json=whole))
    assert again["_id"] == made["_id"]
    assert (made["parameters"], made["run_param_value"], made["run_as_user"]) == ("-n 4", "go", "xppopr")
    job = value(client.post("create_workflow_job", json={"job_name": "w", "run_num": 1}))
    assert (job["status"], job["def"]["name"], job["user"]) == ("SUBMITTED", "w", "xppopr")
    assert "token" not in str(job)
    assert value(client.post("kill_workflow_job", json={"_id": job["_id"]}))["status"] == "KILLED"
    assert value(client.get(f"workflow/{job['_id']}/job_statuses"))[0]["status"] == "KILLED"
