"""What a person sees of a one-time page: plain HTML that needs no script and loads nothing.

The field is a text area that a style sheet masks: a password field would drop the line breaks of
a private key, and could not be revealed without a script. It is never spell-checked, since some
browsers send what they check elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape

VALUE, ACTION, STORE, DECLINE = "value", "action", "store", "decline"
"""Names and values of the form's fields."""


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What a person is asked for."""

    name: str
    """The secret's name."""
    project: str
    asker: str
    """The client behind the tool call, as it calls itself."""
    note: str = ""
    """What the asker says that it is for."""


STYLE = """\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:34rem;margin:10vh auto;padding:0 1.5rem}
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem}
dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}
textarea{width:100%;box-sizing:border-box;min-height:6rem;font:1rem ui-monospace,monospace;\
margin:.5rem 0}
#reveal:not(:checked)~textarea{-webkit-text-security:disc}
button{font:inherit;padding:.5rem 1.25rem;margin-right:.5rem}
.wrong{border-left:4px solid #c33;padding-left:.75rem}
small{opacity:.7}\
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

HEADERS = {
    "Cache-Control": "no-store",
    # Not no-referrer: browsers then send a form's Origin as "null", which could not be checked.
    # The page links nowhere, and to another origin this sends as little.
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""


def form(inquiry: Inquiry, minutes: int, wrong: str = "") -> str:
    """The page with the form; `wrong` says why what was sent before was not taken."""
    facts = [("Secret", inquiry.name), ("Project", inquiry.project), ("Asked by", inquiry.asker)]
    facts += [("It says", inquiry.note)] if inquiry.note else []
    listed = "".join(f"<dt>{label}</dt><dd>{escape(fact)}</dd>" for label, fact in facts)
    complaint = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return _page(
        "A secret is asked for",
        f"<dl>{listed}</dl>{complaint}"
        '<form method="post" autocomplete="off">'
        '<input type="checkbox" id="reveal"> <label for="reveal">Show what I type</label>'
        f'<textarea name="{VALUE}" aria-label="Value of the secret" autofocus spellcheck="false"'
        ' autocomplete="off" autocapitalize="off" autocorrect="off"></textarea>'
        f'<button name="{ACTION}" value="{STORE}">Store</button>'
        f'<button name="{ACTION}" value="{DECLINE}">Decline</button></form>'
        "<p><small>It goes to Undercroft on this machine, which encrypts it. Neither the"
        " conversation nor the agent sees it. This page works once, for about"
        f" {minutes} minutes.</small></p>",
    )


def message(title: str, text: str) -> str:
    """A page that says one thing."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} - Undercroft</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
