"""Who asks, and what they may read: every route, hutch's own and Tiled's, asks the same :class:`Gate`."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from hutch.access import ALL_SCOPES, PUBLIC, Access, Attempts, Identity
from hutch.catalogs import Catalog
from hutch.errors import CatalogNotFoundError, ConfigurationError
from hutch.server.negotiate import Acceptor

__all__ = ["BASIC", "Admission", "Gate", "is_foreign_page", "key_cookie", "presented_key", "presented_user"]

BASIC = 'Basic realm="hutch", charset="UTF-8"'
"""The challenge after which programs and browsers give a user's name and password."""

_PORT = re.compile(r":(\d{1,5})$", re.ASCII)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in besides the keys and users that stores keep.

    :ivar keys: of this process, which allow everything.
    :ivar public: True lets everybody read who gives no key.
    :ivar user_header: in which a proxy tells the name of a user it has identified; empty trusts none.
    :ivar proxies: addresses, or networks as ``10.0.0.0/8``, from which that header is believed.
    :ivar acceptor: checks tickets of Kerberos; None takes none.
    :ivar has_get_control: True lets clients of LCLS's logbook begin and end runs with GET.
    """

    keys: Sequence[str] = ()
    public: bool = False
    user_header: str = ""
    proxies: Sequence[str] = ()
    acceptor: Acceptor | None = None
    has_get_control: bool = False


class Gate:
    """Tells who asks, and opens the catalogs as far as they may read them.

    Keys and users are those of the stores that are served. What the first catalog's store keeps holds for
    every catalog; what another one keeps, for the catalogs of that store.

    :param catalogs: by the name under which each is served.
    :raises ConfigurationError: if an address of a proxy is none.
    """

    def __init__(self, catalogs: Mapping[str, Catalog], admission: Admission) -> None:
        self._catalogs = dict(catalogs)
        self._keys = [key.encode() for key in admission.keys if key]
        self.public = admission.public
        self._user_header = admission.user_header
        self._proxies = [_network(text) for text in admission.proxies]
        attempts = Attempts()
        stores = {id(one.store): one.store for one in catalogs.values()}
        found = {place: Access(store, attempts=attempts) for place, store in stores.items()}
        self._accesses = {name: found[id(one.store)] for name, one in catalogs.items()}

    def identify(self, request: HTTPConnection) -> Identity | None:
        """Return who sends a request; None for nobody known, a wrong key too. It may take its time.

        :raises TooManyAttemptsError: if too many wrong passwords were given for a name.
        """
        user = presented_user(request)
        # What browsers send by themselves says nothing of who wants something changed.
        is_foreign = request.scope.get("method") not in _SAFE_METHODS and is_foreign_page(request)
        if user is not None:
            return self.identify_user(*user) if user[0] and not is_foreign else None
        key = presented_key(request)
        if key is not None:
            return self.identify_key(key)
        told = request.headers.get(self._user_header) if self._user_header else None
        if told and self._is_proxy(request):
            return None if is_foreign else self.identify_known(told)
        return PUBLIC if self.public else None

    def identify_user(self, name: str, password: str) -> Identity | None:
        """Return who has a name and a password; None if nobody has.

        :raises TooManyAttemptsError: if too many wrong passwords were given for a name.
        """
        return self._first(lambda access: access.identify_user(name, password))

    def identify_known(self, name: str) -> Identity | None:
        """Return a user whom a proxy or Kerberos has identified; None if nobody is so called."""
        return self._first(lambda access: access.identify_trusted(name))

    def identify_key(self, key: str) -> Identity | None:
        """Return who has a key; None if nobody has."""
        given = key.encode("utf-8", "surrogateescape")
        # All are compared, in constant time, so that the time tells nothing.
        found = [hmac.compare_digest(given, known) for known in self._keys]
        if any(found):
            return Identity("owner", ALL_SCOPES)
        return self._first(lambda access: access.identify_key(key))

    def names(self, identity: Identity) -> list[str]:
        """Return the names of the catalogs that somebody may open."""
        return [name for name, access in self._accesses.items() if access.may_open(identity, name)]

    def open(self, name: str, identity: Identity) -> Catalog:
        """Return a catalog as it would be if there were only what somebody may read.

        :raises CatalogNotFoundError: if there is none of this name that they may open.
        """
        known = self.names(identity)
        if name not in known:
            msg = f"No catalog {name!r}. There are: {', '.join(known) or 'none'}."
            raise CatalogNotFoundError(msg)
        return self._accesses[name].visible(self._catalogs[name], identity, name)

    def access(self, name: str) -> Access:
        """Return who may do what in a catalog that is served.

        :raises CatalogNotFoundError: if there is none of this name.
        """
        if name not in self._accesses:
            raise CatalogNotFoundError(f"No catalog {name!r}.")
        return self._accesses[name]

    def _first(self, ask: Callable[[Access], Identity | None]) -> Identity | None:
        """Return whom the first store knows that knows somebody."""
        asked: list[Access] = []
        for access in self._accesses.values():
            if access in asked:
                continue
            found = ask(access)
            if found is not None:
                return found if not asked else self._limited(found, access)
            asked.append(access)
        return None

    def _limited(self, identity: Identity, access: Access) -> Identity:
        """Return somebody limited to the catalogs of the store that knows them."""
        own = frozenset(name for name, one in self._accesses.items() if one is access)
        return replace(identity, catalogs=own if identity.catalogs is None else own & identity.catalogs)

    def _is_proxy(self, request: HTTPConnection) -> bool:
        try:
            address = ipaddress.ip_address(request.client.host if request.client else "")
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def presented_key(request: HTTPConnection) -> str | None:
    """Return the key that a request gives: in its header, its address, or in a cookie.

    ``Authorization: Apikey …`` goes before ``?api_key=…``. A cookie counts only where nothing is changed, or
    where a page of this server asks: browsers send it with what other sites' pages ask for.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() in ("apikey", "bearer") and key.strip():
        return key.strip()
    in_address = request.query_params.get("api_key")
    if in_address:
        return in_address
    if request.scope.get("method") in _SAFE_METHODS or is_same_origin(request):
        return request.cookies.get(key_cookie(request))
    return None


def key_cookie(request: HTTPConnection) -> str:
    """Return the name of the cookie in which a browser keeps the key that came with the address.

    Browsers send cookies to every port of a host: each server has its own, so that none loses it.
    """
    port = _PORT.search(request.headers.get("host", ""))
    return "hutch_key" if port is None else f"hutch_key_{port[1]}"


def is_foreign_page(request: HTTPConnection) -> bool:
    """Tell whether a page of another site sends a request; programs that are no browsers do not say."""
    is_page = "sec-fetch-site" in request.headers or "origin" in request.headers
    return is_page and not is_same_origin(request)


def is_same_origin(request: HTTPConnection) -> bool:
    """Tell whether a page of this server sends a request, as browsers say and pages cannot."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def presented_user(request: HTTPConnection) -> tuple[str, str] | None:
    """Return name and password of ``Authorization: Basic …``; nobody's if they cannot be read."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return name, password


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        msg = f"{text!r} is no address of a proxy, nor a network: {error}"
        raise ConfigurationError(msg) from error
