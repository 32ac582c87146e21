"""How large a pool may grow and how long its callers wait."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PoolLimits:
    """Sizes in connections, times in seconds."""

    minimum: int
    maximum: int
    idle: float
    command_timeout: float
    acquire_timeout: float
    max_queries: int
