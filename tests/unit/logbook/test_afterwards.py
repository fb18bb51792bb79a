"""What follows when an entry has been written: mail and hooks, whose failures lose nothing."""

from __future__ import annotations

import email
import email.policy
import importlib
import logging
import socketserver
import threading

import pytest

from hutch.logbook import NewFile, settle
from hutch.logbook.afterwards import GROUP, forget_hooks


class Mailbox(socketserver.ThreadingTCPServer):
    """As much of a mail server as it takes to get a mail."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.received: list[tuple[list[str], bytes]] = []


class Conversation(socketserver.StreamRequestHandler):
    """One conversation of SMTP (RFC 5321)."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        receivers: list[str] = []
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b""
                while (part := self.rfile.readline()) != b".\r\n":
                    body += part.removeprefix(b".")
                self.server.received.append((receivers, body))
            elif word == b"RCPT":
                receivers.append(line.decode().partition("<")[2].partition(">")[0])
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mailbox(tmp_path, monkeypatch):
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings = tmp_path / "hutch.toml"
        settings.write_text(
            f"[logbook]\nmail_server = '127.0.0.1:{server.server_address[1]}'\n"
            "mail_from = 'hutch@xpp.example'\nmail_to = ['crew@xpp.example', 'ada@xpp.example']\n"
        )
        monkeypatch.setenv("HUTCH_CONFIG", str(settings))
        yield server
        server.shutdown()
        thread.join()


def test_a_mail_tells_of_every_new_entry(book, mailbox):
    entry = book.post(
        "xpp1",
        "Größe\n.\nBcc: x@e.vil",
        title="Beam\r\nBcc: all@e.vil",
        tags="dark",
        author="ada",
        files=[NewFile(b"123", "a.dat")],
    )
    book.edit(entry.id, text="changed")
    settle()

    ((receivers, body),) = mailbox.received
    message = email.message_from_bytes(body, policy=email.policy.default)
    assert receivers == ["crew@xpp.example", "ada@xpp.example"]
    assert message["Subject"] == "[xpp1] Beam Bcc: all@e.vil"
    assert (message["From"], message["Bcc"]) == ("hutch@xpp.example", None)
    assert message["Date"].datetime.timestamp() == int(entry.time)
    text = message.get_content().replace("\r\n", "\n")
    for part in ("Größe\n.\n", "-- ada", "tags: dark", "attached: a.dat (3 bytes)"):
        assert part in text


def test_a_mail_server_that_is_away_is_logged_and_loses_nothing(book, mailbox, caplog):
    mailbox.server_close()
    with caplog.at_level(logging.WARNING, "hutch.logbook"):
        entry = book.post("xpp1", "text")
        settle()

    assert book.entry(entry.id).text == "text"
    assert f"The hook 'mail' failed for entry {entry.id}" in caplog.text


def test_hooks_of_packages_are_called_and_broken_ones_are_named(book, tmp_path, monkeypatch, caplog):
    (tmp_path / "chatting.py").write_text(
        "told = []\n\ndef tell(entry):\n    told.append(entry.text)\n\n"
        "def fail(entry):\n    raise ValueError('no')\n"
    )
    about = tmp_path / "chatting-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: chatting\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[{GROUP}]\nbroken = nowhere:hook\nfailing = chatting:fail\ntelling = chatting:tell\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    forget_hooks()
    with caplog.at_level(logging.WARNING, "hutch.logbook"):
        book.post("xpp1", "hello")
        settle()
    forget_hooks()

    import chatting

    assert chatting.told == ["hello"]
    assert "The hook 'broken' (nowhere:hook) cannot be loaded" in caplog.text
    assert "The hook 'failing' failed" in caplog.text
