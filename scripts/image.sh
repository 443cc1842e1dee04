#!/bin/sh
# The image, step by step: the Dockerfile runs these, and so do the tests, without Docker.
#   environment FOLDER   FOLDER/.venv: the whole lock, and all its bytecode, as nobody may write there later
#   project FOLDER       what the app and the pipeline consist of, and nothing else
#   serve | healthy      the app on PORT (8501); whether it answers there
#   check                serve on a free port, see that it answers and draws its first page, end it
set -eu
cd "$(dirname "$0")/.."

fail() { echo "image: $1" >&2; exit 2; }

environment() {
    mkdir -p "$1/scripts"
    cp requirements.txt "$1"
    cp scripts/setup.sh "$1/scripts"
    UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 "$1/scripts/setup.sh"
    rm -rf "$1/.uv"
}

project() {
    mkdir -p "$1/scripts"
    cp -R .streamlit app assets pages pipeline LICENSE NOTICE "$1"
    cp scripts/image.sh "$1/scripts"
    python3 -m compileall -q "$1/app" "$1/pages" "$1/pipeline"
}

serve() {
    # Within a container it has to listen on every interface; what is published is said when it is run
    exec .venv/bin/python -m streamlit run app/main.py \
        --server.address "${ADDRESS:-0.0.0.0}" --server.port "${PORT:-8501}"
}

healthy() {
    .venv/bin/python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' \
        "http://127.0.0.1:${PORT:-8501}/_stcore/health" 2> /dev/null
}

check() {
    CLICK_ROAD_WORKSPACE=$(mktemp -d)
    ADDRESS=127.0.0.1
    PORT=$(.venv/bin/python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
    export CLICK_ROAD_WORKSPACE ADDRESS PORT
    (serve) &
    app=$!
    trap 'kill $app 2> /dev/null || true; rm -rf "$CLICK_ROAD_WORKSPACE"' EXIT
    tries=0
    until healthy; do
        kill -0 $app 2> /dev/null || fail "the app ended before it answered"
        tries=$((tries + 1))
        [ $tries -lt 60 ] || fail "the app did not answer on port $PORT"
        sleep 1
    done
    .venv/bin/python - <<'PY' || fail "the first page was not drawn"
import sys
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("app/main.py", default_timeout=120).run()
sys.exit(bool(page.exception) or not page.main.children)
PY
    echo "image: the app answers and draws its first page"
}

case "${1:-}" in
    environment | project) [ -n "${2:-}" ] || fail "$1 needs a folder"; "$1" "$2" ;;
    serve | healthy | check) "$1" ;;
    *) fail "'${1:-}' is no step: environment FOLDER, project FOLDER, serve, healthy or check" ;;
esac
