# shellcheck shell=bash
# Sourced by the other scripts: makes the checkout's `.venv` hold what they need.
# Works with Python 3.11 or later and git alone; a second run only compares files.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
VENV="$ROOT/.venv"
MARK="$VENV/.undercroft"

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# The first Python on the PATH that is new enough.
find_python() {
  local name
  for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null &&
      "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  die "Undercroft needs Python 3.11 or later, and there is none on the PATH."
}

# What the environment was made from: lock, metadata, place, and how much of it ("run" or "dev").
wanted_mark() {
  printf '%s %s\n' "$1" "$ROOT"
  cksum "$ROOT/uv.lock" "$ROOT/pyproject.toml"
}

# An environment for development serves to run as well.
is_ready() {
  [[ -f "$MARK" ]] && "$VENV/bin/python" -c '' 2>/dev/null || return 1
  local level
  for level in "$1" dev; do
    [[ "$(wanted_mark "$level")" == "$(cat "$MARK")" ]] && return
  done
  return 1
}

# A home that cannot be written is no place for caches.
settle_caches() {
  if [[ -z "${HOME:-}" || ! -w "${HOME:-}" ]]; then
    export UV_CACHE_DIR="${UV_CACHE_DIR:-$VENV/.cache/uv}"
    export PIP_CACHE_DIR="${PIP_CACHE_DIR:-$VENV/.cache/pip}"
  fi
}

make_venv() {
  local python
  python="$(find_python)"
  # A checkout that has moved has scripts that still name the old place.
  grep -qsF "$VENV" "$VENV/bin/activate" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1 && return
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv --clear "$VENV" >&2
  elif "$python" -m pip --version >/dev/null 2>&1; then
    "$python" -m venv --clear --without-pip "$VENV" >&2
    "$python" -m pip --disable-pip-version-check --quiet --python "$VENV/bin/python" install pip >&2
  else
    install_venv_module "$python"
    "$python" -m venv --clear "$VENV" >&2
  fi
}

# Debian keeps ensurepip in a package of its own.
install_venv_module() {
  local package
  package="$("$1" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')"
  if ! command -v apt-get >/dev/null; then
    die "This Python cannot make virtual environments: its module ensurepip is missing."
  elif [[ "$(id -u)" != 0 ]]; then
    die "This Python cannot make virtual environments yet. Run: sudo apt-get install $package"
  fi
  say "Installing $package …"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq "$package"; } >&2 ||
    die "$package could not be installed."
}

# Exactly what uv.lock says, hashes checked; without uv the same versions, by pip.
install_locked() {
  local pip=("$VENV/bin/python" -m pip --disable-pip-version-check --quiet)
  if "$VENV/bin/uv" --version >/dev/null 2>&1 || "${pip[@]}" install 'uv>=0.13.9,<1' >&2; then
    sync_with_uv "$1"
  else
    say "uv cannot be had; pip installs the versions of uv.lock, without comparing hashes."
    "$VENV/bin/python" "$ROOT/scripts/requirements.py" "$1" >"$VENV/requirements.txt"
    "${pip[@]}" install --requirement "$VENV/requirements.txt" --editable "$ROOT" >&2
  fi
}

# --inexact: uv itself lives in the environment that it fills.
sync_with_uv() {
  local extra=()
  [[ "$1" == dev ]] || extra=(--no-dev)
  UV_PROJECT_ENVIRONMENT="$VENV" UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 "$VENV/bin/uv" sync \
    --project "$ROOT" --python "$VENV/bin/python" --frozen --inexact --quiet ${extra[@]+"${extra[@]}"} >&2
}

# setup run|dev: afterwards "$VENV/bin" holds all that is needed to run, or to work on it.
setup() {
  is_ready "$1" && return
  settle_caches
  mkdir -p "$VENV" 2>/dev/null || die "The folder $ROOT cannot be written; clone it to one of your own."
  (
    # Two scripts at once: the second waits, and finds the work done.
    command -v flock >/dev/null && flock 9
    is_ready "$1" && exit
    say "Preparing $VENV (once; needs the network) …"
    rm -f "$MARK"
    make_venv
    install_locked "$1"
    wanted_mark "$1" >"$MARK"
  ) 9>"$ROOT/.venv.lock"
}
