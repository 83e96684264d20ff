"""Where one program is played, natively or under grivet: a directory of its own, its processes with their limits, the clients, and what was
seen. The library is loaded into the program alone; clients and helpers run without it. Everything that is started here is ended here."""

import os
import re
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import processes
from process import Process, Seen
from trouble import Crashes, Hangs, Trouble


@dataclass
class Figure:
    """Something measured. `more` says whether more of it is better."""

    value: float
    unit: str
    more: bool


@dataclass
class Finished:
    """A program or client that has ended by itself."""

    status: int
    stdout: str
    stderr: str


class Stage:
    """One run of one case."""

    def __init__(self, library: str | None, quick: bool, program_core: int, client_core: int):
        self.preload = {"LD_PRELOAD": library, "GRIVET_STATS": "1"} if library else {}
        self.quick = quick
        self.program_cores = str(program_core)
        self.client_core = client_core
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRIVET", "LD_PRELOAD", "GLIBC_TUNABLES"))}
        self.environment = kept | {"LC_ALL": "C.UTF-8"}
        self.temporary = tempfile.TemporaryDirectory(prefix="grivet-compat-")
        self.directory = Path(self.temporary.name)
        # Servers that change to another user find their files all the same.
        self.directory.chmod(0o755)
        self.processes: list[Process] = []
        self.answers: dict[str, object] = {}
        self.figures: dict[str, Figure] = {}
        self.seen = Seen()

    def all_cores(self) -> None:
        """Lets programs started from now on run on every core, for those that natively make no way on one."""
        self.program_cores = f"{self.program_cores},{self.client_core}"

    # What a case notes.

    def answer(self, name: str, value: object) -> None:
        """Something that must be the same natively and under grivet."""
        self.answers[name] = value

    def figure(self, name: str, value: float, unit: str, more: bool = True) -> None:
        self.figures[name] = Figure(value, unit, more)

    def check(self, holds: bool, what: str) -> None:
        """Something that must hold of every run."""
        if not holds:
            raise Trouble(what)

    # The program.

    def start(self, command: list, limit: float = 120, directory: Path | None = None, feed: Path | None = None, **environment: str) -> Process:
        """Starts the program and does not wait for it."""
        words = ["env", *(f"{name}={value}" for name, value in (environment | self.preload).items()), *map(str, command)]
        outputs = [self.directory / f"{kind}-{len(self.processes)}" for kind in ("stdout", "stderr")]
        with open(feed or os.devnull, "rb") as stdin:
            options = {"stdin": stdin, "cwd": directory or self.directory, "env": self.environment}
            process = Process(Path(str(command[0])).name, words, self.program_cores, limit, outputs, self.seen, **options)
        self.processes.append(process)
        return process

    def serve(self, command: list, port: int, limit: float = 120, directory: Path | None = None, **environment: str) -> Process:
        """Starts a server and waits until it takes connections on `port` of 127.0.0.1."""
        process = self.start(command, limit, directory, **environment)
        self.await_port(process, port)
        return process

    def await_port(self, process: Process, port: int, limit: float = 40) -> None:
        end = time.monotonic() + limit
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if not process.alive():
                    raise Crashes(process.last_words()) from None
                if time.monotonic() > end:
                    raise Hangs(f"{process.name} does not take connections{process.calls()}") from None
                time.sleep(0.02)
        process.refuse_strangers()

    def await_listener(self, process: Process, port: int, limit: float = 40) -> None:
        """As await_port, for a server that a trial connection would disturb."""
        end = time.monotonic() + limit
        while not any(address.endswith(f":{port}") for address in processes.listeners(process.session)):
            if not process.alive():
                raise Crashes(process.last_words())
            if time.monotonic() > end:
                raise Hangs(f"{process.name} does not listen{process.calls()}")
            time.sleep(0.02)
        process.refuse_strangers()

    def run(
        self, command: list, limit: float = 60, expect: int | None = 0, directory: Path | None = None, feed: Path | None = None, **environment
    ) -> Finished:
        """Runs the program to its end, which must be with status `expect`, if that is not None."""
        process = self.start(command, limit, directory, feed, **environment)
        status = process.wait(limit)
        process.refuse_strangers()
        if status != expect and expect is not None:
            raise (Crashes if status < 0 else Trouble)(process.last_words())
        return Finished(status, process.text(0), process.text(1))

    # Clients and helpers.

    def client(self, command: list, limit: float = 60, feed: str = "", **environment: str) -> Finished:
        """Runs a client or helper, never preloaded, on the client's core."""
        words = ["timeout", "-s", "KILL", str(limit), "taskset", "-c", str(self.client_core), *map(str, command)]
        done = subprocess.run(
            words, input=feed, capture_output=True, text=True, errors="replace", env=self.environment | environment, cwd=self.directory, check=False
        )
        if done.returncode in (-9, 137):
            raise Hangs(f"{command[0]} waited {limit:.0f} s{self.calls()}")
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
            raise Trouble(f"{command[0]}: exit status {done.returncode}: {said[-1]}"[:300])
        return Finished(done.returncode, done.stdout, done.stderr)

    def port(self) -> int:
        """A port of 127.0.0.1 that is free now."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return listener.getsockname()[1]

    def file(self, name: str, content: str | bytes, mode: int = 0o644) -> Path:
        """A file in the stage's directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    # The end.

    def calls(self) -> str:
        return "".join(process.calls() for process in self.processes if process.alive())

    def dead(self) -> str | None:
        """The last words of a program that has ended although nobody stopped it."""
        return next((process.last_words() for process in self.processes if not process.alive() and process.popen.returncode != 0), None)

    def close(self) -> None:
        """Ends what is left and reads what grivet said."""
        for process in self.processes:
            process.kill()
            for line in process.text(1).splitlines():
                if line.startswith("grivet: stats: "):
                    self.seen.green_threads += int(re.search(r"\bthreads=(\d+)", line)[1])
                elif line.startswith("grivet: ") and line not in self.seen.remarks:
                    self.seen.remarks.append(line)
        self.temporary.cleanup()
