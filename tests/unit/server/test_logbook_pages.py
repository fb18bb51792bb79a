"""The pages of the logbook: what they show and to whom, what is written through them, and what is refused."""

from __future__ import annotations

import html
import io
import re
import socket
from functools import partial

import httpx
import pytest
from PIL import Image

import hutch
from hutch.access import Access
from hutch.logbook import Logbook, NewFile
from hutch.server import Admission, build_app, watching

from ...serving import KEY, key_cookie, serving

HTML = {"Accept": "text/html"}
PASSWORD = "correct horse battery"  # noqa: S105 - of a test
EVIL = "<script>alert(1)</script>"


def png(size=(300, 200)):
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def catalog(tmp_path):
    with hutch.open_catalog(tmp_path / "store") as found:
        experiments = Access(found.store).experiments
        experiments.create("xpp1", instrument="XPP", description="LaB6 & more")
        experiments.activate("xpp1")
        yield found


@pytest.fixture
def logbook(catalog):
    return Logbook(catalog.store)


@pytest.fixture
def address(catalog):
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as found:
        yield found


@pytest.fixture
def http(address):
    """A browser that has its key in a cookie, and is on a page of this server."""
    headers = {**HTML, "Origin": address}
    with httpx.Client(base_url=address, headers=headers, cookies=key_cookie(address), timeout=20) as found:
        yield found


def test_the_logbook_of_the_only_active_experiment_is_shown(http, catalog):
    found = http.get("/logbook")
    assert found.status_code == 303 and found.headers["location"] == "/logbook/xpp1"
    page = http.get("/logbook/xpp1").text
    assert "Nothing has been written yet." in page and "LaB6 &amp; more" in page and "active" in page
    Access(catalog.store).experiments.create("old", instrument="XPP")
    everything = http.get("/logbook?all=true").text
    assert "/logbook/old" in everything and "/logbook/xpp1" in everything


def test_each_experiment_is_found_in_the_store_that_has_it(catalog, logbook, tmp_path):
    with hutch.open_catalog(tmp_path / "mfx") as other:
        second = Logbook(other.store)
        for name, instrument in (("mfx1", "MFX"), ("xpp1", "MFX")):
            second.access.experiments.create(name, instrument=instrument)
        logbook.post("xpp1", "in the first store")
        second.post("xpp1", "in the second store")
        second.post("mfx1", "only in the second store")
        options = {"headers": {**HTML, "Authorization": f"Apikey {KEY}"}, "timeout": 20}
        with (
            serving(build_app({"raw": catalog, "mfx": other}, Admission([KEY]))) as address,
            httpx.Client(base_url=address, **options) as http,
        ):
            listed = re.findall(r'href="(/logbook/[^"?]*1(?:\?[^"]*)?)"', http.get("/logbook?all=true").text)
            assert listed == ["/logbook/mfx1", "/logbook/xpp1", "/logbook/xpp1?catalog=mfx"]
            for place, text in zip(
                listed, ("only in the second", "in the first", "in the second"), strict=True
            ):
                assert f"{text} store" in http.get(place).text
            (entry,) = second.entries("xpp1").entries
            for place in (
                listed[2],
                f"/logbook/xpp1/entries/{entry.id}?catalog=mfx",
                "/logbook/xpp1/new?catalog=mfx",
            ):
                found = http.get(place)
                links = re.findall(r'(?:href|action|data-preview)="(/logbook/xpp1[^"]*)"', found.text)
                assert found.status_code == 200 and links
                assert [one for one in links if "catalog=mfx" not in one] in ([], ["/logbook/xpp1"])
            typed = {"text": "by hand", "do": "post"}
            for place in ("/logbook/mfx1/new", "/logbook/xpp1/new?catalog=mfx"):
                assert http.post(place, data=typed, headers={"Origin": address}).status_code == 303
            assert [len(second.entries(name).entries) for name in ("mfx1", "xpp1")] == [2, 2]
            assert http.get("/logbook/none1").status_code == 404
            assert http.get("/logbook/xpp1?catalog=none").status_code == 404


