"""Money and what is owed: exact decimals with a currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount; `amount` has two decimals, `currency` is an ISO 4217 code."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill of an account: what it is for and what it still owes."""

    id: str
    description: str
    owed: Money


@dataclass(frozen=True, slots=True)
class Account:
    """Who the caller was found to be; never a date of birth."""

    id: str
    name: str
    language: str = "en"
    has_hsa: bool = False
