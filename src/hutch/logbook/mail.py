"""A mail for every entry, if ``hutch.toml`` names a mail server and somebody who gets it."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage

from hutch.config import configuration
from hutch.logbook.entries import Entry

__all__ = ["message_of", "send_mail"]

_TIMEOUT_S = 10.0
_PORT = 25


def message_of(entry: Entry, sender: str, receivers: tuple[str, ...]) -> EmailMessage:
    """Return the mail that tells of an entry: plain text, whatever format the entry has."""
    message = EmailMessage()
    message["From"] = _address(sender)
    message["To"] = [_address(receiver) for receiver in receivers]
    title = entry.title or next(iter(entry.text.split("\n")), "")[:80]
    run = "" if entry.run_num is None else f" run {entry.run_num}"
    subject = f"[{entry.experiment}{run}] {title}"
    # A header is one line.
    message["Subject"] = "".join(char if char.isprintable() else " " for char in subject)[:200]
    message["Date"] = datetime.fromtimestamp(entry.time, UTC)
    message["Message-ID"] = f"<entry-{entry.id}-{entry.version}.{entry.experiment}@hutch>"
    lines = [entry.text, "", f"-- {entry.author}", f"tags: {' '.join(entry.tags)}" if entry.tags else ""]
    lines += [f"attached: {file.name} ({file.size:,} bytes)" for file in entry.attachments]
    message.set_content("\n".join(line.replace("\ufffd", "?") for line in lines).rstrip() + "\n")
    return message


def send_mail(entry: Entry) -> None:
    """Send a mail about an entry that was just posted; nothing if there is nobody to send it to.

    :raises OSError: if the server does not take it.
    """
    import smtplib

    settings = configuration().settings.logbook
    if settings.mail_server is None or not settings.mail_to or entry.version != 1:
        return
    host, _, port = settings.mail_server.rpartition(":")
    if not host or settings.mail_server.endswith("]"):
        host, port = settings.mail_server, ""
    message = message_of(entry, settings.mail_from, settings.mail_to)
    with smtplib.SMTP(host.strip("[]"), int(port or _PORT), timeout=_TIMEOUT_S) as server:
        server.send_message(message)


def _address(text: str) -> Address:
    return Address(addr_spec=text)
