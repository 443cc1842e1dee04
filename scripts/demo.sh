#!/bin/sh
# Set up, run the pipeline on the made-up shop, serve the app.
set -eu
cd "$(dirname "$0")/.."
begin=$(date +%s)
scripts/setup.sh
ready=$(date +%s)
.venv/bin/python -m pipeline run --clicks shop
echo "demo: download and installation took $((ready - begin)) s, the work $(($(date +%s) - ready)) s"
exec scripts/app.sh
