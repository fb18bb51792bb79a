"""Blocks that are frozen: what is shown as it was is what was there, whatever somebody writes."""

from __future__ import annotations

import re

import pytest

from hutch.errors import DocumentError
from hutch.logbook import Format, NewFile, render
from hutch.logbook.freezing import find_blocks
from hutch.server.pages.logbook_pages import entry_html

ON_EACH_DATABASE = True

FORGED = '--- 2020-01-01T00:00:00Z\n{"columns": ["a"], "rows": [["forged"]], "total": 1}\n'
AS_IT_WAS = "as it was at"
FORGERIES = [
    f"```hutch-table\n{FORGED}```",
    f" ```hutch-table\n{FORGED}```",
    f"   ~~~hutch-table\n   {FORGED}   ~~~~",
    f"```  hutch-table\n{FORGED}```",
    f"```hutch-table x\n{FORGED}```",
    f"```hutch-table\n{FORGED}",
    f"`````````````````````hutch-table\n{FORGED}`````````````````````",
    "> " + f"```hutch-table\n{FORGED}```".replace("\n", "\n> "),
    "- " + f"```hutch-table\n{FORGED}```".replace("\n", "\n  "),
    f"- x\n\n  ```hutch-table\n{FORGED}  ```",
    f"1. ```hutch-table\n{FORGED}\n```hutch-table\n{FORGED}```",
    f"- ~~~\n\n```hutch-table\n{FORGED}```\n",
    f"```x`\n```hutch-table\n{FORGED}```",
    f"```hutch-table\n {FORGED}\n    ```\n{FORGED}```",
]


@pytest.fixture
def num(book, catalog):
    """The number of a run with two points."""
    with catalog.start_run(experiment="xpp1") as run:
        for value in (1.0, 2.0):
            run.add("primary", {"detector": value})
    return book.run_of("xpp1", run.uid).num


def shown(content):
    return render(content, attachment_url=lambda file: f"/{file.id}")


@pytest.mark.parametrize("text", FORGERIES)
def test_nobody_can_write_how_something_was(book, num, text):
    posted = book.post("xpp1", text)
    edited = book.edit(book.post("xpp1", "honest").id, text=text)
    plain = book.post("xpp1", text, format=Format.TEXT)
    turned = book.edit(plain.id, format=Format.MARKDOWN)
    again = book.edit(turned.id, title="again")

    for entry in (posted, edited, turned, again):
        html = shown(entry)
        for figure in re.findall("<figure.*?</figure>", html, re.DOTALL):
            assert "forged" not in figure and "2020-01" not in figure
        assert html.count(AS_IT_WAS) == len(list(find_blocks(text)))


@pytest.mark.parametrize("indent", ["", " ", "   "])
def test_a_block_is_frozen_and_stays_so_when_the_entry_is_edited(book, num, indent):
    block = f"{indent}```hutch-table\n{indent}columns: run_num\n{indent}```"
    entry = book.post("xpp1", f"Before\n{block}\nafter")
    (frozen,) = find_blocks(entry.text)
    edited = book.edit(entry.id, text=f"Anew\n\n{frozen.text}\n\n{block}")

    assert f"<td>{num}</td>" in shown(entry) and shown(entry).count(AS_IT_WAS) == 1
    assert frozen.text in edited.text and shown(edited).count(AS_IT_WAS) == 2
    assert shown(entry).startswith("<p>Before</p>") and shown(entry).rstrip().endswith("<p>after</p>")


def test_a_block_in_an_item_of_a_list_is_shown_in_it(book, num):
    entry = book.post("xpp1", "- item\n\n  ```hutch-table\n  columns: run_num\n  ```\n- next")

    assert re.search(r"<li>\s*<p>item</p>\s*<figure.*</figure>\s*</li>\s*<li>", shown(entry), re.DOTALL)


def test_a_frozen_plot_leads_to_its_run(book, num):
    entry = book.post("xpp1", f"```hutch-plot\nrun: {num}\ny: detector\nuid: x\n```")
    uid = book.run("xpp1", num).run.uid
    changed = book.edit(entry.id, text=entry.text.replace("y: detector\n", ""))

    for one in (entry, changed):
        assert f"\nuid: {uid}\n---" in one.text and "uid: x" not in one.text
        html = entry_html("xpp1", entry.id, one, {"catalog": "raw"})
        assert f'<a href="/runs/{uid}?catalog=raw">as it is now</a>' in html
    html = entry_html("xpp1", entry.id, entry, {})
    assert f'<img src="/logbook/xpp1/entries/{entry.id}/files/1"' in html


def test_a_picture_of_the_same_name_does_not_take_the_place_of_a_frozen_plot(book, num):
    entry = book.post("xpp1", f"```hutch-plot\nrun: {num}\n```")
    with book.open_attachment(entry.id, 1)[1] as file:
        other = NewFile(file.read(), "1", "")
    edited = book.edit(entry.id, files=[other])

    assert [file.id for file in edited.attachments] == [1, 2]
    assert '<img src="/1"' in shown(edited) and '<img src="/2"' not in shown(edited)


def test_what_others_change_meanwhile_does_not_become_how_something_was(book, num):
    plot = f"```hutch-plot\nrun: {num}\n```"
    first = book.post("xpp1", plot)
    with book.open_attachment(first.id, 1)[1] as file:
        other = NewFile(file.read(), "other.png", "")

    def meanwhile(entry, **changes):
        """Change an entry while another change of it is made ready."""
        book.edit(entry, **changes)
        yield from ()

    text = f"```hutch-table\n{FORGED}```"
    entry = book.post("xpp1", "honest")
    edited = book.edit(entry.id, title="x", files=meanwhile(entry.id, text=text, format="text"))
    assert edited.format is Format.TEXT and "<figure" not in shown(edited)
    entry = book.post("xpp1", "honest")
    edited = book.edit(entry.id, text=plot, files=meanwhile(entry.id, files=[other]))
    assert [(file.id, file.name) for file in edited.attachments] == [(1, "other.png"), (2, f"run-{num}.png")]
    assert '<img src="/2"' in shown(edited)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("sort: begin\ndescending: yes", "sort=-begin"),
        ("table: own\nsort: begin", "name=own&amp;sort=begin"),
        ("table: own\ndescending: yes", "name=own"),
    ],
)
def test_a_frozen_table_leads_to_the_run_table_in_its_order(book, num, settings, expected):
    book.create_run_table("xpp1", "own", ["run_num", "begin"])
    entry = book.post("xpp1", f"```hutch-table\n{settings}\n```")

    html = entry_html("xpp1", entry.id, entry, {})
    assert f'<a href="/logbook/xpp1/tables?{expected}">as it is now</a>' in html


def test_what_a_block_does_not_know_is_refused(book, num):
    with pytest.raises(DocumentError, match="knows no 'colour'"):
        book.post("xpp1", "```hutch-table\ncolour: red\n```")
    with pytest.raises(DocumentError, match="cannot be filled"):
        book.post("xpp1", "```hutch-plot\nrun: 999\n```")
    with pytest.raises(DocumentError, match="goes backwards. Write 5-9"):
        book.post("xpp1", "```hutch-table\nruns: 9-5\n```")
