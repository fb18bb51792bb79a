"""The RunEngine of a catalog: bluesky's own, with the places filled in that it offers for this.

bluesky opens a run in this order: the number (``scan_id_source``), the validator, the normalizer, the
``RunBundler``, the start document. The rules are checked where the bundler is made. All of ``RE.md``,
``RE.md_validator`` and ``RE.md_normalizer`` had their say by then, nothing has been emitted, and an error
leaves the RunEngine idle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from bluesky.bundlers import RunBundler
from bluesky.preprocessors import SupplementalData
from bluesky.run_engine import RunEngine, default_scan_id_source

from hutch import __version__
from hutch.bluesky.metadata import RunMetadata
from hutch.recording.rules.rules import PROMPT, DeclaredRules, Rules
from hutch.recording.stash import Stash

__all__ = ["CatalogRunEngine"]


class RuledRunBundler(RunBundler):
    """Bundles a run whose metadata keeps the rules of the RunEngine that opens it."""

    def __init__(self, md: Any, *args: Any, **kwargs: Any) -> None:
        engine = _opening.get()
        super().__init__(engine.rules.check({**engine.link(md), **md}, PROMPT), *args, **kwargs)


class CatalogRunEngine(RunEngine):
    """A ``bluesky.RunEngine`` on a metadata stash; make it with :func:`hutch.bluesky.run_engine`.

    :param link: returns what is added to the metadata of a run, where these do not say it themselves.
    :ivar supplemental: bluesky's ``SupplementalData``, also in ``preprocessors``: the lists ``baseline``,
        ``monitors`` and ``flyers``.
    """

    RunBundler = RuledRunBundler

    def __init__(
        self,
        md: Stash,
        *,
        rules: DeclaredRules,
        required: Sequence[str] = (),
        link: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda md: {},
        **options: Any,
    ) -> None:
        # First, because nothing is to begin on rules that are wrong.
        added = Rules(required=required)
        rules = Rules.of(rules)
        self.link = link
        self._rules = replace(rules, required=(*rules.required, *added.required))
        options.setdefault("scan_id_source", self._next_scan_id)
        # bluesky's own looks at the sample only, and the rules say more about it.
        options.setdefault("md_validator", _accept)
        super().__init__({}, **options)
        self._versions: dict[str, str] = {**self.md["versions"], "hutch": __version__}
        self.md = md
        self.md.setdefault("versions", {}).update(self._versions)
        self.supplemental = SupplementalData()  # type: ignore[no-untyped-call]
        self.preprocessors.append(self.supplemental)
        self.subscribe(self._on_start, "start")  # type: ignore[no-untyped-call]

    @property
    def rules(self) -> Rules:
        """What metadata must hold; other rules, a dictionary of them or a file may be put here."""
        return self._rules

    @rules.setter
    def rules(self, declared: DeclaredRules) -> None:
        self._rules = Rules.of(declared)

    @property
    def md(self) -> Any:
        """Metadata for every run; any dictionary may be put here."""
        return self._md

    @md.setter
    def md(self, md: Any) -> None:
        is_shared = isinstance(md, Stash) and not isinstance(md, RunMetadata)
        self._md = RunMetadata(md.store) if is_shared else md

    async def _open_run(self, msg: Any) -> Any:
        token = _opening.set(self)
        try:
            return await super()._open_run(msg)  # type: ignore[no-untyped-call]
        finally:
            _opening.reset(token)
            if isinstance(self.md, RunMetadata):
                self.md.opened()

    def _next_scan_id(self, md: Any) -> int:
        if isinstance(md, RunMetadata):
            return md.open_run(self._versions)
        number: int = default_scan_id_source(md)  # type: ignore[no-untyped-call]
        return number

    def _on_start(self, name: str, doc: Mapping[str, Any]) -> None:
        if isinstance(self.md, RunMetadata):
            self.md.begun(doc.get("scan_id"))


_opening: ContextVar[CatalogRunEngine] = ContextVar("opening")
"""The RunEngine that opens a run in this task."""


def _accept(md: Mapping[str, Any]) -> None:
    """Take any metadata: the rules are checked anyway."""
