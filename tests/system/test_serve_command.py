"""``hutch serve`` as a program: what it prints, whom it lets in, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

import hutch

from ..serving import tiled_client

HUTCH = (sys.executable, "-m", "hutch.cli")
COUNT = "/hutch/v1/catalogs/raw/count"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    found = tmp_path_factory.mktemp("served") / "beamtime"
    with hutch.open_catalog(found) as cat, cat.start_run(plan_name="dwell") as run:
        run.add("primary", {"temperature": 21.4})
    return str(found)


@contextmanager
def served(*arguments, **environment):
    """Run the program; give its process and the address that it prints. It is stopped by SIGTERM."""
    process = subprocess.Popen(
        [*HUTCH, "serve", *arguments, "--port", "0"],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip()
        if not address:
            pytest.fail(process.communicate(timeout=30)[1])
        yield process, address
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)


def test_the_printed_address_is_all_that_tiled_needs(place):
    with served(place) as (process, address):
        with tiled_client(address, None) as client:
            assert client["raw"][-1].primary.read()["temperature"].values.tolist() == [21.4]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Serving raw. Stop with Ctrl-C." in errors and "Stopped." in errors
    assert '"path":"/api/v1/search/raw"' in errors
    assert "Traceback" not in errors
    assert address.split("api_key=")[1] not in errors


def test_a_key_is_needed_and_that_of_the_environment_is_one(place):
    with served(place, HUTCH_ADMIN_KEY="of the admin") as (_, address):
        base = address.split("/?")[0]
        assert httpx.get(f"{base}{COUNT}").status_code == 401
        assert httpx.get(f"{base}{COUNT}", headers={"Authorization": "Apikey wrong"}).status_code == 401
        keyed = httpx.get(f"{base}{COUNT}", headers={"Authorization": "Apikey of the admin"})
        assert keyed.json() == {"count": 1}
        assert "of the admin" not in address


def test_everybody_reads_what_is_public_until_ctrl_c_and_a_wrong_key_is_still_wrong(place):
    with served(place, "--public") as (process, address):
        base = address.split("/?")[0]
        assert httpx.get(f"{base}{COUNT}").json() == {"count": 1}
        assert httpx.get(f"{base}{COUNT}?api_key=wrong").status_code == 401
        with tiled_client(base, None) as client:
            assert len(client["raw"]) == 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_several_workers_serve_the_same(place):
    with served(place, "--workers", "2") as (process, address):
        for _ in range(5):
            assert httpx.get(address.replace("/?", f"{COUNT}?"), timeout=30).json() == {"count": 1}
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of loopback's, signed by itself, and its private key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    return folder


def test_a_certificate_makes_it_https(place, certificate):
    files = ("--ssl-certfile", str(certificate / "cert.pem"), "--ssl-keyfile", str(certificate / "key.pem"))
    with served(place, *files) as (_, address):
        assert address.startswith("https://127.0.0.1:")
        trusted = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        with httpx.Client(verify=trusted, follow_redirects=True) as client:
            found = client.get(address, headers={"Accept": "text/html"})
            assert "1 run" in found.text
            assert "Secure" in found.history[0].headers["set-cookie"]


def test_every_configured_catalog_is_served_under_its_name(place, tmp_path):
    other = tmp_path / "other"
    hutch.open_catalog(other).close()
    file = tmp_path / "hutch.toml"
    file.write_text(f'[catalogs.csx.raw]\nstore = "{place}"\n[catalogs.test]\nstore = "{other}"\n')
    with served(HUTCH_CONFIG=str(file)) as (_, address):
        found = httpx.get(address.replace("/?", "/hutch/v1/catalogs?")).json()
        assert found == [{"name": "csx/raw", "runs": 1}, {"name": "test", "runs": 0}]
        with tiled_client(address, None) as client:
            assert len(client["csx"]["raw"]) == 1


def test_a_store_in_a_database_is_served_too(postgres_address):
    with hutch.open_catalog(postgres_address) as cat, cat.start_run(plan_name="dwell", scan_id=3) as run:
        run.add("primary", {"temperature": 21.4})
    with served(postgres_address) as (_, address), tiled_client(address, None) as client:
        assert client["raw"][3].primary.read()["temperature"].values.tolist() == [21.4]


def refused(*arguments, code=None):
    program = HUTCH if code is None else (sys.executable, "-c", code)
    return subprocess.run([*program, "serve", *arguments], capture_output=True, text=True, timeout=60)


def test_a_port_that_is_taken_is_said_in_one_line(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = refused(place, "--port", str(taken.getsockname()[1]))
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 1 and "Give another with --host or --port" in found.stderr


def test_a_store_that_is_not_there_is_said_in_one_line(tmp_path):
    found = refused(str(tmp_path / "nothing"), "--port", "0")
    assert found.returncode == 1
    assert "hutch init" in found.stderr and "Traceback" not in found.stderr


@pytest.mark.parametrize("module", ["fastapi", "tiled", "uvicorn"])
def test_a_missing_extra_is_said_with_how_to_install_it(place, module):
    code = f"import sys; sys.modules[{module!r}] = None; from hutch.cli import main; main()"
    found = refused(place, "--port", "0", code=code)
    assert found.returncode == 1
    assert "pip install 'hutch[server]'" in found.stderr and "Traceback" not in found.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("wrong", ["no certificate", "no key", "another key"])
def test_a_certificate_that_cannot_be_used_is_said_in_one_line(place, certificate, tmp_path, wrong, workers):
    cert, key = certificate / "cert.pem", certificate / "key.pem"
    if wrong == "no certificate":
        cert = key
    elif wrong == "another key":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = tmp_path / "key.pem"
        key.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    files = ("--ssl-certfile", str(cert), *(() if wrong == "no key" else ("--ssl-keyfile", str(key))))
    found = refused(place, "--port", "0", "--workers", workers, *files)
    assert (found.returncode, found.stdout) == (1, "")
    assert len(found.stderr.splitlines()) == 1 and "--ssl-keyfile" in found.stderr


def test_a_key_without_a_certificate_is_wrong_usage(place):
    assert refused(place, "--ssl-keyfile", __file__).returncode == 2


def test_the_guide_names_the_routes_that_there_are(place):
    guide = (Path(__file__).parents[2] / "docs/how-to/serve.md").read_text()
    named = set(re.findall(r"`(/[^`?]*)", guide)) - {"/hutch/v1"}
    with served(place) as (_, address):
        base, _, key = address.partition("/?api_key=")
        for path in named:
            below = "/hutch/v1" if path.startswith("/catalogs") else ""
            answer = httpx.get(
                f"{base}{below}{path.replace('RUN', '-1')}", params={"key": "temperature"},
                headers={"Authorization": f"Apikey {key}"},
            )  # fmt: skip
            assert answer.status_code == 200, (path, answer.text)
    assert len(named) == 12
