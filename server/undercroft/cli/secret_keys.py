"""`undercroft secret rotate-key`: other keys for the same values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undercroft.cli.secret_room import opened, say

if TYPE_CHECKING:
    import argparse

    from undercroft.secrets.models import Rotated
    from undercroft.settings import Settings


def add_verbs(verbs: Any) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "rotate-key",
        help="encrypt this project's values under a new key, or wrap all projects' keys anew",
        description="Values stay readable all the while. A rotation that was cut off goes on when "
        "it is run again.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data", action="store_true", help="this project's data key (the default)")
    which.add_argument(
        "--master", action="store_true", help="the key that wraps the data keys of all projects"
    )
    parser.add_argument("--json", action="store_true", help="for a program")
    parser.set_defaults(run=run_rotate_key)


async def run_rotate_key(args: argparse.Namespace, settings: Settings) -> int:
    """Rotate; exit status 1 where something is still as it was."""
    async with opened(settings) as room:
        if args.master:
            rotated = await room.app.rotate_master_key()
        else:
            rotated = await room.secrets.rotate_data_key()
    say(args, rotated, _sentence(rotated, master=args.master))
    return 1 if rotated.left or rotated.damaged or rotated.older else 0


def _sentence(rotated: Rotated, *, master: bool) -> str:
    what = "data keys are wrapped" if master else "values are encrypted"
    told = f"{rotated.moved} {what} anew; the key is {rotated.key[:8]} now."
    if rotated.left:
        told += f"\n{rotated.left} projects could not be reached: run it again."
    if rotated.damaged:
        told += f"\n{rotated.damaged} do not decrypt, nor did before: restore them from a backup."
    if rotated.older:
        older = ", ".join(key[:8] for key in rotated.older)
        told += f"\nProjects still need older keys ({older}): do not remove them."
    if master:
        told += "\nKeep the older key as long as you keep backups that were made before."
    return told