def test_an_entry_is_written_and_read_with_its_picture(http, logbook):
    found = http.post(
        "/logbook/xpp1/new",
        data={"title": "Beam & more", "text": "**found** it 你好", "tags": "beam align", "do": "post"},
        files=[("files", ("käfer.png", png(), "text/html")), ("files", ("a.html", b"<script>", "text/html"))],
    )
    (entry,) = logbook.entries("xpp1").entries
    assert found.status_code == 303 and found.headers["location"] == f"/logbook/xpp1#entry-{entry.id}"
    assert (entry.title, entry.tags, entry.author) == ("Beam & more", ("beam", "align"), "owner")
    page = http.get("/logbook/xpp1").text
    assert "<strong>found</strong> it 你好" in page and "Beam &amp; more" in page
    place = f"/logbook/xpp1/entries/{entry.id}/files"
    assert f'src="{place}/1?small=true"' in page and f'href="{place}/2"' in page
    picture = http.get(f"{place}/1")
    assert picture.content == png() and picture.headers["content-type"] == "image/png"
    small = http.get(f"{place}/1?small=true")
    assert Image.open(io.BytesIO(small.content)).width <= 300
    other = http.get(f"{place}/2")
    assert other.content == b"<script>" and other.headers["content-type"] == "application/octet-stream"
    for one in (picture, small, other):
        assert one.headers["x-content-type-options"] == "nosniff"
    assert other.headers["content-disposition"].startswith("attachment")
    assert http.get(f"{place}/3").status_code == 404
    assert http.get("/logbook/xpp1/entries/999").status_code == 404


def test_the_number_of_a_run_leads_to_its_page(http, catalog, logbook):
    with catalog.start_run(experiment="xpp1") as run:
        pass
    logbook.post("xpp1", "about it")
    for page in ("/logbook/xpp1", "/logbook/xpp1/tables"):
        assert 'href="/logbook/xpp1/runs/1"' in http.get(page).text
    found = http.get("/logbook/xpp1/runs/1")
    assert (found.status_code, found.headers["location"]) == (303, f"/runs/{run.uid}")
    assert http.get(found.headers["location"]).status_code == 200
    assert http.get("/logbook/xpp1/runs/7").status_code == 404


def test_a_picture_that_the_text_shows_is_not_shown_once_more(http, logbook):
    files = [NewFile(png(), "a.png"), NewFile(png((200, 300)), "b.png")]
    entry = logbook.post("xpp1", "![as it was](attachment:1)", files=files).id
    page = http.get("/logbook/xpp1").text

    assert f'<img src="/logbook/xpp1/entries/{entry}/files/1"' in page
    assert re.findall(r"/files/(\d)\?small=true", page) == ["2"]


def test_entries_are_searched_for_and_leafed_through(http, logbook):
    for number in range(60):
        logbook.post(
            "xpp1", f"word{number % 2}", title=f"Entry {number}", tags=["even"] if number % 2 == 0 else []
        )
    page = http.get("/logbook/xpp1").text
    titles = re.findall(r">Entry (\d+)<", page)
    assert titles == [str(number) for number in range(59, 34, -1)]
    (older,) = re.findall(r'rel="next" href="([^"]+)"', page)
    assert re.findall(r">Entry (\d+)<", http.get(older.replace("&amp;", "&")).text)[0] == "34"
    found = http.get("/logbook/xpp1", params={"q": "word0 t:even"}).text
    assert re.findall(r">Entry (\d+)<", found)[:2] == ["58", "56"]
    wrong = http.get("/logbook/xpp1", params={"q": "run:x"})
    assert wrong.status_code == 400 and 'role="alert"' in wrong.text


def test_a_preview_writes_nothing_and_keeps_what_was_typed(http, logbook):
    typed = {"title": "T", "text": "*new* text", "tags": "a", "run": "", "do": "preview"}
    found = http.post("/logbook/xpp1/new", data=typed)
    assert found.status_code == 200 and "<em>new</em> text" in found.text and 'value="T"' in found.text
    part = http.post("/logbook/xpp1/preview", data={"text": f"*x* {EVIL}"})
    assert "<em>x</em>" in part.text and "<script" not in part.text
    assert not logbook.entries("xpp1").entries


def test_what_cannot_be_taken_is_shown_again_with_the_reason(http, logbook):
    found = http.post("/logbook/xpp1/new", data={"title": "T", "text": "kept text", "run": "7", "do": "post"})
    assert found.status_code == 404 and "kept text" in found.text and 'role="alert"' in found.text
    found = http.post("/logbook/xpp1/new", data={"text": "kept text", "run": "seven", "do": "post"})
    assert found.status_code == 422 and "kept text" in found.text
    found = http.post("/logbook/xpp1/new", data={"text": " ", "tags": "kept", "do": "post"})
    assert found.status_code == 422 and 'value="kept"' in found.text and "has none" in found.text
    assert not logbook.entries("xpp1").entries


