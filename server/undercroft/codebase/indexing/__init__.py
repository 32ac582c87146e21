"""From a folder to a searchable index: walk, read, mask, parse, embed, store; and keeping it so."""
