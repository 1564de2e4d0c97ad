# Sourced by the other scripts: finds a Python, keeps one virtual environment, installs this checkout into it.
# Settings: PYTHON (which interpreter), MLSPEC_VENV (which folder; .venv, if left out).
set -eu
cd "$(dirname "$0")/.."
VENV="${MLSPEC_VENV:-.venv}"

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

# install EXTRAS: make the environment if it is not there, and install what pyproject.toml says, once per change of it.
install() {
  wanted="$1 $(cksum pyproject.toml)"
  if [ "$(cat "$VENV/.mlspec-$1" 2>/dev/null || true)" = "$wanted" ]; then
    return
  fi
  python="$(find_python)"
  if [ ! -x "$VENV/bin/pip" ]; then
    echo "==> making the virtual environment $VENV with $("$python" --version)"
    if ! "$python" -m venv "$VENV"; then
      echo "error: $python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
      exit 1
    fi
  fi
  echo "==> installing mlspec[$1] from this folder (the first time this downloads about 200 MB)"
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --editable ".[$1]"
  echo "$wanted" > "$VENV/.mlspec-$1"
}
