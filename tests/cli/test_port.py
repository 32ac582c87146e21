"""`undercroft port` and `undercroft ports`, as a script and a person use them."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from undercroft.app import App

from .test_tools import Run, cli

__all__ = ["cli"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folder that the commands run in is a checkout."""
    (tmp_path / ".git").mkdir()
    return tmp_path


def test_a_script_gets_a_number_and_the_same_one_again(cli: Run, checkout: Path) -> None:
    first = cli("port", "web")
    assert first.returncode == 0, first.stderr
    port = int(first.stdout)
    assert 20_000 <= port < 30_000
    several = cli("port", "web", "db", "--env")
    assert several.stdout.splitlines()[0] == f"WEB_PORT={port}"
    assert several.stdout.splitlines()[1].startswith("DB_PORT=2")
    assert json.loads(cli("port", "web", "--json").stdout)["ports"] == {"web": port}
    assert cli("port", "web", "db", "--release").returncode == 0
    gone = cli("port", "web", "--release")
    assert (gone.returncode, "no such port" in gone.stderr) == (3, True)


def test_a_person_sees_what_is_alive(cli: Run, checkout: Path) -> None:
    assert "No port is anybody's" in cli("ports").stdout
    port = int(cli("port", "web", "--preferred", "15700").stdout)
    assert port == 15_700
    with socket.create_server(("127.0.0.1", port)):
        [seen] = json.loads(cli("ports", "--json").stdout)["ports"]
        shown = cli("ports").stdout
    assert (seen["port"], seen["state"], seen["service"]) == (port, "listening", "web")
    assert seen["worktree"] == str(checkout)
    assert "15700" in shown
    assert "listening" in shown
    told = cli("ports", "--reclaim").stdout
    assert "taken back" not in told
    assert "15700" in told


def test_what_cannot_be_is_said_with_its_exit_status(cli: Run, checkout: Path) -> None:
    bad = cli("port", "no such name")
    assert bad.returncode == 2
    assert "1 to 64 characters" in bad.stderr
    unknown = cli("port", "web", "--range", "nowhere")
    assert unknown.returncode == 3
    assert "list_port_ranges" in unknown.stderr


def test_a_linked_worktree_has_the_project_of_its_main_checkout_and_ports_of_its_own(
    cli: Run, main_and_linked: list[Path]
) -> None:
    main, linked = main_and_linked
    ports = {int(cli("port", "web", folder=folder).stdout) for folder in (linked, main)}
    assert len(ports) == 2
    seen = json.loads(cli("ports", "--json").stdout)["ports"]
    mine = {one["worktree"]: one["project"] for one in seen if one["port"] in ports}
    assert mine == {str(main): main.name, str(linked): main.name}


async def test_what_nobody_foresaw_tells_no_row_and_no_place(
    cli: Run, checkout: Path, app: App, connect: Any
) -> None:
    await app.ground()
    # A trigger of somebody's own, with an error that we know nothing of.
    admin = await connect(app.settings.registry_database)
    owner = "SELECT relowner::regrole FROM pg_class WHERE oid = 'public.port_allocations'::regclass"
    await admin.execute(f"SET ROLE {await admin.fetchval(owner)}")
    await admin.execute(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'row: %', NEW USING ERRCODE = 'ZZ999'; END $$"
    )
    await admin.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON public.port_allocations "
        "FOR EACH ROW EXECUTE FUNCTION public.refuse()"
    )
    failed = await asyncio.to_thread(cli, "port", "web")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "this should not have happened" in failed.stderr
    assert "Traceback" not in failed.stderr
    told = await asyncio.to_thread(cli, "--log-level", "debug", "port", "web")
    assert told.returncode == 1
    assert "cli/port.py" in told.stderr
    for one in (failed, told):
        assert "row:" not in one.stderr
        assert str(checkout) not in one.stderr


def test_several_services_are_named_in_one_call(cli: Run, checkout: Path) -> None:
    assert cli("port", "web").returncode == 0
    done = cli("call", "allocate_port", 'service=["web","db"]', "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["ports"]) == {"web", "db"}
    one = cli("call", "allocate_port", "service=web", "--json")
    assert set(json.loads(one.stdout)["ports"]) == {"web"}