def test_numbers_of_any_length_are_mistakes_of_the_sender(http, catalog, logbook):
    entry = logbook.post("xpp1", "said", author="ada")
    with catalog.start_run(experiment="xpp1"):
        pass
    digits = "9" * 5000
    assert http.post("/logbook/xpp1/new", data={"text": "x", "run": digits}).status_code == 422
    assert http.post("/logbook/xpp1/tables", data={"cell": f"{digits}:param.x"}).status_code == 400
    changed = {"text": "once more", "without": digits, "run": ""}
    assert http.post(f"/logbook/xpp1/entries/{entry.id}/edit", data=changed).status_code == 303
    cell = {"cell": "1:param.x", "value": "1", "offset": digits}
    assert http.post("/logbook/xpp1/tables", data=cell).status_code == 303
    answer = {"text": "x", "parent": digits}
    assert http.post("/logbook/xpp1/new", data=answer).status_code == 404


def test_nothing_at_all_is_no_entry(http, logbook):
    found = http.post("/logbook/xpp1/new", data={"title": " ", "text": "\n", "tags": "kept", "do": "post"})
    assert found.status_code == 422 and "this one has none" in found.text
    assert 'value="kept"' in found.text
    assert not logbook.entries("xpp1").entries


def test_entries_are_answered_changed_deleted_and_restored(http, logbook):
    first = logbook.post("xpp1", "question", title="Why?", files=[NewFile(b"x", "x.txt")])
    http.post("/logbook/xpp1/new", data={"text": "because", "parent": str(first.id), "do": "post"})
    thread = logbook.thread(first.id)
    assert [entry.text for entry in thread] == ["question", "because"]
    place = f"/logbook/xpp1/entries/{first.id}"
    assert "question" in http.get(f"{place}/edit").text
    changed = {
        "title": "Why now?",
        "text": "question 2",
        "tags": "q",
        "run": "",
        "without": "1",
        "do": "post",
    }
    assert http.post(f"{place}/edit", data=changed).status_code == 303
    nothing = http.post(f"{place}/edit", data={"title": "", "text": "", "run": "", "do": "post"})
    assert nothing.status_code == 422 and "has none" in nothing.text
    page = http.get(place).text
    assert "question 2" in page and "because" in page and "2 versions" in page and "x.txt" not in page
    assert "question" in http.get(f"{place}?version=1").text
    assert http.post(f"{place}/delete").status_code == 303
    assert logbook.entry(first.id).is_deleted and "question 2" not in http.get(place).text
    assert http.post(f"{place}/restore").status_code == 303
    assert not logbook.entry(first.id).is_deleted


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["new", "preview", "tables", "entries/1/edit", "entries/1/delete"])
def test_nothing_is_written_for_a_page_of_another_site(address, logbook, path, headers):
    logbook.post("xpp1", "stays")
    cookies = key_cookie(address)
    with httpx.Client(base_url=address, headers={**HTML, **headers}, cookies=cookies) as http:
        found = http.post(f"/logbook/xpp1/{path}", data={"text": "evil", "cell": "1:param.a", "do": "post"})
    assert found.status_code == 401
    (entry,) = logbook.entries("xpp1").entries
    assert entry.text == "stays" and entry.version == 1


