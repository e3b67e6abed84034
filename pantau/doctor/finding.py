"""What a check of the doctor tells."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "attention", "problem"]


@dataclass(frozen=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    state: State
    what: str
    next_step: str = ""
