"""`adapter check`: its reports for people and for programs, and the command."""

from __future__ import annotations

import json
import re
from typing import Any

from damage import (
    checked,
    config,
    write,
)
from typer.testing import CliRunner

from semantic_router_lora.checking.run import STEPS

HOSTILE = "x`|`]\x1b[31m<script>@everyone‮.py"


def test_reports_disarm_what_strangers_wrote(law_folder):
    write(HOSTILE, b"x")(law_folder)
    config(base_model_name_or_path="a/b\n| evil | pass | [x](http://x) |")(law_folder)
    report = checked(law_folder)
    text, markdown = report.to_text(), report.to_markdown()
    assert "\\x1b[31m" in text
    for output in (text, markdown, report.to_json()):
        assert "\x1b" not in output
        assert "‮" not in output
    row = next(line for line in markdown.splitlines() if line.startswith("| files |"))
    cell = row.removeprefix("| files | **FAIL** | ").removesuffix(" |")
    assert re.fullmatch(r"``[^`]*(`[^`]+)*``", cell)  # one span of code, which nothing ends early
    assert not re.search(r"(?<!\\)\|", cell)
    assert len([line for line in markdown.splitlines() if line.startswith("| ")]) == len(STEPS) + 1


def test_reports_for_programs(law_folder):
    write("evil.py", b"x")(law_folder)
    content = json.loads(checked(law_folder, name="mine").to_json())
    assert list(content) == [
        "format",
        "ok",
        "adapter",
        "folder",
        "base",
        "fingerprint",
        "checks",
        "figures",
    ]
    assert (content["ok"], content["adapter"], content["fingerprint"]) == (False, "mine", None)
    assert [check["name"] for check in content["checks"]] == [step.name for step in STEPS]
    assert content["checks"][0] == {
        "name": "files",
        "status": "fail",
        "message": "evil.py: code: an adapter holds none",
    }


def test_command(law_folder, tmp_path):
    from semantic_router_lora.cli import app

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["adapter", "check", *arguments])

    output = tmp_path / "report.md"
    good = run(str(law_folder), "--no-rerun", "--format", "markdown", "--output", str(output))
    assert good.exit_code == 0, good.output
    assert "no check failed" in good.output
    written = output.read_text(encoding="utf-8")
    assert "| figures | skip |" in written
    assert "**Figures on the bundled test suites**" in written
    write("evil.py", b"x")(law_folder)
    bad = run(str(law_folder), "--no-rerun", "--format", "json")
    assert bad.exit_code == 1
    assert json.loads(bad.output)["ok"] is False
    for arguments in (
        ["no-such-adapter"],
        [str(law_folder), "--format", "pdf"],
        [str(law_folder), "--data", "nowhere.jsonl"],
        [],
    ):
        assert run(*arguments).exit_code == 2, arguments
