"""What MongoDB's language means for hutch, said again as plainly, and as slowly, as can be: an oracle."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

NUMBERS = (int, float)


def fits(query: dict[str, Any], run: dict[str, Any]) -> bool:
    """Tell whether a query holds for a run.

    :param run: its documents: ``start``, ``stop`` (or None), ``param`` and ``dqm``.
    """
    return all(_holds(key, value, run) for key, value in query.items())


def _holds(key: str, value: Any, run: dict[str, Any]) -> bool:
    if key == "$and":
        return all(fits(part, run) for part in value)
    if key == "$or":
        return any(fits(part, run) for part in value)
    if key == "$nor":
        return not any(fits(part, run) for part in value)
    if key == "$text":
        return has_words(value["$search"], run)
    head, dot, rest = key.partition(".")
    if head in ("param", "dqm") and dot:
        return _asked([run[head][rest]] if rest in run[head] else [MISSING], value)
    if head in ("start", "stop") and dot:
        return _asked(leads_to(run[head], rest.split(".")), value)
    return _asked(leads_to(run["start"], key.split(".")), value)


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


def leads_to(value: Any, parts: list[str]) -> list[Any]:
    """Return everything that a path leads to; MISSING where a key is missing."""
    places = [value]
    for part in parts:
        found = []
        for place in places:
            if isinstance(place, dict):
                found.append(place.get(part, MISSING))
            elif isinstance(place, list):
                # Each dictionary in it is entered with the whole rest, whose first part it is asked for.
                for item in place:
                    if isinstance(item, dict):
                        found.append(item.get(part, MISSING))
                if re.fullmatch("0|[1-9][0-9]*", part) and int(part) < len(place):
                    found.append(place[int(part)])
            else:
                found.append(MISSING)
        places = found
    return places


def _asked(found: list[Any], value: Any) -> bool:
    if isinstance(value, dict) and value and all(name.startswith("$") for name in value):
        options = value.get("$options", "")
        return all(_operator(n, v, options, found) for n, v in value.items() if n != "$options")
    return _operator("$eq", value, "", found)


def _operator(name: str, value: Any, options: str, found: list[Any]) -> bool:
    match name:
        case "$eq":
            return any(_equals(item, value) for item in found)
        case "$ne":
            return not _operator("$eq", value, "", found)
        case "$in":
            return any(_operator("$eq", one, "", found) for one in value)
        case "$nin":
            return not _operator("$in", value, "", found)
        case "$gt" | "$gte" | "$lt" | "$lte":
            if value is None or value != value:
                return name in ("$gte", "$lte") and _operator("$eq", value, "", found)
            return any(_compares(one, name, value) for item in found for one in _with_elements(item))
        case "$exists":
            return any(item is not MISSING for item in found) == bool(value)
        case "$regex":
            flags = sum({"i": re.I, "m": re.M, "s": re.S}[letter] for letter in set(options))
            # As RE2 has it: ASCII classes, and $ only at the very end.
            pattern = re.compile(value.replace("$", r"\Z") if "m" not in options else value, flags)
            texts = [one for item in found for one in _with_elements(item) if isinstance(one, str)]
            return any(pattern.search(text) for text in texts)
        case "$not":
            return not _asked(found, value)
        case "$all":
            return bool(value) and all(
                _asked(found, one if isinstance(one, dict) and "$elemMatch" in one else {"$eq": one})
                for one in value
            )
        case "$size":
            return any(isinstance(item, list) and len(item) == value for item in found)
        case "$elemMatch":
            return any(_element(one, value) for item in found if isinstance(item, list) for one in item)
    raise AssertionError(name)


def _element(item: Any, query: dict[str, Any]) -> bool:
    if query and all(name.startswith("$") for name in query) and not set(query) & {"$and", "$or", "$nor"}:
        return _asked([item], query)
    return isinstance(item, dict) and _inner(query, item)


def _inner(query: dict[str, Any], item: dict[str, Any]) -> bool:
    for key, value in query.items():
        if key in ("$and", "$or", "$nor"):
            parts = [_inner(part, item) for part in value]
            if not {"$and": all(parts), "$or": any(parts), "$nor": not any(parts)}[key]:
                return False
        elif not _asked(leads_to(item, key.split(".")), value):
            return False
    return True


def _with_elements(item: Any) -> list[Any]:
    if item is MISSING:
        return []
    return [item, *item] if isinstance(item, list) else [item]


def _equals(item: Any, value: Any) -> bool:
    if item is MISSING:
        return value is None
    return any(same(one, value) for one in _with_elements(item))


def same(first: Any, second: Any) -> bool:
    """Tell whether two values are equal, types and all."""
    kinds = {kind_of(first), kind_of(second)}
    if len(kinds) != 1:
        return False
    if isinstance(first, dict):
        return set(first) == set(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    return first == second or (first != first and second != second)


def kind_of(value: Any) -> str:
    """Return the type in which a value compares."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, NUMBERS) else type(value).__name__


def _compares(item: Any, name: str, value: Any) -> bool:
    if item is MISSING or kind_of(item) != kind_of(value) or isinstance(item, (dict, list)):
        return False
    return {"$gt": item > value, "$gte": item >= value, "$lt": item < value, "$lte": item <= value}[name]


def has_words(text: str, run: dict[str, Any]) -> bool:
    """Tell whether all words of a text are values of a run's documents."""
    stop = {key: value for key, value in (run["stop"] or {}).items() if key not in ("uid", "run_start")}
    there = [*_words(run["start"]), *_words(stop)]
    for part in text.split():
        words = cut(part)
        if part.endswith("*") and words:
            beginning = words.pop()
            if not any(word.startswith(beginning) for word in there):
                return False
        if not all(word in there for word in words):
            return False
    return True


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return []
    return cut(str(value))


def cut(text: str) -> list[str]:
    """Return the words of a text, letter by letter."""
    taken_apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    words, word = [], ""
    for char in taken_apart:
        if unicodedata.combining(char):
            continue
        if char.isalnum():
            word += char
        elif word:
            words.append(word)
            word = ""
    return [*words, word] if word else words
