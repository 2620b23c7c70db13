"""What an audit says: findings, each with the place where it was found.

AuditUnavailable   a part that the audit must read is away or behind; nothing is proven either way
"""

from dataclasses import dataclass


def plain(text: str) -> str:
    """What others wrote, fit for a terminal: it moves no cursor, and begins no line of its own."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class AuditUnavailable(Exception):
    """The audit could not run; the message says which part is missing and what to start."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `check` is the letter and name of the check, `where` the file, row, block or sequence."""

    check: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: what it compared (a count and a noun), and what it found."""

    check: str
    compared: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole audit, at one block and one journal sequence."""

    block_number: int
    block_hash: str
    journal_seq: int
    results: tuple[CheckResult, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, in the order of the checks."""
        return tuple(finding for result in self.results for finding in result.findings)

    def as_json(self) -> dict[str, object]:
        """The report as one JSON object."""
        return {
            "clean": not self.findings,
            "block_number": self.block_number,
            "block_hash": self.block_hash,
            "journal_seq": self.journal_seq,
            "checks": [{"check": r.check, "compared": r.compared, "findings": len(r.findings)} for r in self.results],
            "findings": [{"check": f.check, "where": f.where, "message": f.message} for f in self.findings],
        }
