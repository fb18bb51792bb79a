"""Entries as HTML that is safe to put into a page: what is not on a list of what may be there is left out.

Nothing in it is a script, a style, a frame or a form; links lead to the web or to a mailbox; images are
those that are attached to the entry, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from hutch.catalogs.summary import local_time
from hutch.logbook.attachments import shown_name
from hutch.logbook.entries import Attachment, Content, Format
from hutch.logbook.freezing import settings_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["AttachmentUrl", "NowUrl", "render"]

AttachmentUrl = Callable[[Attachment], str]
"""Returns the address of an attachment."""

NowUrl = Callable[[str, Mapping[str, str]], str]
"""Returns where to see a block as it is now, by its kind (``table``, ``plot``) and its settings."""

_LARGEST_TEXT = 200_000
"""Characters; longer text is shown as it is written."""

_TAGS = frozenset(
    "a abbr b blockquote br caption code dd del div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li ol p pre "
    "q s samp small span strong sub sup table tbody td tfoot th thead tr u ul var".split()
)
_CONTENT_GONE = frozenset({"script", "style", "template", "noscript", "iframe", "title", "textarea", "xmp"})
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]+", re.IGNORECASE)
_OWN = "attachment:"
_FROZEN = frozenset({"hutch-table", "hutch-plot"})
_MOST_CELLS = 20_000


def render(
    content: Content, *, attachment_url: AttachmentUrl | None = None, now_url: NowUrl | None = None
) -> str:
    """Return what an entry, or one of its versions, says as safe HTML.

    :param attachment_url: gives images of the entry their address; without it they are only named.
    :param now_url: gives frozen blocks a link to how they are now.
    """
    if content.format is Format.TEXT or len(content.text) > _LARGEST_TEXT:
        return f'<pre class="hutch-text">{escape(content.text)}</pre>\n'
    blocks: dict[str, str] = {}
    if content.format is Format.HTML:
        html = content.text
    else:
        html = _markdown(content, attachment_url, now_url, blocks)
    cleaned = _clean(html, content.attachments, attachment_url)
    for place, block in blocks.items():
        cleaned = cleaned.replace(f"<p>{place}</p>", block)
    return cleaned


# markdown


def _markdown(
    content: Content,
    attachment_url: AttachmentUrl | None,
    now_url: NowUrl | None,
    blocks: dict[str, str],
) -> str:
    """Return the HTML of markdown, which is not safe yet.

    :param blocks: gets the HTML of frozen blocks, by the text that stands for each.
    """
    parser = _parser()
    environment: dict[str, Any] = {}
    tokens = parser.parse(content.text, environment)
    for token in tokens:
        if token.type == "fence" and token.info.strip() in _FROZEN:
            # Nobody who writes an entry can know it.
            place = f"block{secrets.token_hex(16)}"
            kind = token.info.strip().removeprefix("hutch-")
            blocks[place] = _frozen(kind, token.content, content, attachment_url, now_url)
            token.type, token.content = "html_block", f"<p>{place}</p>\n"
    for token in _all(tokens):
        if token.type == "image":
            source = str(token.attrGet("src") or "")
            if not _LINK.match(source) and not source.startswith(_OWN):
                token.attrSet("src", f"{_OWN}{source}")
    return str(parser.renderer.render(tokens, parser.options, environment))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False, "breaks": True})
    found.enable(["table", "strikethrough"])
    # What is no link becomes text; the cleaning decides once more.
    found.validateLink = lambda url: bool(_LINK.match(url) or ":" not in url or url.startswith(_OWN))  # type: ignore[method-assign]
    return found


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


# cleaning


def _clean(html: str, attachments: Sequence[Attachment], attachment_url: AttachmentUrl | None) -> str:
    import nh3

    def keep(tag: str, name: str, value: str) -> str | None:
        if (tag, name) == ("a", "href"):
            return value if _LINK.fullmatch(value.strip()) else None
        if (tag, name) == ("img", "src"):
            found = _named(value, attachments)
            return None if found is None or attachment_url is None else attachment_url(found)
        return value

    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_CONTENT_GONE),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto", "attachment"},
        link_rel="noopener noreferrer nofollow",
        strip_comments=True,
    )


def _named(source: str, attachments: Sequence[Attachment]) -> Attachment | None:
    """Return the image that is attached under a name, or a number; None if there is none."""
    wanted = unquote(source.removeprefix(_OWN)).strip().removeprefix("./")
    for file in reversed(attachments):
        if file.is_image and wanted in (file.name, shown_name(file.name), str(file.id)):
            return file
    return None


# frozen blocks


def _frozen(
    kind: str, inner: str, content: Content, attachment_url: AttachmentUrl | None, now_url: NowUrl | None
) -> str:
    settings, moment, body = settings_of(inner)
    shown = _table(body) if kind == "table" else _plot(body, content, attachment_url)
    if shown is None:
        return f"<pre>{escape(inner)}</pre>"
    link = ""
    if now_url is not None:
        link = f' · <a href="{escape(now_url(kind, settings))}">as it is now</a>'
    caption = f"<figcaption>as it was at {_time(moment)}{link}</figcaption>"
    return f'<figure class="hutch-{kind}">{shown}{caption}</figure>'


def _time(moment: str) -> str:
    """Return a time as people read it, with what programs read."""
    try:
        shown = local_time(datetime.fromisoformat(moment).timestamp())
    except (ValueError, OverflowError, OSError):
        return escape(moment)
    return f'<time datetime="{escape(moment)}">{escape(shown)}</time>'


def _table(body: str) -> str | None:
    try:
        found = json.loads(body)
        columns, rows = found["columns"], found["rows"]
        if not columns or len(columns) * len(rows) > _MOST_CELLS:
            return None
        head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
        lines = ("".join(f"<td>{_shown(value)}</td>" for value in row) for row in rows)
        rest = "".join(f"<tr>{line}</tr>" for line in lines)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rest}</tbody></table>"


def _plot(body: str, content: Content, attachment_url: AttachmentUrl | None) -> str | None:
    file = _named(body.strip(), content.attachments) if body.strip().isdigit() else None
    if file is None or attachment_url is None:
        return None
    return f'<img src="{escape(attachment_url(file))}" alt="{escape(file.description or file.name)}">'


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
