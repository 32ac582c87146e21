"""Commands: they print and give exit codes, nothing else."""
