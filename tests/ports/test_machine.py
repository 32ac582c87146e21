"""A machine is known by what does not change, and told by nothing that it should not tell."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from undercroft.ports import machine, probe
from undercroft.ports.machine import this_machine


def test_the_identity_is_the_systems_and_does_not_show_it(tmp_path: Path) -> None:
    first = this_machine(tmp_path / "a")
    assert this_machine(tmp_path / "b").id == first.id or not machine._system_id()
    assert len(first.id) == 32
    assert machine._system_id() not in first.id or not machine._system_id()
    assert first.name == socket.gethostname()


def test_without_an_identity_of_the_system_one_is_written_down_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_SYSTEM_IDS", (tmp_path / "none",))
    home = tmp_path / "home"
    with ThreadPoolExecutor(8) as pool:
        found = {one.id for one in pool.map(lambda _: this_machine(home), range(32))}
    assert len(found) == 1
    assert this_machine(tmp_path / "other").id not in found
    assert [path.name for path in home.iterdir()] == ["machine-id"]


def test_where_nothing_can_be_written_the_name_must_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_SYSTEM_IDS", ())
    (tmp_path / "file").write_text("")
    first = this_machine(tmp_path / "file" / "home")
    assert this_machine(tmp_path / "file").id == first.id


def test_an_operator_may_name_it(tmp_path: Path) -> None:
    assert this_machine(tmp_path, "build-7").id == "build-7"
    assert not list(tmp_path.iterdir())


def test_the_kernels_own_ports_are_known(tmp_path: Path) -> None:
    first, after = this_machine(tmp_path).ephemeral
    assert 1024 <= first < after <= 65536


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - as many servers do
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_whatever_way_a_port_is_taken_it_is_seen(listen, family, address, kind) -> None:
    port = 15_500
    assert probe.is_free(port)
    with listen(port, family, kind, address):
        assert not probe.is_free(port)
    assert probe.is_free(port)


def test_a_connection_that_has_ended_is_no_reason_against_a_port(listen) -> None:
    with (
        listen(15_501, reuse=True) as server,
        socket.create_connection(("127.0.0.1", 15_501)) as client,
    ):
        accepted, _ = server.accept()
        # Who closes first is left waiting (TIME_WAIT, RFC 9293).
        accepted.close()
        client.recv(1)
    assert probe.is_free(15_501)
