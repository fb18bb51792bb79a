"""Tickets of a real KDC are taken once, by the service that they are for, and tell who sends them."""

from __future__ import annotations

import base64
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from hutch.config.settings import ServerSettings
from hutch.elog.tickets import negotiate_header
from hutch.errors import AccessDeniedError, ConfigurationError
from hutch.server.negotiate import Acceptor, configured_acceptor, presented_token

from ...kerberos import REALM, SERVICE

USER = f"ada@{REALM}"


@pytest.fixture(scope="module")
def users(realm):
    for name in ("ada", "ada/admin", "tom"):
        realm.add(f"{name}@{REALM}")
    realm.add(f"HTTP/other.test@{REALM}")
    return realm


@pytest.fixture
def tickets(users):
    users.kinit(USER)
    yield users
    users.kdestroy()


@pytest.fixture
def acceptor(users, tmp_path):
    return Acceptor(users.keytab, REALM, service="HTTP@localhost", replay_cache=tmp_path / "seen")


def token(service: str = "HTTP@localhost") -> bytes:
    found = presented_token(negotiate_header(service))
    assert found
    return found


def test_a_ticket_tells_its_principal_and_is_answered(tickets, acceptor) -> None:
    principal, reply = acceptor.step(token())
    assert principal == USER
    assert acceptor.user(principal) == "ada"
    assert reply


def test_the_answer_proves_to_the_client_who_the_service_is(tickets, acceptor) -> None:
    import gssapi

    name = gssapi.Name("HTTP@localhost", gssapi.NameType.hostbased_service)
    context = gssapi.SecurityContext(
        name=name, usage="initiate", flags=gssapi.RequirementFlag.mutual_authentication
    )
    context.step(acceptor.step(context.step())[1])
    assert context.complete
    assert str(context.target_name).startswith("HTTP/localhost")


def test_a_token_that_is_sent_again_is_refused(tickets, acceptor) -> None:
    sent = token()
    acceptor.step(sent)
    with pytest.raises(AccessDeniedError, match=r"not taken: .*replay.* Get a new ticket with: kinit"):
        acceptor.step(sent)


def test_a_token_that_another_process_has_seen_is_refused(tickets, users, acceptor, tmp_path) -> None:
    sent = token()
    acceptor.step(sent)
    other = Acceptor(users.keytab, REALM, replay_cache=tmp_path / "seen")
    with pytest.raises(AccessDeniedError, match="replay"):
        other.step(sent)


def test_a_token_that_is_too_old_is_refused(tickets, users, acceptor, tmp_path, monkeypatch) -> None:
    sent, sent_at = token(), time.time()
    strict = tmp_path / "krb5.conf"
    text = (users.folder / "krb5.conf").read_text()
    strict.write_text(text.replace("[libdefaults]", "[libdefaults]\n  clockskew = 0"))
    monkeypatch.setenv("KRB5_CONFIG", str(strict))
    # Tokens tell the second in which they were made.
    while time.time() < int(sent_at) + 2:
        time.sleep(0.01)
    with pytest.raises(AccessDeniedError, match="not taken: .*(skew|expired)"):
        acceptor.step(sent)


def test_where_it_may_a_token_is_sent_again_for_a_while(tickets, users, tmp_path) -> None:
    now = [100.0]
    cache = tmp_path / "seen"
    lenient = Acceptor(users.keytab, REALM, replay_cache=cache, reuse_s=300.0, clock=lambda: now[0])
    first, second = token(), token()
    told = lenient.step(first)
    now[0] = 399.0
    assert lenient.step(first) == told
    lenient.step(second)
    now[0] = 400.0
    with pytest.raises(AccessDeniedError, match="replay"):
        lenient.step(first)
    assert lenient.step(second)[0] == USER
    now[0] = 699.0
    lenient.step(token())
    assert len(lenient._taken._told) == 1


@pytest.mark.parametrize("sent", [b"", b"\0", b"NTLMSSP\0\1\0\0\0", bytes(70_000), b"`\x82\x02\xfa\x06\x06+"])
def test_what_is_no_ticket_is_refused(acceptor, sent) -> None:
    with pytest.raises(AccessDeniedError, match="icket of Kerberos"):
        acceptor.step(sent)


def test_a_ticket_that_was_changed_on_its_way_is_refused(tickets, acceptor) -> None:
    sent = bytearray(token())
    sent[-1] ^= 1
    with pytest.raises(AccessDeniedError, match="not taken"):
        acceptor.step(bytes(sent))


def test_a_ticket_for_another_service_is_refused(tickets, acceptor) -> None:
    with pytest.raises(AccessDeniedError, match="not taken"):
        acceptor.step(token(f"HTTP/other.test@{REALM}"))


