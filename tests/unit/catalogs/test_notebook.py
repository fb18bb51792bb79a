"""What a notebook shows: tables, pictures, and no text of a document as HTML."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hutch.catalogs.showing.notebook import table_html
from hutch.errors import StreamNotFoundError

PICTURE = r'<img alt="Plot of run [^"]+" src="data:image/png;base64,iVBOR[A-Za-z0-9+/=]+">'
HOSTILE = "<script>alert(1)</script>\"'&"


def record(cat, rows=5, **metadata):
    with cat.start_run(**metadata) as run:
        for number in range(rows):
            run.add("primary", {"x": float(number), "y": number**2})
    return cat[-1]


def test_a_run_has_its_streams_a_picture_and_its_metadata(cat):
    html = record(cat, plan_name="scan", sample="LaB6")._repr_html_()

    assert "<b>1 · scan</b>" in html
    assert "●</span> success" in html
    assert "5 points" in html
    assert re.search(r"<td[^>]*>primary</td><td[^>]*>5</td><td[^>]*>x, y</td>", html)
    assert "<details><summary>start</summary><pre>" in html
    assert "&quot;sample&quot;: &quot;LaB6&quot;" in html
    assert len(re.findall(PICTURE, html)) == 1


def test_a_stream_has_its_keys_and_a_picture(cat):
    html = record(cat).primary._repr_html_()
    assert "5 rows of x, y" in html
    assert re.search(r"<td[^>]*>x</td><td[^>]*>number</td>", html)
    assert re.search(PICTURE, html)


def test_a_catalog_has_the_newest_runs_and_the_picture_of_the_newest(cat):
    assert "<img" not in cat._repr_html_()
    record(cat, plan_name="scan")
    html = cat._repr_html_()
    assert "<td>scan</td>" in html
    assert re.search(PICTURE, html)


@pytest.mark.parametrize("key", ["plan_name", "sample", "note"])
def test_text_of_documents_is_no_html(cat, key):
    run = record(cat, **{key: HOSTILE})
    for html in (run._repr_html_(), run.primary._repr_html_(), cat._repr_html_()):
        assert "<script" not in html


def test_names_of_streams_and_keys_are_no_html(cat):
    with cat.start_run() as run:
        run.add(HOSTILE, {HOSTILE: 1.0})
    for html in (cat[-1]._repr_html_(), cat[-1][HOSTILE]._repr_html_()):
        assert "<script" not in html
    assert "&lt;script" in table_html(["a"], [[HOSTILE]])


@pytest.mark.parametrize("value", ["text", float("nan"), [1.0, 2.0]], ids=["text", "nan", "list"])
def test_what_cannot_be_drawn_is_left_out(cat, value):
    with cat.start_run() as run:
        run.add("primary", {"x": value})
    assert "primary" in cat[-1]._repr_html_()


def test_a_run_without_streams_and_one_that_goes_on_are_shown(cat):
    with cat.start_run(plan_name="empty") as run:
        assert "running" in cat[-1]._repr_html_()
        run.add("primary", {"x": 1.0})
        assert "running" in cat[-1]._repr_html_()
    with cat.start_run(plan_name="nothing"):
        pass
    assert "It has no streams" in cat[-1]._repr_html_()


def test_of_a_very_long_run_there_is_no_picture(cat):
    with cat.start_run() as run:
        run.extend("primary", {"x": np.zeros(300_000)})
    assert "<img" not in cat[-1]._repr_html_()


def test_a_run_and_a_stream_draw_themselves(cat):
    run = record(cat, plan_name="scan")
    for figure in (run.plot(x="x", y=["y"]), run.primary.plot(x="x", y=["y"])):
        (panel,) = figure.axes
        assert (panel.get_xlabel(), panel.get_ylabel()) == ("x", "y")
        (line,) = panel.lines
        assert line.get_ydata().tolist() == [0, 1, 4, 9, 16]
        assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(StreamNotFoundError, match="Key 'z' of stream 'primary' is not there. To draw: x, y"):
        run.plot(y=["z"])