@pytest.mark.parametrize("how", ["password", "proxy"])
def test_what_browsers_send_by_themselves_writes_nothing_for_a_page_of_another_site(catalog, logbook, how):
    Access(catalog.store).users.add("xppopr", PASSWORD)
    identity = {"auth": ("xppopr", PASSWORD)} if how == "password" else {"headers": {"X-User": "xppopr"}}
    admission = Admission([KEY], user_header="X-User", proxies=["127.0.0.1"])
    with (
        serving(build_app({"raw": catalog}, admission)) as address,
        httpx.Client(base_url=address, timeout=20, **identity) as http,
    ):
        for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
            found = http.post("/logbook/xpp1/new", data={"text": "evil", "do": "post"}, headers=headers)
            assert found.status_code == 401
        assert http.get("/logbook/xpp1", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
        for headers in ({}, {"Origin": address}, {"Sec-Fetch-Site": "same-origin"}):
            found = http.post("/logbook/xpp1/new", data={"text": "good", "do": "post"}, headers=headers)
            assert found.status_code == 303
    assert [entry.text for entry in logbook.entries("xpp1").entries] == 3 * ["good"]


def test_who_sends_half_a_form_is_not_waited_for(catalog, logbook, monkeypatch):
    limited = partial(watching.BodyLimit, pause_s=0.3)
    monkeypatch.setattr("hutch.server.app.BodyLimit", limited)
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        host, port = address.removeprefix("http://").split(":")
        head = f"POST /logbook/xpp1/new HTTP/1.1\r\nHost: {host}\r\nAuthorization: Apikey {KEY}\r\n"
        head += "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 500\r\n\r\n"
        half = '--b\r\nContent-Disposition: form-data; name="text"\r\n\r\nhalf'
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(f"{head}{half}".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 408 ")
    assert logbook.entries("xpp1").entries == ()


def test_nothing_is_written_by_looking(http, logbook):
    entry = logbook.post("xpp1", "stays")
    for path in ("delete", "restore"):
        assert http.get(f"/logbook/xpp1/entries/{entry.id}/{path}").status_code == 405
    assert logbook.entry(entry.id).version == 1


def test_a_locked_experiment_is_read_and_not_written(http, catalog, logbook):
    logbook.post("xpp1", "before")
    Access(catalog.store).experiments.lock("xpp1")
    page = http.get("/logbook/xpp1").text
    assert "before" in page and "locked" in page and "Write an entry" not in page
    found = http.post("/logbook/xpp1/new", data={"text": "after", "do": "post"})
    assert found.status_code == 423 and "after" in found.text
    assert len(logbook.entries("xpp1").entries) == 1


def test_who_only_reads_is_not_asked_to_write_and_may_not(catalog, logbook):
    access = Access(catalog.store)
    access.users.add("ann", PASSWORD)
    access.experiments.set_role("xpp1", "ann", "reader")
    logbook.post("xpp1", "readable")
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        auth = ("ann", PASSWORD)
        with httpx.Client(base_url=address, headers=HTML, auth=auth, timeout=20) as http:
            page = http.get("/logbook/xpp1").text
            assert "readable" in page and "Write an entry" not in page and ">Edit<" not in page
            assert http.post("/logbook/xpp1/new", data={"text": "x", "do": "post"}).status_code == 403
            for form in ("new", "entries/1/edit"):
                found = http.get(f"/logbook/xpp1/{form}")
                assert found.status_code == 403 and "<textarea" not in found.text
            access.experiments.create("secret", instrument="XPP")
            assert http.get("/logbook/secret").status_code == 404
            assert "secret" not in http.get("/logbook?all=true").text
        assert httpx.get(f"{address}/logbook/xpp1", headers=HTML).status_code == 401
    assert len(logbook.entries("xpp1").entries) == 1


def test_the_run_table_is_sorted_changed_and_given_as_csv(http, catalog, logbook):
    for number in range(3):
        with catalog.start_run(plan_name=f"plan{number}", sample="=1+1", experiment="xpp1") as run:
            run.add("primary", {"x": 1.0})
    for num in (1, 2, 3):
        logbook.add_run_params("xpp1", num, {"gain": 4 - num})
    logbook.create_run_table("xpp1", "gains", ["run_num", "start.plan_name", "start.sample", "param.gain"])

    def plans(sort):
        page = http.get("/logbook/xpp1/tables", params={"name": "gains", "sort": sort}).text
        return re.findall(r">(plan\d)<", page)

    assert plans("param.gain") == ["plan2", "plan1", "plan0"] == plans("-run_num")
    edit = http.get("/logbook/xpp1/tables", params={"name": "gains", "edit": "2:param.gain"}).text
    assert 'value="2" aria-label="param.gain of run 2"' in edit
    cell = {"cell": "2:param.gain", "value": "7.5", "name": "gains", "sort": "", "offset": "0"}
    assert http.post("/logbook/xpp1/tables", data=cell).status_code == 303
    assert logbook.params_of_runs("xpp1")[2] == {"gain": 7.5}
    assert logbook.history_of_param("xpp1", 2, "gain")[-1]["author"] == "owner"
    for wrong in ("2:start.plan_name", "9:param.gain", "x"):
        assert http.post("/logbook/xpp1/tables", data={**cell, "cell": wrong}).status_code in (400, 404, 422)
    text = http.get("/logbook/xpp1/tables.csv?name=gains&sort=run_num").text
    assert text.splitlines()[2] == "2,plan1,'=1+1,7.5"
    assert http.get("/logbook/xpp1/tables?name=nothing").status_code == 404


def test_rows_are_grouped_and_stay_so_when_a_cell_is_changed(http, catalog, logbook):
    for named in ({"sample": "LaB6"}, {}, {"sample": "LaB6"}):
        with catalog.start_run(experiment="xpp1", **named):
            pass
    logbook.create_run_table("xpp1", "gains", ["run_num", "start.sample", "param.gain"])
    asked = {"name": "gains", "group": "start.sample"}
    page = http.get("/logbook/xpp1/tables", params=asked).text
    assert re.findall(r"<li>(\w+) <small>(\d)", page) == [("nothing", "1"), ("LaB6", "2")]
    assert re.findall(r"runs/(\d)", page) == ["2", "3", "1"]
    assert '<option value="start.sample" selected>' in page
    cell = {"cell": "2:param.gain", "value": "1", **asked}
    assert "group=start.sample" in http.post("/logbook/xpp1/tables", data=cell).headers["location"]
    text = http.get("/logbook/xpp1/tables.csv", params=asked).text
    assert [line[0] for line in text.splitlines()[1:]] == ["2", "3", "1"]
    page = http.get("/logbook/xpp1/tables", params={"group": "scan_id"}).text
    assert '<option value="scan_id" selected>' in page
    for wrong in ("tags", "nowhere", "a..b"):
        assert http.get("/logbook/xpp1/tables", params={"group": wrong}).status_code == 400


def define(http, **form):
    return http.post("/logbook/xpp1/tables/define", data={"do": "save", **form})


def test_tables_are_made_changed_taken_as_a_model_and_deleted(http, logbook):
    lines = {
        "source": ["param.gain", "", "run_num"],
        "label": ["Gain", "left out", ""],
        "type": ["number", "auto", "auto"],
        "place": ["2", "3", "1"],
    }
    made = define(http, new="gains", description="of May", **lines)
    assert (made.status_code, made.headers["location"]) == (303, "/logbook/xpp1/tables?name=gains")
    table = logbook.run_table("xpp1", "gains")
    assert [(one.source, one.label, one.type) for one in table.columns] == [
        ("run_num", "", "auto"),
        ("param.gain", "Gain", "number"),
    ]
    assert (table.description, table.author) == ("of May", "owner")
    page = http.get("/logbook/xpp1/tables/define?name=gains").text
    assert 'value="param.gain" list' in page and 'value="of May"' in page and "Delete the table" in page
    define(http, table="gains", source="uid", label="", type="text", place="1", description="")
    assert [one.source for one in logbook.run_table("xpp1", "gains").columns] == ["uid"]
    define(http, table="gains", new="other", source="uid", label="", type="text", place="1")
    assert [one.name for one in logbook.run_tables("xpp1")] == ["default", "gains", "other"]
    for name in ("gains", "other"):
        assert define(http, table=name, do="delete").headers["location"].endswith("name=default")
    assert [one.name for one in logbook.run_tables("xpp1")] == ["default"]


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"new": "default", "source": "uid"}, 422, "already"),
        ({"new": " \x07 ", "source": "uid"}, 422, "no name of a run table"),
        ({"table": "nothing", "source": "uid"}, 404, "no run table"),
        ({"new": "a", "source": "start..x"}, 400, "is no key"),
        ({"new": "a", "source": "uid", "type": "colour"}, 422, "no type of a column"),
        ({"new": "a"}, 422, "1 to 200 columns"),
        ({"table": "default", "do": "delete"}, 422, "cannot be deleted"),
    ],
)
def test_a_table_that_cannot_be_is_shown_again_as_it_was_typed(http, logbook, form, status, said):
    found = define(http, description="kept <text>", **{"type": "auto", **form})
    assert (found.status_code, said in found.text, 'role="alert"' in found.text) == (status, True, True)
    assert "kept &lt;text&gt;" in found.text and f'value="{form.get("source", "")}"' in found.text
    assert [one.name for one in logbook.run_tables("xpp1")] == ["default"]


