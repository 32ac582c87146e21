"""Typed records: JSON documents of declared types, with versions and history."""
