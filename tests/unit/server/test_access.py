"""Who may see what: each request is answered from the catalog that its asker may see."""

from __future__ import annotations

import httpx
import pytest

from hutch.server import Identity, asking, build_app, routes, tiled_app
from hutch.server import access as access_module

from ...serving import serving, tiled_client

SCOPES = {"reader": {"read"}, "recorder": {"record"}, "guest": {"read"}}


class Names:
    """A gate that takes a name for a key."""

    public = False

    def identify(self, request):
        name = access_module.presented_key(request)
        return Identity(name, frozenset(SCOPES[name])) if name in SCOPES else None


@pytest.fixture
def address(catalog, monkeypatch):
    def visible(found, identity):
        return found.search({"plan_name": "scan"}) if identity.name == "guest" else found

    for module in (asking, routes, tiled_app):
        monkeypatch.setattr(module, "visible", visible)
    with serving(build_app({"raw": catalog}, Names())) as found:
        yield found


def test_a_guest_sees_only_what_is_visible_to_him_by_every_way(address, catalog):
    hidden = catalog[4].uid
    with tiled_client(address, "guest") as client:
        cat = client["raw"]
        assert len(cat) == 3
        assert [run.start["scan_id"] for run in cat.values()] == [3, 5, 7]
        assert cat[-1].start["scan_id"] == 7
        assert cat.distinct("start.plan_name", counts=True)["metadata"]["start.plan_name"] == [
            {"value": "scan", "count": 3}
        ]
        for key in (hidden, hidden[:8], 4):
            with pytest.raises(KeyError):
                cat[key]
    headers = {"Authorization": "Apikey guest"}
    with httpx.Client(base_url=f"{address}/hutch/v1", headers=headers) as http:
        assert http.get("/catalogs").json() == [{"name": "raw", "runs": 3}]
        assert http.get("/catalogs/raw/count").json() == {"count": 3}
        assert http.get(f"/catalogs/raw/runs/{hidden}").status_code == 404
        assert http.get("/catalogs/raw/runs/4/documents").status_code == 404
        runs = http.get("/catalogs/raw/runs").json()
        assert [run["scan_id"] for run in runs["runs"]] == [7, 5, 3] and runs["total"] == 3


def test_one_server_answers_two_people_from_what_each_may_see(address):
    with tiled_client(address, "guest") as guest, tiled_client(address, "reader") as reader:
        assert len(guest["raw"]) < len(reader["raw"])


def test_who_may_only_record_reads_nothing(address):
    headers = {"Authorization": "Apikey recorder"}
    assert httpx.get(f"{address}/hutch/v1/catalogs", headers=headers).status_code == 403
    assert httpx.get(f"{address}/api/v1/search/raw", headers=headers).status_code == 401
