"""What ``gitexp fsck`` finds wrong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    code: str
    sentence: str
    repair: str  # the command that mends it, or looks closer
