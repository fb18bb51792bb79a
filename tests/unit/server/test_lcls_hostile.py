"""The service for LCLS's clients, and those who wish it ill, or break off, or have nothing more to say."""

from __future__ import annotations

import base64
import io
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.logbook import Logbook
from hutch.server import Admission
from hutch.server.access import Gate
from hutch.server.books import open_books
from hutch.server.lcls import build_lcls
from hutch.server.lcls.bodies import Limits

from ...serving import key_cookie, serving

EXPERIMENT = "xppx1"
PASSWORD = "a long password"  # noqa: S105
OPERATOR = f"Basic {base64.b64encode(f'xppopr:{PASSWORD}'.encode()).decode()}"
NEW = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/new_elog_entry"
LIMIT = 100_000


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    with hutch.open_catalog(tmp_path_factory.mktemp("lcls") / "store") as found:
        access = Access(found.store)
        access.users.add("xppopr", PASSWORD, scopes=["read", "record", "write"])
        access.experiments.create(EXPERIMENT, instrument="XPP")
        access.experiments.activate(EXPERIMENT)
        access.executables.allow("/bin/true")
        yield found


def lcls(catalog, admission, **options):
    """The service of a catalog."""
    gate = Gate({"raw": catalog}, admission)
    return build_lcls(open_books({"raw": catalog}, gate), gate, **options)


@pytest.fixture(scope="module")
def app(catalog):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUTCH_ATTACHMENT_LIMIT_BYTES", str(LIMIT))
        yield lcls(catalog, Admission(["key"]))


@pytest.fixture(scope="module")
def address(app):
    with serving(app) as found:
        yield found


@pytest.fixture(scope="module")
def impatient(catalog):
    """The address of a server that waits for no more than a moment."""
    limits = Limits(lambda: LIMIT, pause_s=0.2)
    with serving(lcls(catalog, Admission(), limits=limits)) as found:
        yield found


@pytest.fixture
def client(address):
    with httpx.Client(base_url=address, headers={"Authorization": OPERATOR}, timeout=20) as found:
        yield found


def entries(catalog):
    return Logbook(catalog).entries(EXPERIMENT).entries


def failed(answer, status):
    """Check that an answer is an error of the service's form, and return its reason."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    told = answer.json()
    assert told["success"] is False
    assert told["value"] is None
    assert told["error_msg"] == told["errormsg"]
    return told["error_msg"]


def sent(address, request, patience=20):
    """Send bytes, wait for the answer, and return it."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=patience) as connection:
        connection.sendall(request)
        return connection.recv(65_536)


# what changes something


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_pages_of_other_sites_change_nothing(client, catalog, headers):
    before = entries(catalog)
    for path in (
        NEW,
        f"/ws-auth/lgbk/run_control/{EXPERIMENT}/ws/start_run",
        "/ws-jobs/replace_counters/a/b",
    ):
        assert "other sites" in failed(client.post(path, data={"log_text": "x"}, headers=headers), 403)
    assert entries(catalog) == before


def test_a_page_of_this_server_may(client, address):
    headers = {"Origin": address, "Sec-Fetch-Site": "same-origin"}
    assert client.post(NEW, data={"log_text": "x"}, headers=headers).json()["success"]


def test_cookies_say_nothing(address):
    cookies = key_cookie(address, "key")
    for prefix in ("ws", "ws-auth", "ws-kerb", "ws-jwt"):
        answer = httpx.get(f"{address}/{prefix}/lgbk/lgbk/{EXPERIMENT}/ws/runs?api_key=key", cookies=cookies)
        failed(answer, 401)


def test_runs_are_begun_with_get_where_that_is_switched_on(catalog, client):
    path = f"/ws-auth/lgbk/lgbk/run_control/{EXPERIMENT}/ws"
    for call in ("start_run", "end_run", "current_run"):
        failed(client.get(f"{path}/{call}"), 405)
    switched = lcls(catalog, Admission(), has_get_control=True)
    with serving(switched) as address, httpx.Client(base_url=address, headers=client.headers) as old:
        num = old.get(f"{path}/start_run").json()["value"]["num"]
        assert old.get(f"{path}/current_run").json()["value"]["num"] == num
        assert old.head(f"{path}/start_run").status_code == 405
        assert old.get(f"{path}/end_run").json()["value"]["is_closed"]
        assert old.get(f"{path}/current_run").json()["value"]["num"] == num
        failed(old.get(f"{path}/start_run", headers={"Sec-Fetch-Site": "cross-site"}), 403)


# what is too much, too slow, or half


def test_what_is_too_large_is_refused_before_it_is_read(client, address, catalog):
    before = entries(catalog)
    head = f"POST {NEW} HTTP/1.1\r\nHost: a\r\nAuthorization: {OPERATOR}\r\nContent-Length: 900000000\r\n\r\n"
    assert b" 413 " in sent(address, head.encode())
    files = {"files": ("large", io.BytesIO(b"x" * (LIMIT + 1)))}
    assert "larger than 100,000 bytes" in failed(client.post(NEW, data={"log_text": "x"}, files=files), 413)
    assert entries(catalog) == before


