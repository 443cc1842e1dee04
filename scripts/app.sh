#!/bin/sh
# Serve the app on 127.0.0.1, on PORT (8501) or the next free one.
set -eu
cd "$(dirname "$0")/.."
wanted=${PORT:-8501}
port=$(.venv/bin/python - "$wanted" <<'PY'
import socket, sys
wanted = int(sys.argv[1]) if sys.argv[1].isdigit() else 0
if not 1 <= wanted <= 65435:
    sys.exit(f"app: PORT={sys.argv[1]} is not a port: choose a whole number from 1 to 65435, such as 8501")
for port in range(wanted, wanted + 100):
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            continue
        print(port)
        break
else:
    sys.exit(f"app: ports {sys.argv[1]} and the 100 after it are taken: choose another with PORT=…")
PY
) || exit 2
[ "$port" = "$wanted" ] || echo "app: port $wanted is taken, so it is $port"
echo "app: http://127.0.0.1:$port (Ctrl+C ends it)"
exec .venv/bin/python -m streamlit run app/main.py --server.port "$port"
