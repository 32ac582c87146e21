"""Makes the weights of the built-in embedding model again: `scripts/train-embedding`."""
