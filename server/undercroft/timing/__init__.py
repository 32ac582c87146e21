"""How long tasks took, and how long the next one will take."""
