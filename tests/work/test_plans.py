"""Hot statements keep to their indexes, however many items there are."""

from __future__ import annotations

import re
from typing import Any

import asyncpg
import pytest

from undercroft.work.claims import SQL as CLAIMS
from undercroft.work.ready import SQL as READY
from undercroft.work.store import SQL as ITEMS
from undercroft.work.transfer import SQL as TRANSFER
from undercroft.work.tree import SQL as TREE

FILL = """
INSERT INTO workflow.work_items (id, order_key, kind, title, priority)
SELECT 'w-fill' || n, n, 'task', 'Item ' || n, n % 5 FROM generate_series(1, 4000) AS n"""
BENEATH = """
INSERT INTO workflow.work_items (id, parent_id, order_key, kind, title)
SELECT 'w-leaf' || n, 'w-fill' || (n % 100 + 1), n, 'step', 'Leaf ' || n
FROM generate_series(1, 2000) AS n"""
LINKS = """
INSERT INTO workflow.work_links (source_id, type, target_id)
SELECT 'w-fill' || n, 'blocks', 'w-fill' || (n + 2000) FROM generate_series(1, 1000) AS n"""

HOT: dict[str, tuple[str, tuple[Any, ...], set[str]]] = {
    "ready": (
        READY.list_ready.text,
        ([], [], "", None, 10),
        {"idx_work_items_ready", "idx_work_items_open_children", "work_links_key"},
    ),
    "claim": (
        CLAIMS.claim_best.text,
        ("ada", 900.0, [], [], None, "test"),
        {"idx_work_items_ready", "idx_work_items_open_children", "work_items_pkey"},
    ),
    "insert": (ITEMS.insert_item.text, (None, '{"title": "x"}', "test"), {"work_siblings_order"}),
    "update": (ITEMS.update_item.text, ("w-fill1", "{}", 1, 0, "test"), {"work_items_pkey"}),
    "finish": (
        ITEMS.finish_item.text,
        ("w-fill1", 0, "", "", "test"),
        {"work_items_pkey", "work_links_key"},
    ),
    "plan": (
        TREE.read_plan.text,
        ("w-fill1", 8_000, False, 100, 0, 100),
        {"work_items_pkey", "work_siblings_order"},
    ),
}


WHOLE = """
INSERT INTO workflow.work_items (id, parent_id, order_key, kind, title, status)
SELECT 'w-tree' || n,
       CASE WHEN n > 500 THEN 'w-tree' || (n % 500 + 1) WHEN n > 0 THEN 'w-tree0' END,
       n, 'task', 'Item ' || n, 'completed'
FROM generate_series(0, 5000) AS n"""
TREES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "plan": (TREE.read_plan.text, ("w-tree0", 8_000, False, 100, 0, 100)),
    "beneath": (READY.list_beneath.text, ("w-tree0",)),
    "archive": (ITEMS.archive_item.text, ("w-tree0", True, "test")),
    "export": (TRANSFER.export_lines.text, ()),
}


async def test_a_tree_is_walked_by_its_index_as_soon_as_it_is_made(
    sql: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    # A plan in one call: PostgreSQL knows nothing of it yet.
    await owner.execute("ALTER TABLE workflow.work_items SET (autovacuum_enabled = off)")
    await sql.execute(WHOLE)
    for name, (text, arguments) in TREES.items():
        rows = await sql.fetch(f"EXPLAIN (ANALYZE, COSTS OFF, FORMAT TEXT) {text}", *arguments)
        plan = "\n".join(row[0] for row in rows)
        removed = [int(n) for n in re.findall(r"Rows Removed by (?:Join )?Filter: (\d+)", plan)]
        assert max(removed, default=0) < 10_000, f"{name}:\n{plan}"
        assert "idx_work_items_updated_at" not in plan, f"{name}:\n{plan}"


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_hot_statements_read_only_what_they_need(
    sql: asyncpg.Connection, owner: asyncpg.Connection, mode: str
) -> None:
    for statement in (FILL, BENEATH, LINKS):
        await sql.execute(statement)
    await owner.execute("ANALYZE workflow.work_items, workflow.work_links")
    await sql.execute(f"SET plan_cache_mode = {mode}")
    for name, (text, arguments, indexes) in HOT.items():
        plan = "\n".join(row[0] for row in await sql.fetch(f"EXPLAIN {text}", *arguments))
        assert all(index in plan for index in indexes), f"{name}:\n{plan}"
        assert "Seq Scan on work_items" not in plan, f"{name}:\n{plan}"
        assert "Seq Scan on work_links" not in plan, f"{name}:\n{plan}"
