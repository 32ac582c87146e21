"""Projects: the registry of who owns which database, and the life of these databases."""
