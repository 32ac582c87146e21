"""Figures of Undercroft, each beside its target and beside the bare thing in the same run."""
