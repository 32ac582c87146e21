"""`scripts/torture`: scenarios that break things, and what must hold all the same."""