def test_what_does_not_say_how_large_it_is_is_measured(client):
    chunks = (b"x" * 1_000_000 for _ in range(20))
    headers = {"Content-Type": "application/octet-stream"}
    failed(client.post(NEW, content=chunks, headers=headers), 413)


def test_a_file_of_the_greatest_size_is_taken(client):
    content = bytes(range(250)) * (LIMIT // 250)
    entry = client.post(NEW, data={"log_text": "x"}, files={"files": ("all", content)}).json()["value"]
    assert [file["size"] for file in entry["attachments"]] == [LIMIT]


def test_half_a_request_writes_nothing(impatient, catalog):
    before = entries(catalog)
    half = b'--b\r\nContent-Disposition: form-data; name="log_text"\r\n\r\nhal'
    head = (
        f"POST {NEW} HTTP/1.1\r\nHost: a\r\nAuthorization: {OPERATOR}\r\nContent-Length: 5000\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    ).encode()
    parts = urlsplit(impatient)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(head + half)
    assert b" 408 " in sent(impatient, head + half)  # and who stays is told so
    assert entries(catalog) == before


def test_who_says_nothing_more_keeps_nobody_waiting(address, client):
    parts = urlsplit(address)
    head = f"POST {NEW} HTTP/1.1\r\nHost: a\r\nAuthorization: {OPERATOR}\r\nContent-Length: 5000\r\n\r\n{{"
    hanging = [socket.create_connection((parts.hostname, parts.port)) for _ in range(100)]
    try:
        for connection in hanging:
            connection.sendall(head.encode())
        assert client.get(f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/current_run").json()["success"]
    finally:
        for connection in hanging:
            connection.close()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=b", b"no form"),
        ("multipart/form-data", b"--b"),
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"9" * 10_000),
        ("text/plain", b"log_text=x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_sender(client, kind, body):
    failed(client.post(NEW, content=body, headers={"Content-Type": kind}), 400)


# names and values


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "nul\x00byte",
        "x" * 300 + ".png",
        "läuft 激光 🎉.txt",
        'a"b;c%22.html',
        ".htaccess",
        "CON",
    ],
)
def test_a_name_is_data_and_never_a_path(client, catalog, name):
    content = name.encode()
    answer = client.post(NEW, data={"log_text": "x"}, files={"files": (name, content)})
    entry = answer.json()["value"]
    (file,) = entry["attachments"]
    query = {"entry_id": entry["_id"], "attachment_id": file["_id"]}
    found = client.get(f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/attachment", params=query)
    assert found.content == content
    assert found.headers["Content-Disposition"].startswith("attachment; ")
    assert "/" not in found.headers["Content-Disposition"]
    assert not any(char < " " for char in found.headers["Content-Disposition"])
    names = {path.name for path in catalog.store.files.rglob("*")}
    assert name not in names


@pytest.mark.parametrize(
    "content", [b"<script>alert(1)</script>", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_what_a_browser_could_run_is_downloaded(client, content):
    files = {"files": ("a.png", content, "image/png")}
    entry = client.post(NEW, data={"log_text": "x"}, files=files).json()["value"]
    query = {"entry_id": entry["_id"], "attachment_id": entry["attachments"][0]["_id"]}
    found = client.get(f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/attachment", params=query)
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in found.headers["Content-Security-Policy"]
    assert found.headers["Content-Disposition"].startswith("attachment")


def test_a_picture_has_a_small_one(client):
    from PIL import Image

    large = io.BytesIO()
    Image.new("RGB", (900, 600), "red").save(large, "PNG")
    files = {"files": ("red.png", large.getvalue())}
    entry = client.post(NEW, data={"log_text": "x"}, files=files).json()["value"]
    query = {"entry_id": entry["_id"], "attachment_id": entry["attachments"][0]["_id"]}
    path = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/attachment"
    whole = client.get(path, params=query)
    assert (whole.content, whole.headers["Content-Type"]) == (large.getvalue(), "image/png")
    small = Image.open(io.BytesIO(client.get(path, params={**query, "preview": "true"}).content))
    assert small.size == (320, 213)


@pytest.mark.parametrize("wanted", ["", "0", "-1", "99", "x", "1e3", "\u0661", "9" * 30, "1;drop", "../1"])
def test_an_attachment_that_is_none_is_not_found(client, wanted):
    entry = client.post(NEW, data={"log_text": "x"}, files={"files": ("a", b"a")}).json()["value"]
    path = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/attachment"
    answer = client.get(path, params={"entry_id": entry["_id"], "attachment_id": wanted})
    failed(answer, 404 if wanted else 400)


def test_values_come_back_as_they_were_posted(client, catalog):
    num = Logbook(catalog).start_run(EXPERIMENT).num
    path = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws"
    body = b'{"big": 123456789012345678901234567890, "nan": NaN, "half": "\\ud800", "deep": {"a": [1, null]}}'
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"{path}/add_run_params?run_num={num}", content=body, headers=headers)
    assert answer.json()["success"], answer.text
    kept = client.get(f"{path}/runs/{num}").json()["value"]["params"]
    assert kept == {
        "big": 123456789012345678901234567890,
        "nan": None,
        "half": "\ud800",
        "deep": {"a": [1, None]},
    }


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\u202e", "🎉" * 1000, "<b>&amp;</b>", "a\nb\n"])
def test_text_comes_back_as_it_was_posted(client, text):
    entry = client.post(NEW, data={"log_text": text, "log_title": "t"}).json()["value"]
    assert entry["content"] == text.replace("\x00", "\ufffd")


@pytest.mark.parametrize("name", ["run_num", "start_run_num", "limit"])
@pytest.mark.parametrize("value", ["x", "1.5", "9" * 40, "\u0661", "1 2"])
def test_a_number_that_is_none_is_an_error_of_the_sender(client, name, value):
    path = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/search_elog"
    assert name in failed(client.get(path, params={name: value}), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/ws",
        "/ws/",
        "/ws-auth/lgbk",
        "/ws-auth/lgbk/lgbk/xppx1/ws/none",
        "/ws-auth/lgbk/lgbk/xppx1/ws/runs/",
        "/ws-auth/lgbk/lgbk/%00/ws/runs",
        "/ws-auth/lgbk/lgbk/..%2f..%2fetc/ws/runs",
        "/ws-auth/lgbk/lgbk/%F0%9F%8E%89/ws/runs",
        "/ws-auth/lgbk/ws-jobs/replace_counters/xppx1/secret",
        "/ws-jobs/xppx1/none",
        "/ws-auth/lgbk/lgbk/xppx1/ws/runs/0",
        "/ws-auth/lgbk/lgbk/xppx1/ws/runs/x",
        "/ws-auth/lgbk/lgbk/xppx1/ws/elog/9999/complete_elog_tree",
        "/ws-auth/lgbk/lgbk/xppx1/ws/workflow/1/job_details",
    ],
)
def test_what_is_not_there_is_told_in_the_form_of_the_service(client, path):
    answer = client.get(path)
    if path.endswith("runs/"):
        assert answer.json()["success"]
    else:
        failed(answer, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_told_in_the_form_of_the_service(client, method):
    answer = client.request(method, NEW)
    failed(answer, 405)
    assert answer.json()["error_msg"] == f"This call is made with POST, not with {method}."


def test_a_call_that_there_is_not_is_named(client):
    path = f"/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/get_everything"
    assert repr(path) in client.get(path).json()["error_msg"]


def test_a_path_with_what_some_clients_write_twice_is_understood(client):
    assert client.get(f"/ws-auth/lgbk//lgbk/{EXPERIMENT}/ws/runs").json()["success"]


def test_too_many_wrong_passwords_are_told(catalog, address):
    Access(catalog.store).users.add("guessed", PASSWORD, scopes=["read"])
    statuses = [
        httpx.get(f"{address}/ws-auth/lgbk/lgbk/{EXPERIMENT}/ws/runs", auth=("guessed", f"{n}")).status_code
        for n in range(30)
    ]
    assert set(statuses) == {401, 429}
    assert statuses[-1] == 429


def test_what_is_posted_again_with_its_key_is_written_once(client):
    headers = {"Idempotency-Key": "the same"}
    first, second = (client.post(NEW, data={"log_text": "x"}, headers=headers).json() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("secret", ["", "x", "x" * 3000, "%00", "..", "\u00e9"])
def test_a_secret_that_is_none_sets_no_counters(client, secret):
    answer = client.post(f"/ws-jobs/replace_counters/{EXPERIMENT}/{secret}", json=[])
    failed(answer, 404 if secret in ("", "..") else 403)


def test_a_secret_does_not_hold_for_ever(catalog, address):
    now = time.time()
    logbook = Logbook(catalog, clock=lambda: now - 30 * 86_400)
    logbook.define_workflow(EXPERIMENT, "old", "/bin/true", author="xppopr")
    made = logbook.create_job(EXPERIMENT, "old", None, author="xppopr")
    failed(httpx.post(f"{address}/ws-jobs/replace_counters/{EXPERIMENT}/{made.token}", json=[]), 403)
    headers = {"Authorization": f"Bearer {made.token}"}
    failed(httpx.get(f"{address}/ws-jwt/lgbk/lgbk/{EXPERIMENT}/ws/runs", headers=headers), 401)
