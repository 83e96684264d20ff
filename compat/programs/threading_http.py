"""Python's ThreadingHTTPServer: a thread for each connection. Usage: threading_http.py PORT"""

import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers with the path and with a header of the request."""

    def do_GET(self):
        body = f"{self.path} for {self.headers.get('X-Client')}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """The default of 5 connections in the queue is too few for clients that all come at once."""

    request_queue_size = 1024


with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
