"""The page of the validations that shipped bundles passed, from docs/results/validations/*.json."""

from __future__ import annotations

from pathlib import Path

from markdown_table import table

from loopwm_ros.validation.certificate import Certificate, Check, load_certificate

FOLDER = "docs/results/validations"
NAME = "validations"


def validations(root: Path) -> str:
    """The whole page; empty where there is no validation."""
    found = [load_certificate(path) for path in sorted((root / FOLDER).glob("*.json"))]
    if not found:
        return ""
    lines = [
        "# Validations",
        "",
        f"Written by `make docs` from `{FOLDER}/`, which `loopwm validate` wrote. What each check means:",
        "[validation.md](validation.md). A validation holds for exactly this bundle, arm, task and suite.",
    ]
    for certificate in found:
        lines += _section(certificate)
    return "\n".join(lines) + "\n"


def _section(certificate: Certificate) -> list[str]:
    word = "passed" if certificate.passed else "NOT passed"
    episodes = ", ".join(f"{part.name} {part.success} of {part.episodes}" for part in certificate.parts)
    return [
        "",
        f"## {certificate.bundle}, suite {certificate.suite}: {word}",
        "",
        "```sh",
        f"loopwm validate --suite {certificate.suite} --arm {certificate.arm} --workers 2",
        "```",
        "",
        f"Manifest {certificate.bundle_sha256[:8]}, revision {certificate.git_revision[:12]},",
        f"{certificate.created:%Y-%m-%d}. Solved: {episodes}.",
        "",
        *table(("check", "measured", "required", "what"), map(_cells, certificate.checks)),
    ]


def _cells(check: Check) -> tuple[str, ...]:
    measured = "nothing" if check.value is None else f"{check.value:.4g}"
    mark = "" if check.passed else " (failed)"
    return check.name, measured + mark, f"{check.kind} {check.limit:g}", check.what
