"""Estimates replayed over finished tasks in the order in which they came."""
