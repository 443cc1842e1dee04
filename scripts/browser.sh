#!/bin/sh
# See that there is a Chromium for the browser tests; install Debian's where that may be done.
command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "test: installing Debian's chromium"
    apt-get update -qq > /dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium > /dev/null && exit 0
fi
echo "test: there is no Chromium: install Debian's package chromium (apt install chromium) and try again." >&2
exit 2