def test_only_editors_define_tables(catalog, logbook):
    access = logbook.access
    for user, role in (("ada", "editor"), ("bob", "writer")):
        access.users.add(user, scopes=["read", "record", "write"])
        access.experiments.set_role("xpp1", user, role)
    keys = {user: access.keys.create(["read", "record", "write"], owner=user)[0] for user in ("ada", "bob")}
    with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
        for user, statuses in (("ada", (200, 303)), ("bob", (403, 403))):
            headers = {**HTML, "Authorization": f"Apikey {keys[user]}"}
            with httpx.Client(base_url=address, headers=headers, timeout=20) as client:
                link = "/tables/define" in client.get("/logbook/xpp1/tables").text
                shown = client.get("/logbook/xpp1/tables/define").status_code
                saved = define(client, new="mine", source="uid").status_code
                assert (link, shown, saved) == (user == "ada", *statuses)
        access.experiments.lock("xpp1")
        with httpx.Client(base_url=address, headers={**HTML, "Authorization": f"Apikey {KEY}"}) as client:
            assert client.get("/logbook/xpp1/tables/define").status_code == 423
            assert define(client, new="late", source="uid").status_code == 423
    assert [one.name for one in logbook.run_tables("xpp1")] == ["default", "mine"]


@pytest.mark.parametrize(
    "value", [1234567.125, 12345, True, False, "5", "true", " two  words", "x" * 300, "é"]
)
def test_a_cell_that_is_kept_as_it_is_stays_what_it_is(http, catalog, logbook, value):
    with catalog.start_run(experiment="xpp1"):
        pass
    logbook.add_run_params("xpp1", 1, {"gain": value})
    logbook.create_run_table("xpp1", "gains", ["run_num", "param.gain"])
    page = http.get("/logbook/xpp1/tables?name=gains&edit=1:param.gain").text
    (typed,) = re.findall(r'<input name="value" value="([^"]*)"', page)
    form = {"cell": "1:param.gain", "name": "gains", "value": html.unescape(typed)}
    assert http.post("/logbook/xpp1/tables", data=form).status_code == 303
    kept = logbook.params_of_runs("xpp1")[1]["gain"]
    assert (kept, type(kept)) == (value, type(value))


