"""Amounts as the books keep them: whole hundredths, so that SQL can compare and subtract them exactly."""

from __future__ import annotations

from decimal import Decimal

from payagent.errors import AccountsFailed
from payagent.flow.money import Money


def hundredths(amount: Money) -> int:
    """The amount in hundredths of a unit.

    Raises:
        AccountsFailed: it is negative or finer than a hundredth.
    """
    scaled = amount.amount.scaleb(2)
    if scaled < 0 or scaled != scaled.to_integral_value():
        raise AccountsFailed(f"{amount.amount} {amount.currency} is no amount of money")
    return int(scaled)


def money(amount: int, currency: str) -> Money:
    """So many hundredths as an amount."""
    return Money(Decimal(amount).scaleb(-2), currency)
