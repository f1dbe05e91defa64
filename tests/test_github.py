"""Workflows, issue forms and the commands that they and CONTRIBUTING.md show."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from semantic_router_lora.adapters import catalogue
from semantic_router_lora.adapters.catalogue_views import to_toml
from semantic_router_lora.cli import app

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
COMMAND = re.compile(r"(?:^|\s|/|\()semantic-router-lora (adapter [^|>;)`\n]*)")


def load(path: Path) -> dict:
    return yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # `on` stays text


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_safe_for_forks(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request" in workflow["on"] and "pull_request_target" not in workflow["on"]
    assert "secrets" not in path.read_text().replace("no secrets", "")
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert not any("permissions" in job for job in workflow["jobs"].values())
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]), step
        # what a fork can name goes into no script
        assert set(re.findall(r"\$\{\{(.*?)\}\}", step.get("run", ""))) <= {" matrix.target "}


def test_workflows_run_what_the_readme_says():
    text = load(GITHUB / "workflows" / "tests.yml")
    targets = text["jobs"]["tests"]["strategy"]["matrix"]["target"]
    readme = (ROOT / "README.md").read_text()
    assert "test" in targets and "\nmake test " in readme
    makefile = (ROOT / "Makefile").read_text()
    made = [*targets, ".venv/core"]
    assert all(re.search(rf"^{re.escape(target)}:", makefile, re.M) for target in made)
    paths = load(GITHUB / "workflows" / "adapter.yml")["on"]["pull_request"]["paths"]
    assert [ROOT / path for path in paths] == [Path(catalogue.__file__).with_suffix(".toml")]


def commands() -> list[list[str]]:
    texts = [step.get("run", "") for path in WORKFLOWS for step in steps(load(path))]
    texts += [path.read_text() for path in (ROOT / "CONTRIBUTING.md", *GITHUB.rglob("*.md"))]
    texts.append((ROOT / "docs" / "catalogue.md").read_text())
    found = [line.partition("#")[0].split() for text in texts for line in COMMAND.findall(text)]
    assert len(found) > 10
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_shown_commands_exist_with_their_options(command):
    group = typer.main.get_command(app)
    for word in command[:2]:
        group = group.commands[word]
    options = {name for parameter in group.params for name in parameter.opts}
    assert {word for word in command if re.match("--[a-z]", word)} <= options


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms(path):
    form = load(path)
    assert form["name"] and form["description"]
    kinds = [part["type"] for part in form["body"]]
    assert set(kinds) <= {"markdown", "input", "textarea", "dropdown", "checkboxes"}
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in asked}) == len(asked)
    assert all(part["attributes"]["label"] for part in asked)


@pytest.mark.slow
def test_the_adapter_workflow_runs(tmp_path):
    """Its scripts, in a repository where the catalogue gains an entry that needs no Hub."""
    repository = tmp_path / "repository"
    file = repository / "semantic_router_lora" / "adapters" / "catalogue.toml"
    file.parent.mkdir(parents=True)
    (repository / ".venv").mkdir()
    (repository / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(repository)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    entries = catalogue.entries()
    for kept in (entries[1:], entries):
        file.write_text("".join(map(to_toml, kept)))
        subprocess.run([*git, "add", "semantic_router_lora"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "catalogue"], check=True)
    summary = tmp_path / "summary.md"
    environment = os.environ | {"RUNNER_TEMP": str(tmp_path), "GITHUB_STEP_SUMMARY": str(summary)}
    for step in steps(load(GITHUB / "workflows" / "adapter.yml"))[3:]:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            capture_output=True,
            text=True,
            check=False,
            cwd=repository,
            env=environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "names").read_text() == f"{entries[0].name}\n"
    assert f"## `{entries[0].name}`" in summary.read_text()
    assert "fingerprint" in summary.read_text()
