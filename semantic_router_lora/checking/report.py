"""The report of a check: for a terminal, for programs, and for a pull request."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from semantic_router_lora.checking.outcome import Status
from semantic_router_lora.checking.untrusted_text import markdown_code, printable
from semantic_router_lora.tables import Table

FORMAT = 1


@dataclass(frozen=True)
class Check:
    """One check: its name, ``pass``, ``warn``, ``fail`` or ``skip``, and why."""

    name: str
    status: Status
    message: str


@dataclass(frozen=True)
class FigureRow:
    """One figure on one domain, with its 95 % interval.

    Attributes:
        domain: of the bundled test suite.
        metric: as `semantic_router_lora.benchmark` names it.
        base: the base's, as the adapter's files say.
        adapter: the adapter's, as they say: value, low, high.
        rerun: the adapter's, as measured here; None if it was not.
    """

    domain: str
    metric: str
    base: float
    adapter: tuple[float, float, float]
    rerun: float | None = None


@dataclass(frozen=True)
class Report:
    """All checks of one adapter, in the order in which they were made.

    Attributes:
        name: of the adapter.
        folder: where its files lie.
        base: the base that it names, or None.
        fingerprint: of base, adapter and tokenizer together, or None if they could not be loaded.
        checks: what was checked.
        figures: what the benchmark says, as recorded and as measured again.
    """

    name: str
    folder: str
    base: str | None
    fingerprint: str | None
    checks: list[Check]
    figures: list[FigureRow] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not any(check.status == "fail" for check in self.checks)

    @property
    def summary(self) -> str:
        """One line: the verdict, and how many checks ended how."""
        counts = dict.fromkeys(("pass", "warn", "fail", "skip"), 0)
        for check in self.checks:
            counts[check.status] += 1
        parts = [f"{count} {_PLURAL[status]}" for status, count in counts.items() if count]
        return f"{'no check failed' if self.ok else 'REFUSED'}: {', '.join(parts)}"

    def to_text(self) -> str:
        """For a terminal."""
        width = max(len(check.name) for check in self.checks)
        lines = [
            f"adapter      {printable(self.name)}",
            f"folder       {printable(self.folder)}",
            f"base         {printable(self.base or '–')}",
            f"fingerprint  {self.fingerprint or '–'}",
            "",
        ]
        for check in self.checks:
            first, *more = check.message.split("\n")
            lines.append(f"{check.status.upper()}  {check.name:<{width}}  {first}")
            lines += [" " * (width + 8) + line for line in more]
        return "\n".join([*lines, "", self.summary]) + "\n"

    def to_json(self) -> str:
        """For programs; keys keep their names within a ``format``."""
        content = {
            "format": FORMAT,
            "ok": self.ok,
            "adapter": printable(self.name),
            "folder": printable(self.folder),
            "base": printable(self.base) if self.base else None,
            "fingerprint": self.fingerprint,
            "checks": [asdict(check) for check in self.checks],
            "figures": [asdict(row) for row in self.figures],
        }
        return json.dumps(content, indent=2) + "\n"

    def to_markdown(self) -> str:
        """For a comment on a pull request. Whatever comes from the adapter stands in code."""
        lines = [
            f"### Adapter check of {markdown_code(self.name)}: {self.summary}",
            "",
            f"Base {markdown_code(self.base or '–')}, "
            f"fingerprint {markdown_code(self.fingerprint or '–')}",
            "",
            "| Check | Result | Reason |",
            "|---|---|---|",
        ]
        lines += [
            f"| {check.name} | {_MARKS[check.status]} | {markdown_code(check.message)} |"
            for check in self.checks
        ]
        text = "\n".join(lines) + "\n"
        return f"{text}\n{self._figures_table().to_markdown()}" if self.figures else text

    def _figures_table(self) -> Table:
        rows: list[tuple[str, ...]] = [
            (
                markdown_code(row.domain),
                row.metric.replace("_", " "),
                f"{row.base:.4f}",
                f"{row.adapter[0]:.4f} [{row.adapter[1]:.4f}, {row.adapter[2]:.4f}]",
                "–" if row.rerun is None else f"{row.rerun:.4f}",
            )
            for row in self.figures
        ]
        columns = ("Domain", "Figure", "Base", "Adapter, as recorded", "Measured again")
        return Table("Figures on the bundled test suites", columns, rows)


_PLURAL = {"pass": "passed", "warn": "warned", "fail": "failed", "skip": "skipped"}
_MARKS = {"pass": "pass", "warn": "**warn**", "fail": "**FAIL**", "skip": "skip"}
