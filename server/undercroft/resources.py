"""The folders of SQL and JSON that belong to the product."""

from pathlib import Path
from typing import Literal

from undercroft.errors import NotFound


def resources(kind: Literal["migrations", "schemas"]) -> Path:
    """The folder of that name: inside the installed package, else beside it in a checkout.

    Raises:
        NotFound: The installation is not whole.

    """
    package = Path(__file__).resolve().parent
    checkout = package.parents[1]
    if (package / kind).is_dir():
        return package / kind
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    raise NotFound(
        f"This installation of Undercroft lacks its {kind}.", hint="Install the package again."
    )
