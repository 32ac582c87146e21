"""A transcript for people: what was called, what came back, how long it took."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

LONGEST = 60
"""Characters of a text that are shown."""
ITEMS = 3
"""A longer list shows its first item."""
MEMBERS = 5
"""A larger object inside another shows so many."""


class Transcript:
    """Prints the steps; plain where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence."""
        self._console.print(Text(text, style=style))

    def step(self, title: str) -> None:
        """Begin a numbered step."""
        self._steps += 1
        self._console.print()
        self._console.print(Text(f"{self._steps}. {title}", style="bold"))

    def call(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Show a call as an agent makes it."""
        words = " ".join(f"{name}={_brief(value)}" for name, value in arguments.items())
        self._console.print(Text.assemble("   → ", (tool, "cyan"), " ", words))

    def answer(self, body: Mapping[str, Any], *, refused: bool, seconds: float) -> None:
        """Show what came back, shortened."""
        took = (f"  {seconds * 1000:.1f} ms", "dim")
        if refused:
            words = f"{body['code']}: {body['message']} {body.get('hint', '')}"
            self._console.print(Text.assemble(("   ✗ ", "yellow"), words, took))
        else:
            self._console.print(Text.assemble(("   ← ", "green"), _brief(body), took))

    def truth(self, text: str) -> None:
        """State what a step has shown, once it has been checked."""
        self._console.print(Text.assemble("   ", ("✓", "bold green"), f" {text}"))

    @contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while something long runs; nothing where there is no terminal."""
        columns = (
            TextColumn("   {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        shown = self._console.is_terminal
        with Progress(*columns, console=self._console, disable=not shown) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.update(task, advance=count)


def _brief(value: Any) -> str:
    return json.dumps(shortened(value), ensure_ascii=False)


def shortened(value: Any, depth: int = 0) -> Any:
    """The same, with long texts cut and long lists and objects counted."""
    if isinstance(value, str) and len(value) > LONGEST:
        return value[: LONGEST - 1] + "…"
    if isinstance(value, Mapping):
        shown = len(value) if depth == 0 or len(value) <= MEMBERS else MEMBERS
        items = {name: shortened(value[name], depth + 1) for name in list(value)[:shown]}
        return items | ({"…": f"{len(value) - shown} more"} if shown < len(value) else {})
    if isinstance(value, list | tuple):
        shown = len(value) if len(value) <= ITEMS else 1
        parts = [shortened(item, depth + 1) for item in value[:shown]]
        return parts + [f"… {len(value) - shown} more"] * (shown < len(value))
    return value
