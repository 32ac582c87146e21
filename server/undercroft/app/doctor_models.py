"""What doctor says of embedding models: whether each answers, and what each project has chosen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from undercroft.app.finding import Finding
from undercroft.codebase.choice import SETTING, Models
from undercroft.errors import UndercroftError
from undercroft.offers import BUILTIN
from undercroft.settings import variable

if TYPE_CHECKING:
    from undercroft.offers import EmbeddingOffer
    from undercroft.settings import Settings

PATIENCE = 30.0
"""Seconds for one model; one that is loaded for the first time takes a while."""


async def examine_models(settings: Settings) -> AsyncIterator[Finding]:
    """Ask every model that is offered."""
    offered = [BUILTIN, *(offer.name for offer in settings.embedding_models)]
    if settings.embedding not in offered:
        yield Finding(
            what="embedding model",
            verdict="wrong",
            says=f"{settings.embedding}, the default, is not among {', '.join(offered)}",
            mend=f"Correct {variable('embedding')} or {variable('embedding_models')}.",
        )
    models = Models.of(settings)
    try:
        for offer in settings.embedding_models:
            yield await _of_model(models, offer)
            if offer.key:
                yield _of_key(settings, offer)
    finally:
        await models.close()


async def _of_model(models: Models, offer: EmbeddingOffer) -> Finding:
    what = f"embedding model {offer.name}"
    try:
        async with asyncio.timeout(PATIENCE):
            vector = await models.named(offer.name).query("where is a stale lease refused?")
    except UndercroftError as error:
        return Finding(what=what, verdict="wrong", says=error.message, mend=error.hint)
    except TimeoutError:
        return Finding(what=what, verdict="wrong", says="does not answer", mend="See that it runs.")
    return Finding(what=what, verdict="ok", says=f"answers with {len(vector)} numbers")


def _of_key(settings: Settings, offer: EmbeddingOffer) -> Finding:
    own = offer.key == variable("embedding_key")
    given = bool(settings.embedding_key if own else os.environ.get(offer.key))
    bare = given and offer.url.startswith("http:")
    return Finding(
        what=f"key of {offer.name}",
        verdict="ok" if given else "warning",
        says=f"{offer.key} is {'set' if given else 'not set'}"
        f"{', and is sent without TLS' if bare else ''}",
        mend="" if given else f"Set {offer.key} where the server is started.",
    )


def of_choice(settings: Settings, project: Mapping[str, Any]) -> Iterator[Finding]:
    """Of a project that has chosen what is not offered."""
    chosen = project["settings"].get(SETTING, BUILTIN)
    if chosen not in (BUILTIN, *(offer.name for offer in settings.embedding_models)):
        yield Finding(
            what=f"project {project['name']}",
            verdict="warning",
            says=f"chooses the embedding model {str(chosen)[:60]!r}, which is not offered",
            mend=f"update_project changes its settings; {variable('embedding_models')} offers it.",
        )
