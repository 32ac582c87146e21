"""The MCP road: tools, the boundary that every call passes, and the transports."""
