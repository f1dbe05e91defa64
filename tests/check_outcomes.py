"""What `adapter check` finds of an adapter, by the name of the check."""

from __future__ import annotations

from semantic_router_lora.checking import Report

NAME = "psychology-cache-lora-L6"  # of the bundled adapter that is checked


def statuses(report: Report) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.message) for check in report.checks}
