"""What the name of a file or folder tells without opening it."""

from __future__ import annotations

import re
from functools import lru_cache

REPOSITORY_FOLDERS = frozenset({".git", ".hg", ".svn", ".jj", ".bzr", "CVS", "_darcs", ".pijul"})
"""What version control keeps for itself: neither walked nor counted."""

_VENDORED = """
node_modules bower_components jspm_packages
vendor vendors third_party third-party thirdparty 3rdparty
site-packages dist-packages .venv venv virtualenv .virtualenv .yarn .pnpm-store .bundle .cargo .m2
Pods Carthage _vendor Godeps elm-stuff .eggs .gems .nuget
"""
_GENERATED = """
__pycache__ .mypy_cache .pytest_cache .ruff_cache .hypothesis .tox .nox
.gradle .terraform .next .nuxt
.svelte-kit .turbo .parcel-cache .cache .dart_tool .ipynb_checkpoints .nyc_output htmlcov
__generated__ .angular .vite .serverless .aws-sam .build .stack-work dist-newstyle .elixir_ls
.metals .bloop .idea
DerivedData __snapshots__
"""
_PRIVATE_FOLDERS = ".ssh .gnupg .password-store"

_FOLDERS = {
    **dict.fromkeys(_VENDORED.split(), "vendored"),
    **dict.fromkeys(_GENERATED.split(), "generated"),
    **dict.fromkeys(_PRIVATE_FOLDERS.split(), "secret"),
}

_LOCKS = """
package-lock.json npm-shrinkwrap.json pnpm-lock.yaml bun.lockb go.sum go.work.sum package.resolved
packages.lock.json gradle.lockfile cartfile.resolved .terraform.lock.hcl project.assets.json
buildscript-gradle.lockfile pixi.lock paket.lock
"""
_SECRETS = """
.env .envrc .netrc _netrc .pypirc .htpasswd .htaccess-secrets .pgpass
pgpass.conf .my.cnf .mylogin.cnf
.git-credentials .dockercfg .dockerconfigjson kubeconfig .s3cfg .boto .vault-token .vault_pass
.vault_pass.txt vault_pass.txt .htdigest master.key id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk
id_ed25519_sk identity .credentials credentials secrets secret htpasswd .passwd .password
.secrets .secret .token .gem-credentials .rhosts shadow secring.gpg
"""
_BINARY = """
png jpg jpeg gif bmp ico icns webp avif heic tif tiff psd ai eps svg svgz xcf raw
mp3 mp4 m4a m4v mov avi mkv webm wav flac ogg opus aac wmv
pdf docx xls xlsx ppt pptx odt ods odp epub rtf
zip gz xz
tgz bz2 zst lz4 lzma 7z rar tar jar war ear aar apk ipa deb rpm dmg iso msi cab whl egg gem
crate nupkg
exe dll so dylib a o obj lib pdb class pyc pyo pyd wasm elc beam rlib rmeta node ko
ttf otf woff woff2 eot
db sqlite sqlite3 mdb dbf pack idx bin npy npz pkl pickle parquet feather arrow avro orc h5 hdf5
pt pth onnx safetensors gguf tflite ckpt joblib rds rdata
swf fla blend fbx glb stl dwg sketch fig xd mo gmo pcap
"""
_PRIVATE_ENDINGS = """
pem key p12 pfx jks keystore bks kdbx kdb ppk p8 pkcs12 pkcs8 ovpn tfstate tfvars
gpg pgp agekey keytab
"""
_ENDINGS = {
    **dict.fromkeys(_BINARY.split(), "binary"),
    **dict.fromkeys(_PRIVATE_ENDINGS.split(), "secret"),
    "lock": "lockfile",
    "map": "generated",
    "snap": "generated",
}
_NAMES = {
    **dict.fromkeys(_LOCKS.split(), "lockfile"),
    **dict.fromkeys(_SECRETS.split(), "secret"),
}

