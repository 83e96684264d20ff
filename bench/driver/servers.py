"""The servers that are put under load: how each is started on a free port of 127.0.0.1, what it is asked, and how it is ended. What a server
needs in files is made in a temporary folder."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import launch

START_WITHIN = 10  # seconds

# FileETag: an entity tag grows shorter when its file is a second old, and all answers must have one size.
APACHE = """ServerName localhost
Listen 127.0.0.1:{port}
ServerRoot {folder}
DocumentRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/log
LoadModule mpm_worker_module /usr/lib/apache2/modules/mod_mpm_worker.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
User www-data
Group www-data
FileETag None
KeepAlive On
KeepAliveTimeout 60
MaxKeepAliveRequests 0
ThreadLimit 300
ThreadsPerChild 300
StartServers 4
ServerLimit 4
MaxRequestWorkers 1200
MaxSpareThreads 1200
"""
LARGE = 512 * 1024 * 1024  # bytes of the file that Apache has for curl; it is sparse


@dataclass
class Server:
    port: int
    process: subprocess.Popen  # `timeout`, whose one child is the server
    stderr: Path

    def pid(self) -> int:
        """Of the server itself. `taskset` and `env` have become it by exec."""
        return int(Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def said(self) -> list[str]:
        return self.stderr.read_text(errors="replace").strip().splitlines()


class NotStarted(Exception):
    """A server that takes no connection; the text says which, and its last words."""


def echo(setting: launch.Setting, port: int, folder: Path) -> list[str]:
    return [*setting.programs["echo_server"], str(port)]


def memcached(setting: launch.Setting, port: int, folder: Path) -> list[str]:
    return ["memcached", "-t", "4", "-c", "2048", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"]


def apache(setting: launch.Setting, port: int, folder: Path) -> list[str]:
    (folder / "page").write_text("x" * 64)
    with open(folder / "large", "wb") as file:
        file.truncate(LARGE)
    configuration = folder / "apache.conf"
    configuration.write_text(APACHE.format(port=port, folder=folder))
    return ["apache2", "-D", "FOREGROUND", "-f", str(configuration)]


COMMANDS = {"echo": echo, "memcached": memcached, "apache": apache}
INSTALLED = {"memcached": "memcached", "apache": "apache2"}  # the program that must be
REQUESTS = {
    "echo": b"x" * 64,
    "memcached": b"get key\r\n",
    "apache": b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@contextlib.contextmanager
def started(name: str, setting: launch.Setting, limit: int, core: int | None, variables: dict[str, str]):
    """Server `name`, ready for connections and pinned to `core`, with `variables` in its environment; ended with the `with` block."""
    with tempfile.TemporaryDirectory(prefix="grivet-bench-") as folder_name:
        folder = Path(folder_name)
        folder.chmod(0o755)  # servers give up root
        port = free_port()
        stderr = folder / "stderr"
        words = launch.wrapped(COMMANDS[name](setting, port, folder), limit, core, variables)
        with open(stderr, "wb") as errors:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=launch.clean_environment()
            )
        server = Server(port, process, stderr)
        try:
            await_start(name, server)
            yield server
        finally:
            process.terminate()  # `timeout` hands the signal on
            try:
                process.wait(START_WITHIN)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # `timeout` has made a group of its own
                process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def await_start(name: str, server: Server) -> None:
    """Returns when the server takes connections."""
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=START_WITHIN) as connection:
                if name == "memcached":
                    connection.sendall(b"set key 0 0 64\r\n" + b"x" * 64 + b"\r\n")
                    connection.recv(100)
                return
        except OSError:
            time.sleep(0.05)
    said = server.said()
    raise NotStarted(f"{name} did not start{': ' + said[-1] if said else ''}")


def answer_size(name: str, server: Server) -> int:
    """Bytes of the answer to the server's request: what comes until nothing more does."""
    size = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=START_WITHIN) as connection:
        connection.sendall(REQUESTS[name])
        while True:
            try:
                got = connection.recv(65536)
            except TimeoutError:
                return size
            if not got:
                return size
            size += len(got)
            connection.settimeout(0.3)
