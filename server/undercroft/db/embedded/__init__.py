"""PostgreSQL as part of the program: found, made, started, shared and stopped by itself."""

from undercroft.db.embedded.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
