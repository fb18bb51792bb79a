"""Documents from bluesky's 0MQ proxy, in the format of ``bluesky.callbacks.zmq.Publisher``.

A message is ``prefix name document``, with blanks in between. 0MQ keeps nothing: what is published
while nobody listens is gone. What arrived is kept in memory until it is recorded, however much it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zmq
import zmq.auth
from zmq.utils.monitor import recv_monitor_message

from hutch.errors import DocumentError, ListeningError
from hutch.listening.formats import read_value
from hutch.listening.messages import Begin, Gap, Message, Positions

__all__ = ["Curve", "ZmqSource"]

_MOST = 1000
"""Messages that are received at once."""
_HEARTBEAT_MS = 10_000
_SILENCE_MS = 30_000
"""A proxy whose machine vanished is given up after so long, and looked for anew."""
_LONGEST_PAUSE_MS = 5_000
_MESSAGE = ("prefix", "name", "document")

_REFUSED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


@dataclass(frozen=True)
class Curve:
    """Keys for a proxy that encrypts, files as ``zmq.auth.create_certificates`` makes them."""

    secret: Path
    """With the secret key of this listener."""
    server: Path
    """With the public key of the proxy."""


class ZmqSource:
    """The address at which a 0MQ proxy gives documents out.

    :param address: ``host:port``, or with ``tcp://`` or ``ipc://`` before it.
    :param prefix: take only what is published with this prefix; empty takes everything.
    :param curve: keys for a proxy that encrypts.
    :param trusts_pickles: let pickled documents run what they name.
    :raises ListeningError: if the address or the keys cannot be used.
    """

    keeps_messages = False

    def __init__(
        self,
        address: str,
        *,
        prefix: str = "",
        curve: Curve | None = None,
        trusts_pickles: bool = False,
    ) -> None:
        self.address = address if "://" in address else f"tcp://{address}"
        self._prefix = prefix.encode()
        if b" " in self._prefix:
            msg = f"The prefix {prefix!r} has a blank in it; prefixes of 0MQ publishers have none."
            raise ListeningError(msg)
        self._trusts_pickles = trusts_pickles
        self._count = 0
        self._state = ""
        self._channel = f"zmq {self.address} {prefix}".rstrip()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._monitor = self._socket.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED | _REFUSED
        )
        self._poller = zmq.Poller()
        try:
            self._set_up(curve)
        except (zmq.ZMQError, OSError, ValueError) as error:
            self.close()
            msg = f"The 0MQ address {address!r} cannot be used: {error}. Expected is host:port."
            raise ListeningError(msg) from error

    def open(self, find: Callable[[str, str], Positions | None], say: Callable[[str], None]) -> None:
        """Begin."""
        self._find = find
        self._say = say
        self._is_found = False

    def receive(self, timeout_s: float) -> list[Message | Begin | Gap]:
        """Return what came; wait for something at most so long."""
        if not self._is_found:
            self._find(self._channel, self.address)
            self._is_found = True
        ready = dict(self._poller.poll(int(timeout_s * 1000)))
        if self._monitor in ready:
            self._look()
        found: list[Message | Begin | Gap] = []
        while len(found) < _MOST:
            try:
                found.append(self._read(self._socket.recv(zmq.NOBLOCK)))
            except zmq.Again:
                break
        return found

    def seek(self, channel: str, positions: Positions) -> None:
        """Do nothing: what has gone by is gone."""

    def kept(self, channel: str, positions: Positions) -> None:
        """Do nothing: nobody asks."""

    def is_at_end(self) -> bool:
        """Return False: there is no end."""
        return False

    def lag(self) -> int | None:
        """Return None: nobody knows."""
        return None

    def close(self) -> None:
        """Let go of the connection."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._context.term()

    def _set_up(self, curve: Curve | None) -> None:
        socket = self._socket
        # Never drop what has arrived.
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _SILENCE_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, _LONGEST_PAUSE_MS)
        if curve is not None:
            public, secret = zmq.auth.load_certificate(curve.secret)
            if secret is None:
                msg = f"there is no secret key in {str(curve.secret)!r}"
                raise ValueError(msg)
            server, _ = zmq.auth.load_certificate(curve.server)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
            socket.setsockopt(zmq.CURVE_SERVERKEY, server)
        socket.setsockopt(zmq.SUBSCRIBE, self._prefix + b" " if self._prefix else b"")
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        socket.connect(self.address)

    def _look(self) -> None:
        """Say once whether the proxy is there."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._become("there", f"Listening to {self.address}.")
            elif event == zmq.EVENT_DISCONNECTED and self._state == "there":
                text = f"The 0MQ proxy at {self.address} is gone; waiting for it."
                self._become("gone", f"{text} What is published until then is lost: 0MQ keeps nothing.")
            elif event == zmq.EVENT_CONNECT_RETRIED and not self._state:
                self._become("awaited", f"Waiting for a 0MQ proxy at {self.address}.")
            elif event & _REFUSED:
                text = (
                    f"What is at {self.address} refuses to talk: it wants other keys, or gives nothing out."
                )
                self._become("refused", f"{text} It must be the proxy's out-address.")

    def _become(self, state: str, sentence: str) -> None:
        if state != self._state:
            self._say(sentence)
        self._state = state

    def _read(self, data: bytes) -> Message:
        self._count += 1
        here = (self._channel, 0, self._count)
        parts = data.split(b" ", 2)
        try:
            if len(parts) < len(_MESSAGE):
                msg = "it is no message of bluesky: a prefix, a name and a document are expected"
                raise DocumentError(msg)
            name = parts[1].decode()
            document = read_value(parts[2], trusts_pickles=self._trusts_pickles)
            if not isinstance(document, dict):
                msg = f"it holds no document: {document!r:.80}"
                raise DocumentError(msg)
        except (DocumentError, UnicodeDecodeError) as error:
            return Message(*here, "", data, str(error))
        return Message(*here, name, document)