_HARMLESS = re.compile(
    r"(?:^|[._-])(?:example|examples|sample|template|tmpl|tpl|dist|defaults?|schema|stub|skeleton)"
    r"(?=[._-]|\Z)"
)
_CODE = re.compile(
    r"\.(?:py|pyi|[cm]?[jt]sx?|d\.ts|go|rs|rb|java|kt|kts|scala|swift|cs|fs|php|ex|exs|"
    r"erl|c|cc|cpp|h|hpp|lua|pl|pm|r|jl|dart|clj|cljs|hs|ml|mli|vue|svelte|html?|md|mdx|rst|"
    r"adoc|feature|sql|proto|graphql|sh|bash|zsh|fish|ps1|tf|nix|zig|vim|el|pub|crt|cer|lock)\Z"
)
_MADE = {
    "generated": "_pb2 _pb2_grpc .pb .pb.gw .g .g.i .freezed .designer .generated _generated .gen",
    "minified": ".min -min .bundle -bundle .chunk",
}
_MADE_STEMS = {reason: tuple(stems.split()) for reason, stems in _MADE.items()}
_ANY_MADE = (*_MADE_STEMS["generated"], *_MADE_STEMS["minified"])
_MADE_BEGINNINGS = ("zz_generated.", "bindata.go")
_WRITTEN = frozenset({"json", "yaml", "yml", "toml", "md", "txt", "sh", "xml"})
"""Endings that say nothing about generators: a file `code.gen.yaml` configures one."""

_GENERATED_CODE = frozenset({"go", "ts", "tsx", "js", "rs", "dart", "cs"})
"""Endings of what `.gen` marks as made; a `.gen.py` makes something."""

_MAY_HOLD_SECRETS = frozenset(
    {
        *("json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "xml", "properties"),
        *("csv", "enc", "env", "plist", "kdl", "sops"),
    }
)
_SECRET_STEM = re.compile(
    r"\A(?:.{0,200}[._-])?(?:credentials?|secrets?|passwords?|passwd|service[_-]?account(?:[_-]?key)?"
    r"|client[_-]secrets?|htpasswd|firebase-adminsdk|terraform\.tfvars)(?:[._-].*)?\Z"
)
_SECRET_BEGINNINGS = (
    *(".env.", ".env-", ".env_", "kubeconfig"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"),
)
_NOT_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def folder_reason(name: str) -> str:
    """Why a folder of that name is left out, or ""."""
    if not name.isprintable() and _NOT_TEXT.search(name):
        return "name"
    return _FOLDERS.get(name, "")


@lru_cache(maxsize=1 << 15)
def file_reason(name: str) -> str:
    """Why a file of that name is left out, or ""."""
    if not name.isprintable() and _NOT_TEXT.search(name):
        return "name"
    lower = name.lower()
    stem, dot, ending = lower.rpartition(".")
    if not dot:
        stem, ending = lower, ""
    reason = _NAMES.get(lower) or _ENDINGS.get(ending) or ""
    if not reason and (stem.endswith(_ANY_MADE) or lower.startswith(_MADE_BEGINNINGS)):
        reason = _made(stem, ending)
    if not reason and _holds_secrets(lower, stem, ending):
        reason = "secret"
    if reason == "secret" and (_HARMLESS.search(lower) or _CODE.search(lower)):
        return ""
    return reason


def _made(stem: str, ending: str) -> str:
    if stem.endswith(_MADE_STEMS["minified"]):
        return "minified"
    if ending in _WRITTEN or (stem.endswith(".gen") and ending not in _GENERATED_CODE):
        return ""
    return "generated"


def _holds_secrets(lower: str, stem: str, ending: str) -> bool:
    if ending in _MAY_HOLD_SECRETS and (ending == "env" or _SECRET_STEM.match(stem)):
        return True
    return lower.startswith(_SECRET_BEGINNINGS) or ".tfstate." in lower
