#!/usr/bin/env bash
# Make .venv from uv.lock. Everything is first gathered in wheelhouse/, checked against the lock's
# hashes, and installed from there; a machine without a network that has the folder needs nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
export PIP_DISABLE_PIP_VERSION_CHECK=1
# a cache of this checkout alone: with a shared one uv would find the packages of an earlier checkout
# at this path, and wheelhouse/ would stay empty
export UV_CACHE_DIR="$PWD/.tools/cache"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "set-up: Python 3.11 or newer is needed; found $("$PYTHON" --version)" >&2
    exit 1
}
[ -x .tools/bin/pip ] || "$PYTHON" -m venv .tools || {
    echo "set-up: the venv module is missing; run: apt-get install python3-venv" >&2
    exit 1
}
mkdir -p wheelhouse build
gather() { # requirements file with hashes -> wheelhouse/
    .tools/bin/pip download --quiet --require-hashes --no-deps --dest wheelhouse -r "$1"
}

if ! .tools/bin/pip install --quiet --no-index --find-links wheelhouse --require-hashes \
    -r tools/uv.txt 2>build/setup.log; then
    gather tools/uv.txt
    .tools/bin/pip install --quiet --no-index --find-links wheelhouse --require-hashes -r tools/uv.txt
fi

uv=.tools/bin/uv
all=(--all-packages --all-extras --all-groups)
if ! "$uv" sync --quiet --frozen --offline --python "$PYTHON" "${all[@]}" 2>>build/setup.log; then
    echo "set-up: gathering the locked packages into wheelhouse/ (some minutes, once)"
    "$uv" export --quiet --frozen --no-emit-workspace --no-header "${all[@]}" >build/requirements.txt
    "$PYTHON" tools/slices.py build/requirements.txt 4
    pids=()
    for slice in build/requirements.txt.*; do
        gather "$slice" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    "$uv" sync --quiet --frozen --offline --python "$PYTHON" "${all[@]}"
fi
echo "set-up: .venv is ready"
