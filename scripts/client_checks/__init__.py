"""Foreign clients against Undercroft: MCP Inspector, the conformance suite, Claude Code."""
