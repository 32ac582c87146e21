"""Code of a project, found by words and by meaning."""
