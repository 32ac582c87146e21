"""Migrations: lines of SQL files, a ledger in each database, and one runner at a time."""
