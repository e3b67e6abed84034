"""What a page shows beside its own figures, frozen with the release: the whole of it, part by part.

Only what is known at the build's cut-off, and nothing that would change if the same month were closed again:
no ids of the database, no machine's clock. docs/reference/page-context.md describes it.
"""

from typing import Any

from pantau import checks
from pantau.release import bridge, feeds, indicators, outlook, restatements
from pantau.release.figures import Closing
from pantau.release.restatements import Text
from pantau.settings import settings


def context(
    closing: Closing,
    reason: str,
    explanation: Text,
    published: dict[str, Any] | None,
    gate: checks.Gate,
) -> dict[str, Any]:
    """The frozen context of one release, as JSON: amounts are decimal text, counts integers, nothing a float.
    Opening history has no page.

    Args:
        published: the release of the same period that this one replaces.

    Raises:
        PantauError: the parts do not add up to the frozen figures.
    """
    base = {
        "period": closing.period,
        "version": closing.version,
        "reason": reason,
        "explanation": explanation,
        "cutoff_at": closing.closed_at,
        "simulated": closing.build["simulated"],
        "code_version": closing.build["code_version"],
    }
    if reason == "opening":
        return base
    lines = feeds.feeds(closing)
    shown = indicators.indicators(closing, lines)
    return {
        **base,
        "audit_url": settings.audit_url,
        "indicators": shown,
        "provinces": indicators.provinces(closing),
        "bridge": bridge.bridge(closing),
        "forecast": outlook.forecasts(closing, shown),
        "restatements": restatements.restatements(
            closing, explanation, published if reason == "restatement" else None
        ),
        "feeds": lines,
        "operators": feeds.operators(lines),
        "findings": [_finding(f) for f in (*gate.critical, *gate.warnings, *gate.infos)],
        "checks": {"rules": gate.rules, "passed": gate.passed, "not_applicable": gate.not_applicable},
        "definitions": [
            {
                "id": d["indicator_id"],
                "version": d["version"],
                "formula": {"id": d["formula_id"], "en": d["formula_en"]},
                "source": d["source"],
            }
            for d in closing.definitions
        ],
        "targets_used": _targets_used(closing, shown),
    }


def _finding(finding: checks.Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "fixer": finding.fixer,
        "feed": finding.feed,
        "part": finding.part,
        "period": finding.period,
        "rows": finding.rows,
    }


def _targets_used(closing: Closing, shown: list[dict[str, Any]]) -> list[dict[str, str]]:
    used = {i["id"]: i["target"]["target_id"] for i in shown if i["target"]}
    return [
        {"indicator": t["indicator_id"], "document": t["document"], "source": t["source"]}
        for t in closing.registers["target_register"]
        if used.get(t["indicator_id"]) == t["target_id"]
    ]
