"""A new pair of files for a line."""

import re
from pathlib import Path

from undercroft.db.migrate.files import load_line, migrations_root
from undercroft.errors import InvalidInput

_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}$")
_UP = """\
-- {title}: what it is for, in a sentence.
-- Headers, where needed, stand above that sentence: see docs of `undercroft migrate`.

"""
_DOWN = """\
-- Takes {title} back; say here what data is lost. No way back? `-- irreversible: reason`.

"""


def new_pair(line: str, name: str, root: Path | None = None) -> tuple[Path, Path]:
    """Write `NNNN_name.up.sql` and `.down.sql` with the next free number.

    Raises:
        InvalidInput: The name is no name, or the line itself is not in order.
        NotFound: There is no such line.

    """
    if not _NAME.match(name):
        raise InvalidInput(
            f"{name!r} is no name for a migration.",
            hint="Use a-z, 0-9 and _, for example add_due_dates.",
        )
    folder = (root or migrations_root()) / line
    stem = f"{load_line(line, root).latest + 1:04}_{name}"
    title = name.replace("_", " ").capitalize()
    pair = folder / f"{stem}.up.sql", folder / f"{stem}.down.sql"
    for path, template in zip(pair, (_UP, _DOWN), strict=True):
        with path.open("x", encoding="utf-8") as file:
            file.write(template.format(title=title))
    return pair
