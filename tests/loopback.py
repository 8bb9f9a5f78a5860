"""A server on loopback that behaves, stops, lies, and ignores what it is asked."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server:
    """What the server serves, how it behaves, and what it was asked.

    behaviour: "good", "no ranges", "stops" (after `stops_after` bytes), "stalls", "odd length", or
    "redirect" (to a file of this machine).
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.behaviour = "good"
        self.stops_after = 300_000
        self.ranges: list[str | None] = []
        self.url = ""


@contextmanager
def serving() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            if self.path not in state.files:
                self.send_error(404)
                return
            if state.behaviour == "redirect":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.end_headers()
                return
            content = state.files[self.path]
            start = int(asked[6:-1]) if asked and state.behaviour != "no ranges" else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            length = "many" if state.behaviour == "odd length" else str(len(content) - start)
            self.send_header("Content-Length", length)
            self.end_headers()
            if state.behaviour == "stops":
                content = content[: start + state.stops_after]
            if state.behaviour == "stalls":
                self.wfile.write(content[start : start + 1000])
                release.wait(5)
                return
            self.wfile.write(content[start:])

    release = threading.Event()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    try:
        yield state
    finally:
        release.set()
        httpd.shutdown()
        thread.join()
        httpd.server_close()
