"""What a verification found, and what a person has accepted of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pantau.errors import PantauError

Entry = dict[str, Any]  # a row of ops.ledger, with `holds`
RUNBOOK = "docs/runbooks/tampering.md"


@dataclass(frozen=True)
class Failure:
    """One thing that is not what the ledger vouches for.

    Attributes:
        what: its name, by which it is accepted, such as `raw.komdigi__desa_4g/reading 106`.
        told: what is wrong, in one sentence.
        where: places, in the order in which a person looks for them.
        found: what was found instead, each thing by a text; an acceptance speaks for exactly these.
    """

    what: str
    told: str
    where: dict[str, object] = field(default_factory=dict)
    found: tuple[str, ...] = ()

    def error(self, next_step: str = f"See {RUNBOOK}.") -> PantauError:
        """The failure as an error that a person reads."""
        return PantauError(f"{self.what}: {self.told}", where=self.where, next_step=next_step)


@dataclass(frozen=True)
class Acceptance:
    """A person's word that a failure is lawful (a restore, say); it is printed at every verification."""

    what: str
    found: frozenset[str]
    by: str
    why: str
    number: int  # of its ledger entry
    at: str


def acceptances(entries: Iterable[Entry]) -> list[Acceptance]:
    """Every acceptance that the ledger keeps."""
    return [
        Acceptance(
            e["what"]["what"], frozenset(e["what"]["found"]), e["what"]["by"], e["what"]["why"], e["no"],
            f"{e['product_at']:%Y-%m-%d}",
        )
        for e in entries
        if e["kind"] == "acceptance"
    ]  # fmt: skip


def is_accepted(failure: Failure, accepted: Iterable[Acceptance]) -> bool:
    """Whether all that was found has been accepted."""
    known = {text for each in accepted if each.what == failure.what for text in each.found}
    return bool(failure.found) and set(failure.found) <= known
