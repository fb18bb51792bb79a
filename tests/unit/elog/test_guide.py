"""The guide to programs for LCLS's logbook does what it says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from hutch.config.file import understood

GUIDE = Path(__file__).parents[3] / "docs/how-to/lcls-clients.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)


def test_the_code_of_the_guide_posts_what_it_says(logbook, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plot.png").write_bytes(b"a plot")
    base = "/ws-auth/lgbk/lgbk/xppl1001221/ws"
    paths = [
        f"{base}/new_elog_entry",
        "/ws-auth/lgbk/lgbk/run_control/xppl1001221/ws/add_run_params",
        f"{base}/get_runs_with_tag",
        f"{base}/get_run_params_for_all_runs",
    ]
    for path in paths:
        logbook.answer(path, [])
    (block,) = blocks("python")
    exec(compile(block, str(GUIDE), "exec"), {})  # noqa: S102 - that is the test
    assert capsys.readouterr().out == "posted\n"
    assert logbook.paths == paths
    entry = next(one for one in logbook.sent if one.path == paths[0])
    assert entry.form["log_tags"] == "SHIFT beam"
    assert entry.files == [("files", "plot.png", "image/png", b"a plot")]


def test_the_settings_of_the_guide_can_be_used() -> None:
    (block,) = blocks("toml")
    found = understood(block.encode(), GUIDE).server
    assert (str(found.keytab), found.realm) == ("/etc/hutch/http.keytab", "FACILITY.ORG")
    assert set(tomllib.loads(block)) == {"server"}


def test_one_line_makes_lutes_module_that_of_hutch() -> None:
    line = next(block for block in blocks("text") if block.startswith("from hutch.elog"))
    names: dict[str, object] = {}
    exec(line, names)  # noqa: S102 - that is the test
    assert {"post_elog_message", "post_elog_run_status", "_get_current_run_status"} <= names.keys()
