"""The composition root: settings become a PostgreSQL, pools, rooms and one boundary."""

from undercroft.app.app import App, open_app

__all__ = ["App", "open_app"]
