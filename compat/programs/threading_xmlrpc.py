"""Python's XML-RPC server with a thread for each connection. Usage: threading_xmlrpc.py PORT"""

import signal
import socketserver
import sys
import threading
import time
import xmlrpc.server

lock = threading.Lock()
counter = 0


def count(times):
    """Counts slowly, so that calls overlap."""
    global counter
    for _ in range(times):
        with lock:
            counter += 1
        time.sleep(0.001)
    return times


class Server(socketserver.ThreadingMixIn, xmlrpc.server.SimpleXMLRPCServer):
    """All threads end with the process."""

    daemon_threads = True
    request_queue_size = 256


with Server(("127.0.0.1", int(sys.argv[1])), logRequests=False) as server:
    server.register_function(count)
    server.register_function(lambda: counter, "total")
    server.register_function(lambda *words: " ".join(words), "join")
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
