"""Passwords as the settings keep them: `scrypt.N.r.p.SALT.KEY`, salt and key in hexadecimal; never the password.

The form has nothing in it that a shell, a `.env` file or a compose file would read as its own (`$`, quotes, spaces).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

COST, BLOCK, LANES = 2**15, 8, 3
"""scrypt's N, r and p: one of the settings OWASP's Password Storage Cheat Sheet names; 32 MiB and about 0.2 s."""

SHORTEST = 12
"""Fewer characters than that are no password for a line that takes money."""

_ROOM = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Hash:
    """A password's hash and what it was made with."""

    cost: int
    block: int
    lanes: int
    salt: bytes
    key: bytes

    def __str__(self) -> str:
        return f"scrypt.{self.cost}.{self.block}.{self.lanes}.{self.salt.hex()}.{self.key.hex()}"

    def fits(self, password: str) -> bool:
        """Whether it was made of this password. Takes the time that scrypt takes, whatever the answer."""
        return hmac.compare_digest(_derive(password, self.salt, self.cost, self.block, self.lanes), self.key)


def read(text: str) -> Hash:
    """The hash that the settings hold; their own check has seen its form."""
    _, cost, block, lanes, salt, key = text.split(".")
    return Hash(int(cost), int(block), int(lanes), bytes.fromhex(salt), bytes.fromhex(key))


def made(password: str, cost: int = COST, lanes: int = LANES) -> Hash:
    """The hash of a password, with a salt of its own."""
    salt = secrets.token_bytes(16)
    return Hash(cost, BLOCK, lanes, salt, _derive(password, salt, cost, BLOCK, lanes))


def _derive(password: str, salt: bytes, cost: int, block: int, lanes: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=block, p=lanes, maxmem=_ROOM, dklen=32)
