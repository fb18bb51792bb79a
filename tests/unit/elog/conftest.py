"""A server on loopback that answers in the form of LCLS's logbook, and keeps what it was sent."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import python_multipart

from hutch.elog import transport

ACTIVE = "/ws/lgbk/lgbk/ws/activeexperiment_for_instrument_station"


@dataclass
class Sent:
    """A request that has arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form, whichever way they are sent, but not the files."""
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}
        return self._parsed[0]

    @property
    def files(self) -> list[tuple[str, str, str, bytes]]:
        """Of each file its field, its name, its type and its content."""
        return self._parsed[1]

    @property
    def _parsed(self) -> tuple[dict[str, str], list[tuple[str, str, str, bytes]]]:
        """Fields and files as the parser understands them that servers in Python use."""
        fields: dict[str, str] = {}
        files: list[tuple[str, str, str, bytes]] = []

        def take_field(found: Any) -> None:
            fields[found.field_name.decode()] = found.value.decode()

        def take_file(found: Any) -> None:
            found.file_object.seek(0)
            kind = found.content_type
            files.append(
                (found.field_name.decode(), found.file_name.decode(), kind, found.file_object.read())
            )

        headers = {name: self.headers[name].encode() for name in ("Content-Type", "Content-Length")}
        python_multipart.parse_form(headers, io.BytesIO(self.body), take_field, take_file)
        return fields, files


@dataclass
class Logbook:
    """What the server was sent, and what it answers.

    :ivar active: the experiment that is active at every instrument.
    :ivar answers: by path, one after the other, the last one for ever: a status and what is answered, which
        is JSON unless it is bytes; None cuts the connection.
    """

    url: str = ""
    active: str = "xppl1001221"
    sent: list[Sent] = field(default_factory=list)
    answers: dict[str, list[tuple[int, Any] | None]] = field(default_factory=dict)

    @property
    def last(self) -> Sent:
        return self.sent[-1]

    @property
    def paths(self) -> list[str]:
        """The paths of what was sent, but not whether the experiment is active."""
        return [one.path for one in self.sent if one.path != ACTIVE]

    def answer(self, path: str, value: Any = None) -> None:
        """Answer at a path with success."""
        self.answers[path] = [(200, {"success": True, "value": value})]

    def next_answer(self, path: str) -> tuple[int, Any] | None:
        if path == ACTIVE and path not in self.answers:
            return 200, {"success": True, "value": {"name": self.active}}
        prepared = self.answers.get(path)
        if not prepared:
            return 404, {"success": False, "error_msg": f"nothing at {path}", "value": None}
        return prepared.pop(0) if len(prepared) > 1 else prepared[0]


class _Handler(BaseHTTPRequestHandler):
    logbook: Logbook

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = parse_qs(address.query)
        self.logbook.sent.append(Sent(self.command, address.path, query, self.headers, body))
        answer = self.logbook.next_answer(address.path)
        if answer is None:
            self.close_connection = True
            return
        status, value = answer
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status in (301, 302, 307):
            self.send_header("Location", f"{self.logbook.url}/login")
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name that http.server looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def logbook(tmp_path, monkeypatch) -> Iterator[Logbook]:
    """The logbook that ``hutch.elog`` speaks to in a test, as an operator."""
    found = Logbook()
    handler = type("Handler", (_Handler,), {"logbook": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        found.url = f"http://localhost:{server.server_port}"
        (tmp_path / "password").write_text("pässword\n")
        monkeypatch.setenv("HUTCH_ELOG_URL", found.url)
        monkeypatch.setenv("HUTCH_ELOG_PASSWORD_FILE", str(tmp_path / "password"))
        monkeypatch.setattr(transport, "PAUSES_S", (0.0, 0.0))
        for name in ("JID_UPDATE_COUNTERS", "ARP_ROOT_JOB_ID", "RUN_NUM", "Authorization", "EXPERIMENT"):
            monkeypatch.delenv(name, raising=False)
        yield found
        server.shutdown()
        thread.join(timeout=10)


@pytest.fixture
def nobody(monkeypatch) -> str:
    """The address of a logbook at which nobody listens."""
    import socket

    monkeypatch.setattr(transport, "PAUSES_S", (0.0, 0.0))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{found.getsockname()[1]}"
        monkeypatch.setenv("HUTCH_ELOG_URL", address)
        yield address  # it is bound, and refuses
