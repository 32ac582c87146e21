"""Programs from npm, at the versions that these checks were written for."""

from __future__ import annotations

from client_checks.frame import Bench, last_words, output_of

NODE = "node@22"
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
CONFORMANCE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
CLAUDE = "@anthropic-ai/claude-code@2.1.330"


async def with_package(bench: Bench, package: str) -> dict[str, str]:
    """An environment whose PATH leads to the package's programs and to a Node.js that runs them.

    Raises:
        RuntimeError: npx cannot set it up.

    """
    command = ["npx", "-y", "-p", NODE, "-p", package, "-c", 'printf "%s" "$PATH"']
    status, path, said = await output_of(command, bench.environment, bench.folder)
    if status or not path:
        raise RuntimeError(f"npx cannot set up {package}: {last_words(said)}")
    return bench.environment | {"PATH": path}
