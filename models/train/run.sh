#!/bin/sh
# Trains the starter model with one command; see README.md.
#   run.sh --out DIR [--human DIR] [--minutes N] [--smoke]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/work/venv}
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
    "$venv/bin/pip" install --quiet -r "$here/requirements.txt"
    "$venv/bin/pip" install --quiet --no-deps -r "$here/requirements-assets.txt"
    cp "$here/requirements.txt" "$venv/installed.txt"
fi
exec "$venv/bin/python" "$here/run.py" "$@"