def test_several_threads_use_one_acceptor(tickets, acceptor) -> None:
    sent = [token() for _ in range(8)]
    with ThreadPoolExecutor(4) as threads:
        assert {principal for principal, _ in threads.map(acceptor.step, sent)} == {USER}


@pytest.mark.parametrize(
    "principal",
    ["tom@ELSEWHERE.ORG", "tom", f"ada/admin@{REALM}", f"@{REALM}", f"a\\@b@{REALM}", SERVICE, ""],
)
def test_a_principal_that_is_no_user_of_the_realm_is_nobody(acceptor, principal) -> None:
    with pytest.raises(AccessDeniedError, match="is no user here"):
        acceptor.user(principal)


def test_an_administrators_ticket_is_not_the_users(users, acceptor) -> None:
    users.kinit(f"ada/admin@{REALM}")
    principal, _ = acceptor.step(token())
    users.kdestroy()
    with pytest.raises(AccessDeniedError, match="'ada/admin@HUTCH.TEST' is no user here"):
        acceptor.user(principal)


def test_a_keytab_that_is_not_there_is_named(realm, tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="nothing' can't be read: No such file"):
        Acceptor(tmp_path / "nothing", REALM)


@pytest.mark.parametrize("content", [b"", b"no keytab"])
def test_a_keytab_that_is_none_is_named(realm, tmp_path, content) -> None:
    (tmp_path / "keytab").write_bytes(content)
    with pytest.raises(ConfigurationError, match="keytab' can't be used"):
        Acceptor(tmp_path / "keytab", REALM, service="HTTP@localhost")


def test_a_keytab_without_keys_of_the_service_is_named(users) -> None:
    keytab = users.folder / f"HTTP_other.test@{REALM}.keytab"
    with pytest.raises(ConfigurationError, match="no keys of 'HTTP@localhost'"):
        Acceptor(keytab, REALM, service="HTTP@localhost")


def test_without_a_ticket_it_is_said_how_to_get_one(users) -> None:
    users.kdestroy()
    with pytest.raises(
        AccessDeniedError, match=r"No ticket of Kerberos for 'HTTP@localhost': [^\0]*: kinit$"
    ):
        negotiate_header("HTTP@localhost")


def test_the_settings_say_whose_tickets_are_taken(tickets) -> None:
    assert configured_acceptor(ServerSettings()) is None
    with pytest.raises(ConfigurationError, match="no realm. Name the one"):
        configured_acceptor(ServerSettings(keytab=tickets.keytab))
    found = configured_acceptor(ServerSettings(keytab=tickets.keytab, realm=REALM))
    sent = token()
    assert found.step(sent) == found.step(sent)
    strict = configured_acceptor(ServerSettings(keytab=tickets.keytab, realm=REALM, ticket_reuse_s=0.0))
    with pytest.raises(AccessDeniedError, match="replay"):
        strict.step(sent)


def test_other_headers_have_no_token() -> None:
    assert presented_token("Basic YTpi") is None
    assert presented_token("") is None
    assert presented_token("negotiate " + base64.b64encode(b"a token").decode()) == b"a token"
    with pytest.raises(AccessDeniedError, match="no base64"):
        presented_token("Negotiate ***")


@pytest.fixture
def negotiating(tickets, acceptor):
    """The address of a server that asks for tickets, and the principals that it was told."""
    told: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = presented_token(self.headers.get("Authorization", ""))
            if sent is None:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Negotiate")
            else:
                principal, reply = acceptor.step(sent)
                told.append(principal)
                self.send_response(200)
                self.send_header("WWW-Authenticate", f"Negotiate {base64.b64encode(reply).decode()}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}/", told
        server.shutdown()
        thread.join(timeout=10)


def test_curl_is_known_by_its_ticket(negotiating, require) -> None:
    require("curl", None if shutil.which("curl") else "there is no curl; on Debian: apt-get install curl")
    address, told = negotiating
    command = ["curl", "-4", "-sS", "--noproxy", "*", "--negotiate", "-u", ":", "-w", "%{http_code}", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (done.stdout, told) == ("200", [USER]), done.stderr


@pytest.mark.parametrize("is_sent_at_once", [True, False])
def test_a_program_in_python_is_known_and_believes_the_server(negotiating, is_sent_at_once) -> None:
    import requests
    import requests_gssapi

    address, told = negotiating
    auth = requests_gssapi.HTTPSPNEGOAuth(
        mutual_authentication=requests_gssapi.REQUIRED, opportunistic_auth=is_sent_at_once
    )
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(address, auth=auth, timeout=20).status_code == 200
    assert told == [USER]
