"""Every Python block of the documentation runs, one after the other, in an empty folder."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/explanations/store.md"]


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)  # noqa: S102 - that is the test
    if "cat" in names:
        assert "success" in out.getvalue()
        assert [run.start["sample"] for run in names["cat"].values()] == ["LaB6", "LaB6"]
        names["cat"].close()


def test_every_link_of_a_page_leads_somewhere():
    for page in [*PAGES, "CHANGELOG.md", *map(str, (ROOT / "docs").rglob("*.md"))]:
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{page}: {target}"
