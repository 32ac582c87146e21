"""Undercroft: a private PostgreSQL database per software project, for its coding agents."""

__version__ = "0.1.0"
