"""Every Python block of the documentation runs, those of a page one after the other, beside the examples."""

import contextlib
import io
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALL = [
    "README.md",
    "CHANGELOG.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")),
]
ELSEWHERE = {
    "docs/how-to/configure-catalogs.md": "test_docs_catalogs.py",
    "docs/how-to/keep-a-logbook.md": "test_docs_logbook.py",
    "docs/how-to/lcls-clients.md": "../unit/elog/test_guide.py",
    "docs/how-to/manage-access.md": "test_docs_access.py",
}
"""Pages whose commands run too, between the blocks, and where."""


def blocks(page):
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def run(page):
    """Run the blocks of a page; return what they printed, and their names."""
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for block in blocks(page):
            exec(compile(block, page, "exec"), names)  # noqa: S102 - that is the test
    return out.getvalue(), names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder: a copy of that of the examples."""
    shutil.copytree(ROOT / "docs/examples", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("page", [page for page in ALL if blocks(page) and page not in ELSEWHERE])
def test_the_code_of_a_page_runs(page):
    _, names = run(page)
    if "cat" in names:
        names["cat"].close()


@pytest.mark.usefixtures("folder")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_readme_does_what_it_says():
    printed, names = run("README.md")
    assert "success" in printed
    assert [run.start["sample"] for run in names["cat"].values()] == ["LaB6", "LaB6"]
    names["cat"].close()


def test_every_link_of_a_page_leads_somewhere():
    for page in ALL:
        path = ROOT / page
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text()):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{page}: {target}"
