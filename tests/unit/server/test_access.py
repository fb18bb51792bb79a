"""Who may see what: keys and users of the store, on every route, by every way."""

from __future__ import annotations

import base64

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.errors import ConfigurationError
from hutch.server import Admission, build_app
from hutch.server.access import Gate

from ...serving import KEY, key_cookie, serving, tiled_client

PATHS = [
    "/",
    "/runs/{uid}",
    "/runs/{uid}/picture.png",
    "/runs/{uid}/frames/primary/0.png?key=temperature",
    "/metrics",
    "/hutch/v1/catalogs",
    "/hutch/v1/catalogs/raw/runs",
    "/hutch/v1/catalogs/raw/count",
    "/hutch/v1/catalogs/raw/distinct?key=plan_name",
    "/hutch/v1/catalogs/raw/runs/{uid}",
    "/hutch/v1/catalogs/raw/runs/{uid}/documents",
    "/hutch/v1/catalogs/raw/runs/{uid}/streams/primary",
    "/hutch/v1/catalogs/raw/runs/{uid}/streams/primary/data",
    "/api/v1/metadata/raw",
    "/api/v1/metadata/raw/{uid}",
    "/api/v1/search/raw",
    "/api/v1/distinct/raw",
    "/api/v1/table/full/raw/{uid}/primary/internal",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with hutch.open_catalog(tmp_path_factory.mktemp("access") / "store") as catalog:
        access = Access(catalog.store)
        access.users.add("ann", "a long password")
        access.users.add("bob", "another password")
        for name in ("mfx1", "mfx2"):
            access.experiments.create(name, instrument="MFX")
        access.experiments.set_role("mfx1", "ann", "reader")
        for number, experiment in enumerate(["mfx1", "mfx2", "mfx1", None]):
            about = {} if experiment is None else {"experiment": experiment, "instrument": "MFX"}
            with catalog.start_run(plan_name="scan", word=f"w{number}", **about) as run:
                run.add("primary", {"temperature": 20.0 + number})
        yield catalog


@pytest.fixture(scope="module")
def access(store):
    return Access(store.store)


@pytest.fixture(scope="module")
def address(store):
    with serving(build_app({"raw": store}, Admission([KEY]))) as found:
        yield found


def key(access, *scopes, **options):
    text, _ = access.keys.create(scopes, **options)
    return text


def basic(name, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def cookie(address, key):
    ((name, value),) = key_cookie(address, key).items()
    return {"Cookie": f"{name}={value}"}


def ask(address, path, headers=None, store=None):
    uid = "none" if store is None else store[0].uid
    return httpx.get(address + path.format(uid=uid), headers=headers or {})


@pytest.mark.parametrize("path", PATHS)
def test_nobody_is_let_in_without_a_key_that_is_known_and_may_read(address, access, store, path):
    revoked = key(access, "read")
    access.keys.revoke(access.keys.find(revoked).prefix)
    expired = key(Access(store.store, clock=lambda: 1.0), "read", expires_s=60.0)
    uid = store[0].uid
    for headers in (
        {},
        {"Authorization": "Apikey wrong"},
        {"Authorization": b"Apikey \xe9"},
        {"Authorization": f"Apikey {revoked}"},
        {"Authorization": f"Apikey {expired}"},
        basic(f"nobody{path}", "wrong"),
        {"Authorization": "Basic %%%"},
        cookie(address, "wrong"),
    ):
        found = ask(address, path, headers, store)
        assert found.status_code == 401, headers
        assert uid not in found.text and "scan" not in found.text
    found = ask(address, path, {"Authorization": f"Apikey {key(access, 'record')}"}, store)
    assert found.status_code in (401, 403)
    assert uid not in found.text and "scan" not in found.text


@pytest.mark.parametrize("path", PATHS)
def test_a_key_that_may_read_is_let_in_by_every_way(address, access, store, path):
    text = key(access, "admin")
    for headers in ({"Authorization": f"Apikey {text}"}, cookie(address, text)):
        found = ask(address, path, headers, store)
        assert found.status_code == (404 if "frames" in path else 200), found.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/hutch.css", "/hutch/v1/openapi.json"])
def test_what_tells_nothing_needs_no_key(address, path):
    assert ask(address, path).status_code == 200


def test_a_user_sees_the_runs_of_his_experiments_by_every_way(address, store):
    hidden = store[2]
    headers = basic("ann", "a long password")
    with httpx.Client(base_url=address, headers=headers) as http:
        v1 = "/hutch/v1/catalogs"
        assert http.get(v1).json() == [{"name": "raw", "runs": 3}]
        assert http.get(f"{v1}/raw/count").json() == {"count": 3}
        assert http.get(f"{v1}/raw/count?text=w1").json() == {"count": 0}
        values = http.get(f"{v1}/raw/distinct?key=word").json()["values"]
        assert sorted(value["value"] for value in values) == ["w0", "w2", "w3"]
        page = http.get("/").text
        assert "3 runs" in page and hidden.uid[:8] not in page
        # A number is also the beginning of some uids.
        others = [run.uid for run in store.values() if run.uid.startswith(str(hidden.scan_id))]
        by_number = [] if set(others) - {hidden.uid} else [f"{v1}/raw/runs/{hidden.scan_id}"]
        for path in (
            *by_number,
            f"{v1}/raw/runs/{hidden.uid}",
            f"{v1}/raw/runs/{hidden.uid[:8]}",
            f"/runs/{hidden.uid}",
            f"/runs/{hidden.uid}/picture.png",
            f"/api/v1/metadata/raw/{hidden.uid}",
        ):
            assert http.get(path).status_code == 404, path
        assert http.get("/api/v1/search/raw").json()["meta"]["count"] == 3


def test_a_key_sees_what_its_owner_does_and_tiled_s_client_sees_the_same(address, access, store):
    text = key(access, "read", owner="ann")
    with tiled_client(address, text) as client:
        cat = client["raw"]
        assert len(cat) == 3
        assert cat[-1].metadata["start"]["word"] == "w3"
        with pytest.raises(KeyError):
            cat[store[2].uid]
    without = key(access, "read")
    with tiled_client(address, without) as client:
        assert [run.metadata["start"]["word"] for run in client["raw"].values()] == ["w3"]


def test_rights_that_change_hold_for_the_next_request(address, access):
    headers = basic("bob", "another password")
    count = f"{address}/hutch/v1/catalogs/raw/count"
    assert httpx.get(count, headers=headers).json() == {"count": 1}
    access.experiments.set_role("mfx2", "bob", "writer")
    assert httpx.get(count, headers=headers).json() == {"count": 2}
    access.users.disable("bob")
    assert httpx.get(count, headers=headers).status_code == 401
    access.users.enable("bob")


def test_too_many_wrong_passwords_are_refused(address):
    found = [httpx.get(f"{address}/hutch/v1/catalogs", headers=basic("eve", str(n))) for n in range(12)]
    assert found[0].status_code == 401
    assert found[-1].status_code == 429


def test_a_public_server_shows_what_is_open_to_everybody(store):
    with serving(build_app({"raw": store}, Admission([KEY], public=True))) as address:
        assert ask(address, "/hutch/v1/catalogs/raw/count").json() == {"count": 1}
        assert ask(address, "/hutch/v1/catalogs", {"Authorization": "Apikey wrong"}).status_code == 401
        with tiled_client(address, None) as client:
            assert len(client["raw"]) == 1


def test_a_proxy_is_believed_only_from_its_own_address(store):
    headers = {"X-Remote-User": "ann"}
    for proxies, status in ((["127.0.0.0/8"], 200), (["10.0.0.0/8"], 401), ([], 401)):
        admission = Admission([KEY], user_header="X-Remote-User", proxies=proxies)
        with serving(build_app({"raw": store}, admission)) as address:
            forged = {**headers, "X-Forwarded-For": "10.1.2.3"}
            assert ask(address, "/hutch/v1/catalogs/raw/count", forged).status_code == status
            nobody = {"X-Remote-User": "nobody"}
            assert ask(address, "/hutch/v1/catalogs/raw/count", nobody).status_code == 401
    with pytest.raises(ConfigurationError, match="'proxy' is no address of a proxy"):
        Gate({"raw": store}, Admission(proxies=["proxy"]))


def test_keys_of_another_store_hold_for_its_catalogs_only(store, tmp_path):
    with hutch.open_catalog(tmp_path / "other") as other:
        other.start_run(plan_name="count").close()
        text = key(Access(other.store), "admin")
        with serving(build_app({"raw": store, "csx/raw": other}, Admission([KEY]))) as address:
            headers = {"Authorization": f"Apikey {text}"}
            assert ask(address, "/hutch/v1/catalogs", headers).json() == [{"name": "csx/raw", "runs": 1}]
            assert ask(address, "/hutch/v1/catalogs/raw/count", headers).status_code == 404
            first = {"Authorization": f"Apikey {key(Access(store.store), 'admin')}"}
            assert len(ask(address, "/hutch/v1/catalogs", first).json()) == 2
