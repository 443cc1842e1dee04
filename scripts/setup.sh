#!/bin/sh
# Make .venv: Python 3.11 and every package of the lock. Whole or not at all: the stamp is written last.
set -eu
cd "$(dirname "$0")/.."

fail() { echo "setup: $1" >&2; exit 2; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
    fail "this machine is $(uname -s) $(uname -m), and Milvus's and TensorFlow's locked packages are for Linux x86_64: use such a machine or a container of it."

stamp=.venv/.lock-installed
wanted=$(cksum < requirements.txt)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && exit 0

begin=$(date +%s)
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    python=$(command -v python3.11 || true)
    [ -n "$python" ] && "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null ||
        fail "there is neither uv nor Python 3.11: install one of them (Debian: apt install python3.11-venv; or see docs.astral.sh/uv) and try again."
    echo "setup: no uv here, fetching it into .uv"
    "$python" -m venv .uv && .uv/bin/pip install -q --disable-pip-version-check uv ||
        fail "uv could not be fetched: check the network, or install uv yourself, and try again."
    uv=.uv/bin/uv
fi
rm -f "$stamp"
"$uv" venv -q --python 3.11 --clear .venv ||
    fail "there is no Python 3.11 and it could not be fetched: install it (Debian: apt install python3.11-venv) and try again."
echo "setup: installing the $(grep -c == requirements.txt) packages of requirements.txt"
"$uv" pip install -q --python .venv/bin/python --no-deps -r requirements.txt ||
    fail "the packages could not be installed: check the network and the disk's free space (3 GB), and try again."
packages=.venv/lib/python3.11/site-packages
for package in streamlit pymilvus scipy numpy polars pandas plotly; do # what the app imports: its first start is quick
    .venv/bin/python -m compileall -q -j 0 "$packages/$package" > /dev/null 2>&1 || true
done
echo "$wanted" > "$stamp"
echo "setup: downloaded and installed in $(($(date +%s) - begin)) s"
