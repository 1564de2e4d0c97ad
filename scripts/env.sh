# Sourced by the other scripts: finds a Python, keeps one virtual environment, installs this checkout into it.
# Settings: PYTHON (which interpreter), MLSPEC_VENV (which folder; .venv, if left out), MLSPEC_TOOLS_DIR (.tools), MLSPEC_LOCKED (set in
# builds: packages come from the files of scripts/lock, each by its sha256; if left out, the newest that pyproject.toml allows).
set -eu
cd "$(dirname "$0")/.."
VENV="${MLSPEC_VENV:-.venv}"
TOOLS="${MLSPEC_TOOLS_DIR:-.tools}"
UV="$TOOLS/uv/bin/uv"
# What is installed comes without byte code, and hundreds of processes import it: Python keeps what it compiled.
unset PYTHONDONTWRITEBYTECODE

find_python() {
  for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$python"
      return
    fi
  done
  echo "error: mlspec needs Python 3.11 or newer, and none is on the PATH" >&2
  echo "hint: install one, or name it: PYTHON=/path/to/python3.11 $0" >&2
  exit 1
}

# environment FOLDER: make a virtual environment, if it is not there.
environment() {
  if [ -x "$1/bin/pip" ]; then
    return
  fi
  python="$(find_python)"
  echo "==> making the virtual environment $1 with $("$python" --version)"
  if ! "$python" -m venv "$1"; then
    echo "error: $python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
  fi
}

# packages LOCK WORDS: what an installer is told: WORDS, or the file of that name where packages are locked.
packages() {
  if [ -n "${MLSPEC_LOCKED:-}" ]; then
    echo "--require-hashes -r .ci/locks/$1.txt"
  else
    shift
    echo "$@"
  fi
}

# uv, which installs in seconds what pip needs minutes for.
uv() {
  if [ ! -x "$UV" ]; then
    environment "$TOOLS/uv"
    # shellcheck disable=SC2046  (several words)
    "$TOOLS/uv/bin/pip" install --quiet --disable-pip-version-check $(packages uv uv)
  fi
  "$UV" "$@"
}

# install EXTRAS: make the environment if it is not there, and install what pyproject.toml says, once per change of it.
install() {
  wanted="$1 $(cksum pyproject.toml)"
  if [ "$(cat "$VENV/.mlspec-$1" 2>/dev/null || true)" = "$wanted" ]; then
    return
  fi
  environment "$VENV"
  echo "==> installing mlspec with its extra $1 from this folder (the first time this downloads about 200 MB)"
  if [ -n "${MLSPEC_LOCKED:-}" ]; then
    uv pip install --quiet --python "$VENV/bin/python" --require-hashes -r ".ci/locks/$1.txt"
    uv pip install --quiet --python "$VENV/bin/python" --no-deps --no-build-isolation --editable .
  else
    uv pip install --quiet --python "$VENV/bin/python" --editable ".[$1]"
  fi
  echo "$wanted" > "$VENV/.mlspec-$1"
}

# Tests write and sync many thousands of small files: where there is room in memory, they wait for no disk. A TMPDIR of the caller's stays.
in_memory() {
  room="$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')"
  if [ -n "${TMPDIR:-}" ] || [ "${room:-0}" -lt 2000000 ] || grep -q ' /dev/shm .*noexec' /proc/mounts; then
    return
  fi
  TMPDIR="$(mktemp -d /dev/shm/mlspec.XXXXXX)" # short: the path of a socket has little room
  trap 'rm -rf "$TMPDIR"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  chmod 755 "$TMPDIR" # PostgreSQL runs as another user
  export TMPDIR
}
