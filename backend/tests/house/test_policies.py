"""Every content security policy the server sends forbids what `default-src` does not cover."""

from __future__ import annotations

import pytest

from haechi.health import pages
from haechi.platform.web import SAFE_HEADERS
from haechi.research.router import REPORT_POLICY

POLICIES = {"json": SAFE_HEADERS["content-security-policy"], "pages": pages.policy("n"), "reports": REPORT_POLICY}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_forbids_bases_forms_and_foreign_frames(policy: str) -> None:
    rules = {name: sources for name, _, sources in (rule.strip().partition(" ") for rule in policy.split(";"))}
    assert [rules.get(name) for name in ("default-src", "base-uri", "form-action")] == ["'none'"] * 3
    assert rules.get("frame-ancestors") in ("'none'", "'self'")
