"""What entries are found by: the words in them, their tags, their author, their shift.

Words are cut as in searches of runs (:mod:`hutch.documents.words`), so every database finds the same. A
term has its kind before it, as in ``w:beam`` and ``t:dark``; upper and lower case are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hutch.documents.text import storable
from hutch.documents.words import cut

__all__ = ["ANY", "author_term", "folded", "shift_term", "tag_term", "terms_of", "word_terms", "words_with"]

_LONGEST = 100
"""Characters of a term that count; a database's index takes no more than some."""

ANY = "*"
"""At the end of the term of a word: all that begin so. No word has it."""


def folded(text: str) -> str:
    """Return a text as it is compared: without case, and not too long."""
    return storable(text).casefold()[:_LONGEST]


def word_terms(text: str) -> set[str]:
    """Return the terms of the words of a text."""
    return {f"w:{word[:_LONGEST]}" for word in cut(storable(text))}


def words_with(beginning: str) -> str | None:
    """Return what stands for all words that begin so; None if the beginning is not of one word."""
    found = word_terms(beginning)
    return f"{found.pop()}{ANY}" if len(found) == 1 else None


def tag_term(tag: str) -> str:
    """Return the term of a tag."""
    return f"t:{folded(tag)}"


def author_term(author: str) -> str:
    """Return the term of an author."""
    return f"a:{folded(author)}"


def shift_term(shift: str) -> str:
    """Return the term of a shift."""
    return f"s:{folded(shift)}"


def terms_of(body: Mapping[str, Any], author: str) -> set[str]:
    """Return the terms of an entry.

    :param body: the document of its last version.
    :param author: who wrote the first one.
    """
    found = {author_term(author), *map(tag_term, body["tags"])}
    if body["shift"]:
        found.add(shift_term(body["shift"]))
    names = (file["name"] for file in body["files"])
    for text in (body["title"], body["text"], *body["tags"], *names):
        found |= word_terms(text)
    return found
