"""Secrets: used by name, encrypted before PostgreSQL sees them, shown where a person says so."""
