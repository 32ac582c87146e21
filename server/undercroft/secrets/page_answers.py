"""What a one-time page answers to a request, and from whom it takes one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import structlog

from undercroft.errors import UndercroftError
from undercroft.secrets.page_forms import ACTION, DECLINE, HEADERS, STORE, VALUE, form, message
from undercroft.secrets.page_http import Refused, Request, response

if TYPE_CHECKING:
    from undercroft.secrets.pages import Page

OVER = "This page has been used, or its time is over. Ask for a new one if you need it."

log = structlog.get_logger("undercroft.pages")


async def answer(request: Request, port: int, find: Callable[[str], Page | None]) -> bytes:
    """The answer of the server at that port; `find` knows the page of a token.

    Raises:
        Refused: It is no request of a person with this page's form before them.

    """
    _refuse_strangers(request, port)
    page = find(request.path.removeprefix("/"))
    if page is None:
        return _plain(HTTPStatus.NOT_FOUND, "There is no such page.")
    if request.method not in ("GET", "POST"):
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    if page.ended.done():
        return _plain(HTTPStatus.GONE, OVER)
    return _form(page) if request.method == "GET" else await _take(page, request)


def refuse(status: HTTPStatus) -> bytes:
    """The answer to what is no request of ours."""
    return _plain(status, "This is no request that this page takes.")


def _refuse_strangers(request: Request, port: int) -> None:
    """Refuse what another page has the browser send, under whatever name it knows us by."""
    own = f"127.0.0.1:{port}"
    given = request.headers
    if given.get("host", "") != own:
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST)
    if given.get("origin", f"http://{own}") != f"http://{own}":
        raise Refused(HTTPStatus.FORBIDDEN)
    if given.get("sec-fetch-dest", "document") != "document":
        raise Refused(HTTPStatus.FORBIDDEN)
    # A link from elsewhere may lead here; a form from elsewhere may not.
    site = given.get("sec-fetch-site", "same-origin")
    if request.method != "GET" and site not in ("same-origin", "none"):
        raise Refused(HTTPStatus.FORBIDDEN)


async def _take(page: Page, request: Request) -> bytes:
    action, value = _fields(request)
    if action == STORE:
        return await _store(page, value) if value else _form(page, "Nothing was entered.")
    if action != DECLINE:
        raise Refused(HTTPStatus.BAD_REQUEST)
    if not await page.decline():
        return _plain(HTTPStatus.GONE, OVER)
    return _plain(HTTPStatus.OK, "Nothing was stored. You can close this page.", "Declined")


async def _store(page: Page, value: str) -> bytes:
    try:
        # Whoever closes the connection now has sent it all the same.
        taken = await asyncio.shield(page.take(value))
    except UndercroftError as error:
        return _form(page, error.message)
    except Exception as error:  # noqa: BLE001 - a person waits for an answer
        # Without its text and its trace: either may hold the value.
        log.error("secret_not_stored", error=type(error).__name__)  # noqa: TRY400 - as said
        return _form(page, "It could not be stored. The server's log says more.")
    if not taken:
        return _plain(HTTPStatus.GONE, OVER)
    return _plain(HTTPStatus.OK, "The secret is stored. You can close this page.", "Stored")


def _fields(request: Request) -> tuple[str, str]:
    """What the form's button and field say."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        fields = parse_qs(
            request.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=4,
        )
    except ValueError:
        raise Refused(HTTPStatus.BAD_REQUEST) from None
    # A form writes each line's end as CRLF; the one that pasting leaves at the end is no part.
    value = fields.get(VALUE, [""])[0].replace("\r\n", "\n").removesuffix("\n")
    return fields.get(ACTION, [""])[0], value


def _form(page: Page, wrong: str = "") -> bytes:
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    return response(status, form(page.inquiry, page.minutes_left, wrong), HEADERS)


def _plain(status: HTTPStatus, text: str, title: str = "") -> bytes:
    return response(status, message(title or status.phrase, text), HEADERS)
