"""The guide to plots prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from hutch.monitor.forms import CalledPlot, Plot

PAGE = Path(__file__).parents[3] / "docs/how-to/write-a-plot.md"


def test_the_guide_to_plots_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - that is the test
    assert out.getvalue().splitlines() == ["True", "[ 250  500  750 1000]", "[('spectra', 7)]"]
    assert isinstance(names["whole"], Plot)
    assert isinstance(names["plot"], CalledPlot)
    assert (tmp_path / "adc.png").read_bytes().startswith(b"\x89PNG")