def test_a_large_file_is_taken_and_one_too_large_loses_nothing_that_was_typed(http, logbook, monkeypatch):
    monkeypatch.setenv("HUTCH_ATTACHMENT_LIMIT_BYTES", str(12_000_000))
    typed = {"text": "kept text", "do": "post"}
    found = http.post("/logbook/xpp1/new", data=typed, files={"files": ("a.bin", bytes(11_000_000))})
    assert found.status_code == 303
    found = http.post("/logbook/xpp1/new", data=typed, files={"files": ("b.bin", bytes(13_000_000))})
    assert found.status_code == 413 and "kept text" in found.text
    (entry,) = logbook.entries("xpp1").entries
    assert entry.attachments[0].size == 11_000_000
    long = http.post("/logbook/xpp1/new", data={"text": "x" * 1_500_000, "do": "post"})
    assert long.status_code == 303


def test_nothing_that_was_written_is_taken_for_markup(http, catalog, logbook):
    with catalog.start_run(plan_name=EVIL, experiment="xpp1", note=EVIL) as run:
        run.add("primary", {"x": 1.0})
    logbook.add_run_params("xpp1", 1, {EVIL: EVIL})
    entry = logbook.post(
        "xpp1", EVIL, title=EVIL, tags=[EVIL], author=EVIL, shift=EVIL, files=[NewFile(b"x", EVIL, EVIL)]
    )
    logbook.create_run_table("xpp1", "t", ["run_num", "start.note", f"param.{EVIL}"])
    for path in (
        "/logbook?all=true",
        "/logbook/xpp1",
        f"/logbook/xpp1/entries/{entry.id}",
        f"/logbook/xpp1/entries/{entry.id}/edit",
        "/logbook/xpp1/new",
        "/logbook/xpp1/tables",
        "/logbook/xpp1/tables?name=t",
    ):
        found = http.get(path)
        assert found.status_code == 200, path
        assert EVIL not in found.text, path
