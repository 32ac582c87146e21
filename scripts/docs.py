"""Write the generated tables of README.md: `docs.py`, or `docs.py --check` to compare only."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from undercroft.app.app import TOOLSETS
from undercroft.cli.main import make_parser
from undercroft.settings import Settings, fields, variable

README = Path(__file__).resolve().parents[1] / "README.md"


def tools() -> Iterator[str]:
    """Every tool with its toolset, whether it writes, and the first sentence of its description."""
    yield "| tool | toolset | | what it does |"
    yield "|---|---|---|---|"
    for tool in (tool for toolset in TOOLSETS for tool in toolset.tools):
        kind = "deletes" if tool.destructive else "writes" if tool.writes else "reads"
        sentence = tool.description.partition(". ")[0].partition("; ")[0].rstrip(".")
        cell = sentence.replace("|", "\\|")
        yield f"| `{tool.name}` | {tool.toolset} | {kind} | {cell} |"


def settings() -> Iterator[str]:
    """Every setting with its variable, default and meaning."""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for field in fields():
        yield f"| `{variable(field.name)}` | {_default(field.name)} | {field.metadata['help']} |"


_OF_THE_USER = {"home": "the user's data folder", "key_folder": "the user's configuration folder"}


def _default(name: str) -> str:
    if name in _OF_THE_USER:
        return _OF_THE_USER[name]
    value = getattr(Settings(home=Path()), name)
    if value in ("", ()):
        return ""
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def commands() -> Iterator[str]:
    """Every command with its line of help; commands of commands too."""
    yield "| command | what it does |"
    yield "|---|---|"
    for name, parser, text in _children(make_parser()):
        nested = list(_children(parser))
        if not nested:
            yield f"| `undercroft {name}` | {text} |"
        for verb, _, what in nested:
            yield f"| `undercroft {name} {verb}` | {what} |"


def _children(
    parser: argparse.ArgumentParser,
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:  # noqa: SLF001 - argparse tells its commands nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            texts = {choice.dest: choice.help for choice in action._choices_actions}  # noqa: SLF001
            for name, child in action.choices.items():
                yield name, child, texts[name] or ""


def fresh(text: str) -> str:
    """The README with its tables written anew."""
    for name, table in (("tools", tools), ("commands", commands), ("settings", settings)):
        begin, end = f"<!-- {name}, written by scripts/docs -->\n", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        lines = "".join(f"{line}\n" for line in table())
        text = f"{before}{begin}\n{lines}\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write or compare; 1 where the file was stale."""
    before = README.read_text("utf-8")
    after = fresh(before)
    if "--check" in arguments:
        return int(before != after)
    README.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
