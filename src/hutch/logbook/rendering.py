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
from hutch.logbook.freezing import find_blocks, settings_of

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

_LARGEST_MARKDOWN = 20_000
"""Characters without frozen blocks: some texts take a time that grows with the square of their length."""

_LARGEST_HTML = 40_000
"""Characters of an entry that is HTML: so do tags that are never closed."""

_LARGEST_RESULT = 1_000_000
"""Characters of HTML that markdown becomes: a few of it may become many, as a link that is named often."""

_MOST_LINES = 4_000
_DEEPEST = 16
"""How deep lists and quotes stand in one another; each list counts twice."""

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
_MOST_CELLS = 20_000


def render(
    content: Content, *, attachment_url: AttachmentUrl | None = None, now_url: NowUrl | None = None
) -> str:
    """Return what an entry, or one of its versions, says as safe HTML.

    :param attachment_url: gives images of the entry their address; without it they are only named.
    :param now_url: gives frozen blocks a link to how they are now.
    """
    blocks: dict[str, tuple[str, str]] = {}
    html: str | None = None
    if content.format is Format.HTML and len(content.text) <= _LARGEST_HTML:
        html = content.text
    elif content.format is Format.MARKDOWN and len(content.text) <= _LARGEST_TEXT:
        html = _markdown(content, attachment_url, now_url, blocks)
    if html is None:
        return f'<pre class="hutch-text">{escape(content.text)}</pre>\n'
    cleaned = _clean(html, content.attachments, attachment_url)
    for place, (block, written) in blocks.items():
        # Within what markdown takes for code it is shown as it is written.
        cleaned = cleaned.replace(f"<p>{place}</p>", block).replace(place, escape(written))
    return cleaned


# markdown


def _markdown(
    content: Content,
    attachment_url: AttachmentUrl | None,
    now_url: NowUrl | None,
    blocks: dict[str, tuple[str, str]],
) -> str | None:
    """Return the HTML of markdown, which is not safe yet; None if it is too much.

    :param blocks: gets the HTML and the text of frozen blocks, by what stands for each.
    """
    parts, last = [], 0
    for block in find_blocks(content.text):
        # Nobody who writes an entry can know it.
        place = f"block{secrets.token_hex(16)}"
        html = _frozen(block.kind, block.inner, content, attachment_url, now_url)
        blocks[place] = html, block.text
        parts += [content.text[last : block.start], f"\n{block.indent}{place}\n"]
        last = block.end
    text = "".join([*parts, content.text[last:]])
    lines = text.split("\n")
    # Rows of a table are filled up to the width of its head.
    cells = len(lines) * max(line.count("|") for line in lines)
    if len(text) > _LARGEST_MARKDOWN or len(lines) > _MOST_LINES or cells > _MOST_CELLS:
        return None
    parser = _parser()
    environment: dict[str, Any] = {}
    tokens = parser.parse(text, environment)
    # The parser leaves out what stands deeper.
    is_cut = any(token.nesting == 1 and token.level >= _DEEPEST - 1 for token in tokens)
    if is_cut or _size(tokens) > _LARGEST_RESULT:
        return None
    for token in _all(tokens):
        if token.type == "image":
            source = str(token.attrGet("src") or "")
            if not _LINK.match(source) and not source.startswith(_OWN):
                token.attrSet("src", f"{_OWN}{source}")
    found = str(parser.renderer.render(tokens, parser.options, environment))
    return found if len(found) <= _LARGEST_RESULT else None


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    found = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": _DEEPEST})
    found.enable(["table", "strikethrough"])
    # What is no link becomes text; the cleaning decides once more.
    found.validateLink = lambda url: bool(_LINK.match(url) or ":" not in url or url.startswith(_OWN))  # type: ignore[method-assign]
    return found


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or ())


def _size(tokens: Sequence[Token]) -> int:
    """Return how many characters their HTML has at least."""
    return sum(
        len(token.content) + sum(len(str(value)) for value in token.attrs.values())
        for token in _all(tokens)
        if not token.children
    )


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
    # By its number alone: anybody may attach a picture of this name.
    file = next((one for one in content.attachments if one.is_image and str(one.id) == body), None)
    if file is None or attachment_url is None:
        return None
    return f'<img src="{escape(attachment_url(file))}" alt="{escape(file.description or file.name)}">'


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
