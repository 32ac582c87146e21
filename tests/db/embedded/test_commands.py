"""`undercroft postgres …` as a person types it."""

import argparse
import asyncio
import json
from pathlib import Path

import pytest

from undercroft.cli.postgres import add_parser
from undercroft.errors import Conflict, InvalidInput
from undercroft.settings import Settings

from .conftest import Spawn


async def run(home: Path, *words: str, database_url: str = "") -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["postgres", *words])
    settings = Settings(home=home, registry_database="postgres", database_url=database_url)
    return int(await args.run(args, settings))


async def test_start_keeps_it_and_stop_ends_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(home, "status") == 3
    assert "not running" in capsys.readouterr().out
    assert await run(home, "start") == 0
    assert await run(home, "status") == 0
    assert "kept" in capsys.readouterr().out
    assert await run(home, "stop") == 0
    assert await run(home, "stop") == 0
    assert "was not running" in capsys.readouterr().out
    assert await run(home, "status") == 3


async def test_status_tells_a_program_everything(
    spawn: Spawn, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user = spawn(home)
    pid = user.said()["pid"]
    assert await run(home, "status", "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["running"]
    assert status["accepting"]
    assert status["pid"] == pid
    assert status["version"].startswith("18.")
    assert status["size"] > 10_000_000
    assert not status["kept"]
    assert status["socket"] == str(home / "postgres" / "run")
    assert len(status["users"]) == 1
    user.leave()


async def test_stop_refuses_while_others_use_it_unless_forced(spawn: Spawn, home: Path) -> None:
    user = spawn(home)
    user.said()
    with pytest.raises(Conflict) as caught:
        await run(home, "stop")
    assert "--force" in caught.value.hint
    assert await run(home, "stop", "--force") == 0
    user.leave()


async def test_psql_starts_it_passes_every_word_on_and_leaves_it_stopped(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    assert await run(home, "psql", "-At", "-c", "select current_user, 'a  b'") == 0
    assert capfd.readouterr().out == "undercroft|a  b\n"
    assert await run(home, "psql", "-v", "ON_ERROR_STOP=1", "-c", "nonsense") == 1
    assert await run(home, "psql", "--project", "absent", "-c", "select 1") == 2
    assert 'database "project_absent" does not exist' in capfd.readouterr().err
    assert await run(home, "status") == 3


async def test_logs_shows_the_end_and_follows_into_the_next_file(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run(home, "psql", "-c", "select 1") == 0
    capsys.readouterr()
    assert await run(home, "logs", "-n", "1") == 0
    assert capsys.readouterr().out.endswith("database system is shut down\n")
    following = asyncio.create_task(run(home, "logs", "-n", "1", "-f"))
    async with asyncio.timeout(60):
        await until_said(capsys, "database system is shut down")
        await run(home, "start")
        await until_said(capsys, "ready to accept connections")
    following.cancel()


async def until_said(capsys: pytest.CaptureFixture[str], words: str) -> None:
    said = ""
    while words not in said:
        await asyncio.sleep(0.01)
        said += capsys.readouterr().out


async def test_an_external_server_is_not_ours_to_stop(home: Path) -> None:
    with pytest.raises(InvalidInput, match="external"):
        await run(home, "stop", database_url="postgresql://somewhere/db")


async def test_an_unknown_word_is_refused_where_it_has_no_meaning(home: Path) -> None:
    with pytest.raises(SystemExit):
        await run(home, "status", "--nonsense")
