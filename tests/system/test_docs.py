"""Every Python block of the documentation runs, those of a page one after the other, beside the examples."""

import contextlib
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hutch.cli.group import hutch as program

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


def headings(path):
    """Return the headings of a page as links name them."""
    found = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found]


def test_every_link_of_a_page_leads_somewhere():
    for page in ALL:
        path = ROOT / page
        for target, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", path.read_text()):
            if not target.startswith("http"):
                there = path.parent / target if target else path
                assert there.exists(), f"{page}: {target}"
                assert not heading or heading in headings(there), f"{page}: {target}#{heading}"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("page", ["docs/tutorials/from-nothing-to-a-plot.md", "docs/how-to/read.md"])
def test_the_commands_of_a_page_run_where_its_code_has_run(page):
    _, names = run(page)
    names["cat"].close()
    for block in re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
        script = f'hutch() {{ "{sys.executable}" -m hutch "$@"; }}\n{block}'
        found = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, timeout=120)
        assert (found.returncode, found.stderr) == (0, "")


def test_the_list_of_commands_has_them_all():
    table = (ROOT / "docs/reference/commands.md").read_text().partition("## Which store")[0]
    named = re.findall(r"`([a-z]+)`", table)
    assert sorted(named) == sorted(program.list_commands(None))
