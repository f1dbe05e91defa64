"""Checking an adapter folder before anybody relies on it. Described in docs/checking.md."""

from semantic_router_lora.checking.report import Check as Check
from semantic_router_lora.checking.report import Report as Report
from semantic_router_lora.checking.run import check_adapter as check_adapter
