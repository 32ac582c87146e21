"""A child process with secrets and ports: what it says is shown without the secrets."""
