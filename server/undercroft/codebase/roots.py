"""Which folders may be indexed, and so be read by everyone who can search.

An agent over stdio runs as the person whose files they are, so any folder will do. Over HTTP the
files are the server's, and a caller who could name any folder would read them all: there the
operator names the folders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from undercroft.errors import Forbidden, InvalidInput


@dataclass(frozen=True, kw_only=True)
class Roots:
    """Folders with all that lies below them."""

    folders: tuple[Path, ...] | None = None
    """None: any."""

    @classmethod
    def named(cls, text: str, *, local: bool) -> Self:
        """From the setting; `local`: whether an empty one means any folder, or none."""
        names = [name.strip() for name in text.split(",")]
        folders = tuple(Path(name).expanduser().resolve() for name in names if name)
        return cls(folders=None if local and not folders else folders)

    def checked(self, path: Path) -> Path:
        """The folder itself, links followed. It blocks: ask in a thread.

        Raises:
            Forbidden: It lies in none of them; whether it exists is not told.
            InvalidInput: There is no such folder.

        """
        try:
            folder = path.expanduser().resolve()
            exists = folder.is_dir()
        except (OSError, RuntimeError, ValueError):
            # Too long, a loop of links, a home of nobody, a zero byte.
            folder, exists = path, False
        if not self._has(folder):
            raise Forbidden(
                "This server does not index that folder.",
                hint="Its operator names the folders in UNDERCROFT_INDEX_ROOTS.",
            )
        if not exists:
            raise InvalidInput(
                f"There is no folder {path.name[:200]!r} to index.",
                hint="Give the path of an existing folder.",
            )
        return folder

    def _has(self, folder: Path) -> bool:
        return self.folders is None or any(folder.is_relative_to(one) for one in self.folders)
