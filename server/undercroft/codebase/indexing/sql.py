"""The room's named statements."""

from undercroft.db.queries import load_queries

SQL = load_queries("undercroft.codebase")

VECTORS = load_queries("undercroft.codebase", "vectors.sql")
