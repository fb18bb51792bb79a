"""Who may see what: each request is answered from the catalog that its asker may see."""

from __future__ import annotations

import httpx
import pytest

import hutch
from hutch.access import Access
from hutch.server import Admission, build_app

from ...serving import KEY, serving, tiled_client


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An address, keys by name, and the uid of a run in an experiment of which only the member is one."""
    with hutch.open_catalog(tmp_path_factory.mktemp("served") / "store") as catalog:
        access = Access(catalog.store)
        access.experiments.create("secret", instrument="XPP")
        access.users.add("member")
        access.experiments.set_role("secret", "member", "reader")
        keys = {
            "guest": access.keys.create({"read"})[0],
            "member": access.keys.create({"read"}, owner="member")[0],
            "recorder": access.keys.create({"record"})[0],
        }
        for number, more in enumerate(({}, {"experiment": "secret", "instrument": "XPP"}, {}), 1):
            with catalog.start_run(plan_name=f"plan_{number}", scan_id=number, **more) as run:
                run.add("primary", {"x": 1.0})
        hidden = catalog[2].uid
        with serving(build_app({"raw": catalog}, Admission([KEY]))) as address:
            yield address, keys, hidden


def test_a_guest_sees_by_no_way_what_is_not_visible_to_them(served):
    address, keys, hidden = served
    with tiled_client(address, keys["guest"]) as client:
        cat = client["raw"]
        assert len(cat) == 2
        assert [run.start["scan_id"] for run in cat.values()] == [1, 3]
        found = cat.distinct("start.plan_name")["metadata"]["start.plan_name"]
        assert {item["value"] for item in found} == {"plan_1", "plan_3"}
        for key in (hidden, hidden[:8], 2):
            with pytest.raises(KeyError):
                cat[key]
        for path in (f"metadata/raw/{hidden}/primary", f"table/full/raw/{hidden}/primary/internal"):
            assert client.context.http_client.get(f"{address}/api/v1/{path}").status_code == 404
    with httpx.Client(
        base_url=f"{address}/hutch/v1", headers={"Authorization": f"Apikey {keys['guest']}"}
    ) as http:
        assert http.get("/catalogs").json() == [{"name": "raw", "runs": 2}]
        assert http.get("/catalogs/raw/count").json() == {"count": 2}
        assert http.get(f"/catalogs/raw/runs/{hidden}").status_code == 404
        assert http.get("/catalogs/raw/runs/2/documents").status_code == 404
        assert [run["scan_id"] for run in http.get("/catalogs/raw/runs").json()["runs"]] == [3, 1]


def test_a_member_sees_the_run_at_the_same_server(served):
    address, keys, hidden = served
    with tiled_client(address, keys["member"]) as client:
        assert client["raw"][hidden].primary.read()["x"].values.tolist() == [1.0]


def test_who_may_only_record_reads_nothing(served):
    address, keys, _ = served
    headers = {"Authorization": f"Apikey {keys['recorder']}"}
    assert httpx.get(f"{address}/hutch/v1/catalogs", headers=headers).status_code == 403
    assert httpx.get(f"{address}/api/v1/search/raw", headers=headers).status_code == 401
