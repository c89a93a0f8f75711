"""Starts the sandbox: `python -m sandbox --port 8100 --dir sandbox-books`."""

import argparse
import signal
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

from werkzeug.serving import WSGIRequestHandler, make_server

from sandbox.app import create_app

CANNOT_START = 2


class QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: GET /_journal lists the calls, and an address may carry a code."""


def main() -> int:
    options = _read_options()
    try:
        listener = _listen(options.host, options.port)
    except OSError as problem:
        return _fail(f"can't listen on {options.host}:{options.port}: {problem.strerror or problem}")
    try:
        app = create_app(options.dir)
    except (OSError, sqlite3.Error) as problem:
        return _fail(f"can't keep books in {options.dir}: {problem}")
    server = make_server(
        options.host, options.port, app, threaded=True, request_handler=QuietHandler, fd=listener.fileno()
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"sandbox ready on http://{options.host}:{server.port}", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A pretend Sage.")
    parser.add_argument("--port", type=int, default=8100, help="0 picks a free one")
    parser.add_argument("--dir", type=Path, default=Path(".sandbox"), help="where the books are kept")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    return parser.parse_args()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(128)
    return listener


def _fail(message: str) -> int:
    print(f"sandbox: {message}", file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
