"""The shapes of well-known services' tokens."""

from __future__ import annotations

import re

from undercroft.codebase.masking.doubt import opaque, scattered, scrambled, varied

Place = tuple[int, int, str]

_SHAPES = (
    ("aws-access-key", rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"),
    ("github-token", rb"gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}"),
    (
        "gitlab-token",
        rb"gl(?:pat|ptt|dt|rt|cbt|ft|imt|soat|agent|oas)-[\w-]{20,300}(?:\.[\w-]{2,20}){0,3}",
    ),
    ("gitlab-token", rb"GR1348941[\w-]{20,50}"),
    ("slack-token", rb"xox[abeoprs](?:\.xox[bp])?-[\w-]{16,300}|xapp-\d-[\w-]{20,300}"),
    ("stripe-key", rb"(?:sk|rk)_(?:live|test|prod)_[A-Za-z0-9]{16,255}|whsec_[A-Za-z0-9]{24,100}"),
    ("anthropic-key", rb"sk-ant-[\w-]{20,300}"),
    ("openai-key", rb"sk-(?:proj|svcacct|admin|or-v1|None)-[\w-]{20,300}|sk-[A-Za-z0-9]{32,100}"),
    ("google-api-key", rb"AIza[\w-]{35}"),
    ("google-oauth", rb"GOCSPX-[\w-]{20,60}|ya29\.[\w-]{20,500}"),
    ("npm-token", rb"npm_[A-Za-z0-9]{36,60}"),
    ("pypi-token", rb"pypi-[\w-]{50,500}"),
    ("jwt", rb"ey[JI][\w-]{10,2000}\.[\w-]{8,8000}\.[\w-]{8,2000}(?:\.[\w-]{8,8000}){0,2}"),
    ("sendgrid-key", rb"SG\.[\w-]{16,32}\.[\w-]{16,64}"),
    ("twilio-key", rb"SK[0-9a-f]{32}"),
    ("mailgun-key", rb"key-[0-9a-f]{32}"),
    ("huggingface-token", rb"hf_[A-Za-z0-9]{30,60}"),
    ("digitalocean-token", rb"do[opr]_v1_[a-f0-9]{64}"),
    ("shopify-token", rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("square-token", rb"sq0(?:atp|csp|idp)-[\w-]{22,60}|EAAA[\w-]{56,100}"),
    ("linear-key", rb"lin_(?:api|oauth)_[A-Za-z0-9]{32,80}"),
    ("databricks-token", rb"dapi[a-f0-9]{32}(?:-\d)?"),
    ("vault-token", rb"hv[sbr]\.[\w-]{24,300}"),
    ("age-key", rb"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("rubygems-key", rb"rubygems_[a-f0-9]{48}"),
    ("postman-key", rb"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    ("newrelic-key", rb"NRAK-[A-Z0-9]{27}|NRJS-[a-f0-9]{19}"),
    ("grafana-token", rb"gl(?:sa|c)_[A-Za-z0-9_]{32,200}"),
    ("figma-token", rb"figd_[\w-]{40,60}"),
    ("notion-token", rb"ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43}"),
    ("planetscale-token", rb"pscale_(?:tkn|oauth|pw)_[\w.-]{32,64}"),
    ("doppler-token", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,60}"),
    ("docker-token", rb"dckr_(?:pat|oat)_[\w-]{27,40}"),
    ("atlassian-token", rb"ATATT3[\w-]{60,300}|ATBB[A-Za-z0-9]{28,60}"),
    ("telegram-token", rb"(?<=\d:)AA[\w-]{33}"),
    ("discord-token", rb"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}"),
    ("groq-key", rb"gsk_[A-Za-z0-9]{40,60}"),
    ("replicate-token", rb"r8_[A-Za-z0-9]{37,40}"),
    ("perplexity-key", rb"pplx-[a-zA-Z0-9]{40,60}"),
    ("xai-key", rb"xai-[A-Za-z0-9]{60,100}"),
    ("sentry-token", rb"sntry[su]_[\w+/=-]{40,300}"),
    ("supabase-token", rb"sb(?:p|_secret)_[\w-]{24,60}"),
    ("tailscale-key", rb"tskey-[a-z]{3,10}-[\w-]{20,80}"),
    ("netlify-token", rb"nf[pcu]_[A-Za-z0-9]{36,40}"),
    ("pulumi-token", rb"pul-[a-f0-9]{40}"),
    ("sonar-token", rb"sq[upa]_[a-f0-9]{40}"),
    ("sourcegraph-token", rb"sgp_[A-Za-z0-9_]{40,80}"),
    ("clojars-token", rb"CLOJARS_[a-f0-9]{60}"),
    ("airtable-token", rb"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("contentful-token", rb"CFPAT-[\w-]{43}"),
    ("circleci-token", rb"CCIPAT_[\w-]{40,80}"),
    ("terraform-token", rb"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}"),
    ("mapbox-token", rb"sk\.ey[JI][\w-]{20,300}\.[\w-]{20,60}"),
    ("heroku-key", rb"HRKU-[\w-]{36,80}"),
    ("buildkite-token", rb"bk(?:ua|at|ct)_[a-f0-9]{40,80}"),
    ("adafruit-key", rb"aio_[A-Za-z0-9]{28}"),
    ("aws-session-token", rb"(?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9+/=]{80,2000}"),
    ("dropbox-token", rb"sl\.(?:u\.)?[\w-]{60,1200}"),
    ("facebook-token", rb"EAA[A-Za-z0-9]{60,300}"),
    ("fly-token", rb"fm[12][ar]?_[A-Za-z0-9+/=]{60,2000}"),
    ("hubspot-token", rb"pat-(?:na|eu)\d-[a-f0-9]{8}(?:-[a-f0-9]{4}){3}-[a-f0-9]{12}"),
    ("twitter-token", rb"A{20,22}[A-Za-z0-9%]{60,120}"),
)
_UNKNOWN = re.compile(
    rb"(?!sha\d|MII)[A-Za-z][A-Za-z0-9]{1,9}[._-](?P<tail>[\w.-]{24,300})(?![\w+/=-])"
)
"""A word and then random letters and digits: how services write tokens by now."""

_ALONE = 36
"""Characters of a token that stands in quotes without such a word."""

_DIGITS = re.compile(rb"[0-9]+")

_ALL = re.compile(b"|".join(b"(%s)" % shape for _, shape in _SHAPES))
_BEGINS = frozenset(
    b"AK AS AB AC gh gi gl GR xo xa sk rk wh AI GO ya np py ey SG SK ke hf do sh sq "
    b"EA li da hv AG ru "
    b"PM NR fi nt se ps dp dc AT AA gs r8 pp xa sn sb ts nf pu sg CL pa CF CC HR bk "
    b"ai IQ Fw sl fm".split()
)
"""The first two characters of all shapes, but of those that are longer than `_LONG`."""

_LONG = 58
_BASE64 = 2_000
_DENSE = 32
_GROUPS = 3
_QUOTES = frozenset((b'"', b"'", b"`"))
_MAY_STAND_BEFORE = b"/\\"
_MAY_BE_IN_FRONT = b".-_"
_WELL_KNOWN_EXAMPLE = b".eyJzdWIiOiIxMjM0NTY3ODkw"
_HOOK = re.compile(rb"(?:hooks\.slack\.com/services/[\w/]{1,30}|/api/webhooks/\d{5,25})/\Z")


def token_at(data: bytes, begin: int, end: int) -> Place | None:
    """The token that a long word is, if it has a known shape."""
    if (
        data[begin : begin + 2] not in _BEGINS
        and end - begin < _LONG
        and not _UNKNOWN.match(data, begin, end)
        and data[begin] not in _MAY_BE_IN_FRONT
        and data[begin - 1] not in _MAY_STAND_BEFORE
    ):
        return None
    if data[begin - 1 : begin] == b"/" and _HOOK.search(data, max(0, begin - 80), begin):
        return (begin, end, "webhook") if varied(data[begin:end]) else None
    while begin < end and data[begin] in _MAY_BE_IN_FRONT:
        begin += 1
    if data[begin - 1 : begin] == b"\\" and data[begin : begin + 1] in {b"n", b"t", b"r"}:
        begin += 1
    # Of base64 a word is only the beginning.
    found = _ALL.match(data, begin, end + _BASE64)
    if not found or data[found.end() : found.end() + 1].isalnum():
        return _unknown(data, begin, end)
    if not _genuine(found[0]):
        return None
    return begin, found.end(), _SHAPES[(found.lastindex or 1) - 1][0]


def _unknown(data: bytes, begin: int, end: int) -> Place | None:
    """A token of no service that is known here."""
    if data[begin - 1 : begin] in {b"/", b"+"} or len(_DIGITS.findall(data, begin, end)) < _GROUPS:
        return None
    found = _UNKNOWN.match(data, begin, end)
    if not found:
        word = data[begin:end]
        quoted = data[begin - 1 : begin] in _QUOTES and data[end : end + 1] in _QUOTES
        alone = quoted and len(word) >= _ALONE and word[:3] != b"sha" and opaque(word)
        return (begin, end, "token") if alone else None
    tail = found["tail"]
    # Small letters behind a word: a hexadecimal number would be the digest of something.
    plain = tail.lower() == tail and len(tail) >= _DENSE and tail.strip(b"0123456789abcdef")
    return (begin, found.end(), "token") if opaque(tail) or (plain and scattered(tail)) else None


def _genuine(token: bytes) -> bool:
    """No example and no name of several words."""
    return scrambled(token[6:]) and varied(token[4:]) and _WELL_KNOWN_EXAMPLE not in token
