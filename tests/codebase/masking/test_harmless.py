"""Ordinary code and configuration stays as it is."""

from __future__ import annotations

import pytest

from undercroft.codebase.masking import mask

HARMLESS = (
    'password = "changeme"',
    'password: "xxxxxxxxxxxx"',
    "password: ${DB_PASSWORD}",
    'token = "{{ vault.token }}"',
    "DB_PASSWORD=$DB_PASSWORD",
    'api_key = os.environ["API_KEY"]',
    "const token = await getToken(user2, scope1);",
    "secret = process.env.SECRET_V2",
    'password="correct horse battery staple"',
    'input type="password" placeholder="Enter your password1"',
    'TOKEN_URL = "https://auth.example.com/oauth2/token"',
    "api_key: YOUR_API_KEY_HERE_123",
    "token := parser.nextToken2(lexer)",
    'assert sha256(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"',
    'integrity = "sha512-9f8e7d6c5b4a39281706f5e4d3c2b1a0"',
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "postgres://user:password@localhost/test",
    "redis://:secret@localhost",
    "http://user:pass@example.com/",
    "https://{user}:{password}@host/",
    "AKIAIOSFODNN7" + "EXAMPLE",
    "sk-learn-contrib-project-template-something",
    "sk_test_xxxxxxxxxxxxxxxxxxxxxxxx",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    '"Authorization": "Bearer <token>"',
    "Authorization: `Bearer ${token}`",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    'publicKey: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"',
    "docker run -u 1000:1000 image",
    "token_type_ids = tokenizer_v2.encode_plus2(text)",
    'key = "user_profile_v2_cache_2024"',
    "if passed == total12: return",
    'tokenEndpoint = "/v2/oauth/tokens/9f8e7d6c"',
    "password = None",
    '"AWS::Some::ApiKey": "600da347bb3f084e",',
    '"Some::EIPAssociation": "a267820d6250f189",',
    'bypass("newdomain.com:1234")',
    'HEX_PAT = "[0-9A-Fa-f]{1,4}"',
    'LONG_OPTION_PAT = r"[a-zA-Z](?:[a-zA-Z0-9-]*)"',
    'Culture="neutral", publicKeyToken="b77a5c561934e089"',
    'hashed_password = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"',
    'integrity="sha384-BVYiiSIFeK1dGmJRAkycuHAHRg32OmUcww7on3RYdg4Va2PmSTsz2K68vbdEjh4u"',
    "auth = HTTPBasicAuth2(user_name_1, get_password_for_2(user3))",
    "csrf_token: '4f6c1d2e8b7a9f0c4f6c1d2e8b7a9f0c'",
)


@pytest.mark.parametrize("line", HARMLESS)
def test_placeholders_examples_hashes_and_expressions_stay(line: str) -> None:
    assert mask(line) == (line, 0)
