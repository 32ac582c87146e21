"""Every command explains itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from undercroft.cli.main import COMMANDS, make_parser, run


def parsers(
    parser: argparse.ArgumentParser, name: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, child in action.choices.items():
                yield from parsers(child, (*name, word))


EVERY = dict(parsers(make_parser()))


@pytest.mark.parametrize("name", EVERY, ids=" ".join)
def test_help_is_there_for_every_command(
    name: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run([*name, "--help"])
    assert ended.value.code == 0
    assert f"undercroft {' '.join(name)}".strip() in capsys.readouterr().out


@pytest.mark.parametrize("name", EVERY, ids=" ".join)
def test_every_flag_and_command_has_its_line_of_help(name: tuple[str, ...]) -> None:
    for action in EVERY[name]._actions:
        if isinstance(action, argparse._SubParsersAction):
            helped = {choice.dest for choice in action._choices_actions if choice.help}
            assert helped == set(action.choices)
        elif action.option_strings:
            assert action.help, action.option_strings


def test_every_command_that_leads_nowhere_else_can_be_run() -> None:
    for name, parser in EVERY.items():
        leads_on = any(isinstance(a, argparse._SubParsersAction) for a in parser._actions)
        assert leads_on or callable(parser.get_default("run")), name


def test_every_command_is_declared() -> None:
    assert {name[0] for name in EVERY if name} == set(COMMANDS)


def test_settings_may_stand_on_either_side_of_serve() -> None:
    parser = make_parser()
    assert parser.parse_args(["--port", "1", "serve"]).port == "1"
    assert parser.parse_args(["serve", "--port", "1"]).port == "1"
    assert parser.parse_args(["--port", "1", "serve", "--host", "::1"]).port == "1"
