"""A running program under test: started in a session of its own with a time limit that holds even if this driver dies, watched from outside while
it runs, and ended with all its processes."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import processes
from trouble import BindsElsewhere, Hangs


@dataclass
class Seen:
    """What was seen of the program's processes from outside, and what grivet said."""

    kernel_threads: int = 0  # the most at once in one process
    memory: int = 0  # the most of one process, in bytes
    processor_times: dict[int, float] = field(default_factory=dict)  # of each process, seconds
    green_threads: int = 0  # made by grivet, in all processes that said so when they ended
    remarks: list[str] = field(default_factory=list)


class Process:
    """A running program in a session of its own."""

    def __init__(self, name: str, command: list[str], cores: str, limit: float, outputs: list[Path], seen: Seen, **options: Any):
        self.name = name
        self.outputs = outputs
        self.seen = seen
        self.elsewhere: str | None = None  # an address for other machines on which it listens
        # If this driver is killed, timeout is, and with it the program.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        words = [*tied, "timeout", "-s", "KILL", str(limit + 5), *tied, "taskset", "-c", cores]
        with open(outputs[0], "wb") as stdout, open(outputs[1], "ab") as stderr:
            self.popen = subprocess.Popen([*words, *command], stdout=stdout, stderr=stderr, start_new_session=True, **options)
        self.session = self.popen.pid
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def watch(self) -> None:
        """Looks at the processes while they run, and ends them if they listen for other machines."""
        pause, look = 0.005, time.monotonic() + 0.1
        while self.popen.returncode is None:
            if time.monotonic() > look:
                look = time.monotonic() + 2
                self.elsewhere = self.elsewhere or processes.listens_elsewhere(self.session)
                if self.elsewhere:
                    self.end_all()
            for process in processes.members(self.session):
                self.seen.kernel_threads = max(self.seen.kernel_threads, processes.kernel_threads(process))
                self.seen.processor_times[process] = processes.processor_time(process) or self.seen.processor_times.get(process, 0.0)
                self.seen.memory = max(self.seen.memory, processes.most_memory(process))
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def text(self, output: int) -> str:
        return self.outputs[output].read_text(encoding="utf-8", errors="replace")

    def alive(self) -> bool:
        return self.popen.poll() is None

    def last_words(self) -> str:
        """How the program ended, for a table: by which status or signal, and its last line."""
        status = self.popen.returncode
        ended = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        lines = self.text(1).strip().splitlines() or self.text(0).strip().splitlines() or [""]
        lines = [line for line in lines if not line.startswith("grivet: stats")] or [""]
        return f"{self.name}: {ended}: {lines[-1]}"[:300]

    def send(self, number: int) -> None:
        """Sends a signal to the program itself, which is timeout's child."""
        for process in processes.members(self.session):
            if processes.parent(process) == self.session:
                os.kill(process, number)

    def wait(self, limit: float) -> int:
        """The exit status (negative: a signal's number); Hangs if there is none within `limit` seconds."""
        try:
            return self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            raise Hangs(f"{self.name} has not ended after {limit:.0f} s{self.calls()}") from None

    def calls(self) -> str:
        """Where the processes are, for a hang's report."""
        where = [" ".join(processes.system_calls(process)[:8]) for process in processes.members(self.session) if process != self.session]
        return f" (in system call {', '.join(where)})" if any(where) else ""

    def stop(self, number: int = signal.SIGTERM, limit: float = 15) -> int:
        """Ends a server by signal as its manual says, and returns its exit status."""
        self.refuse_strangers()
        self.send(number)
        return self.wait(limit)

    def refuse_strangers(self) -> None:
        """Goes no further with a program that listens for other machines."""
        self.elsewhere = self.elsewhere or processes.listens_elsewhere(self.session)
        if self.elsewhere:
            raise BindsElsewhere(f"{self.name} listens on {self.elsewhere}")

    def end_all(self) -> None:
        """Kills whatever is left of the session."""
        while left := processes.members(self.session):
            for process in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            time.sleep(0.01)

    def kill(self) -> None:
        """Kills whatever is left and waits for it."""
        self.end_all()
        self.popen.wait()
        self.watcher.join()
