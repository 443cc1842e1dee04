"""A web server on this machine that sends a file with ranges, and cuts connections when it is told to."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What the server sends, and what it was asked."""

    content: bytes
    cut_after: list[int] = field(default_factory=list)  # bytes that the next replies send before they are cut
    validators: bool = True
    ranges: bool = True
    status: int = 200
    misplaced: int = 0  # bytes by which a reply to a range begins elsewhere
    pause_s: float = 0.0  # between bytes, one by one
    asked: list[str | None] = field(default_factory=list)  # the Range of each request
    url: str = ""

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            site.asked.append(asked)
            if site.status != 200:
                self.send_error(site.status)
                return
            same = self.headers.get("If-Range") in (None, site.etag)
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and same and site.ranges else 0
            if begin >= len(site.content):
                self.send_error(416)
                return
            begin += site.misplaced if begin else 0
            body = site.content[begin:]
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(body)))
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(site.content) - 1}/{len(site.content)}")
            if site.validators:
                self.send_header("ETag", site.etag)
            self.end_headers()
            sent = body[: site.cut_after.pop(0)] if site.cut_after else body
            if not site.pause_s:
                self.wfile.write(sent)
                return
            with suppress(OSError):
                for byte in sent:
                    self.wfile.write(bytes([byte]))
                    time.sleep(site.pause_s)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/file.zip"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
