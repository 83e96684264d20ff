"""Where the demo's acts play: runs programs, shows what they print, measures them, and keeps each run for the table.

A program is watched from outside: its output, its wall time, and the kernel threads that it has, out of
/proc/PID/task. What an act then claims of a run ends the demo if it was not seen (`claim`). The claims that several
acts make stand at the end.
"""

import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
LIBRARY = TARGET / "release/libgrivet.so"
CLASSIC = TARGET / "release/libgrivet_classic.so"
COMMAND = TARGET / "release/grivet"
PROGRAMS = TARGET / "demo"

TIME_LIMIT = 60  # seconds, for one run of one program
SAMPLE_EVERY = 0.005  # seconds between two looks at /proc/PID/task

REMARK_WIDTH = 90  # columns, of the table's last one

# What had to change for a run.
NOT_CHANGED = "-"
NAMES_GIVEN = "nothing: {} on the command line"
PRELOADED = "nothing"


class DemoError(Exception):
    """What ended the demo, as the one line its user reads."""


@dataclass
class Act:
    """One act: `build` makes what it needs, `play` shows it. Both are given the demo's options."""

    number: str
    play: object
    build: object


@dataclass
class Run:
    """One program run to its end, or to its time limit."""

    act: object  # its number as shown, such as 2 or 3b
    title: str
    change: str  # what had to change for this run, as the table at the end says it
    lines: list[str]
    status: int | None  # None: ended from outside at its time limit
    seconds: float
    kernel_threads: int  # most at once, as sampled

    def texts(self):
        """The lines without their times."""
        return [re.sub(r"^\[.*?\] |\d+\.\d+ s", "", line) for line in self.lines]

    def index(self, text):
        """Where the line `text` stands; a line that is missing ends the demo."""
        texts = self.texts()
        claim(text in texts, f"{self.title}: no line “{text}”")
        return texts.index(text)

    def remark(self):
        """What had to change for the run, or how it failed."""
        if self.status == 0:
            return self.change
        last = self.lines[-1] if self.lines else "no output"
        failed = f"hangs after: {last}" if self.status is None else f"failed: {last}"
        return failed if len(failed) <= REMARK_WIDTH else f"{failed[: REMARK_WIDTH - 1]}…"


def claim(seen, otherwise):
    """Ends the demo with the line `otherwise` unless `seen`."""
    if not seen:
        raise DemoError(f"not as claimed: {otherwise}")


class Stage:
    """Shows the acts, and keeps what was run for the table at the end."""

    def __init__(self, plain):
        self.styled = sys.stdout.isatty() and not plain and "NO_COLOR" not in os.environ
        self.act = ""
        self.runs = []

    def _style(self, code, text):
        """Bold, dim or green on a terminal, plain elsewhere."""
        return f"\033[{code}m{text}\033[0m" if self.styled else text

    def begin(self, act, heading, context):
        self.act = act
        print(f"\n{self._style('1', f'Act {self.act}: {heading}')}\n{context}", flush=True)

    def say(self, text):
        print(f"\n{text}", flush=True)

    def command(self, text):
        print(f"\n  {self._style('1;32', '$ ' + text)}", flush=True)

    def output(self, line):
        print(f"  {line}", flush=True)

    def measured(self, run):
        threads = f"{run.kernel_threads:,} kernel thread{'s' if run.kernel_threads != 1 else ''}"
        hung = ", still not done: ended" if run.status is None else ""
        print(self._style("2", f"  -> {run.seconds:.2f} s, {threads} at most{hung}"), flush=True)

    def run(self, title, words, change, variables=None, limit=None):
        """Runs the command `words` with `variables` added to the environment, shows it, and returns its Run.

        With a `limit`, in seconds, a run that takes longer is ended and returned; without, it ends the demo.
        """
        variables = {name: str(value) for name, value in (variables or {}).items()}
        settings = [f"{name}={value}" for name, value in variables.items()]
        self.command(" ".join(settings + [str(word) for word in words]))
        environment = {name: value for name, value in os.environ.items() if not re.match(r"LD_PRELOAD$|GRIVET", name)}
        environment.update(variables)

        begin = time.monotonic()
        deadline = begin + (limit or TIME_LIMIT)
        program = subprocess.Popen(
            words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        result = Run(self.act, title, change, [], None, 0.0, 0)
        try:
            self.watch(program, deadline, result)
            result.status = program.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            if limit is None:
                raise DemoError(f"{title}: not done after {TIME_LIMIT} s, ended") from None
        finally:
            if program.poll() is None:
                program.kill()
                program.wait()
            program.stdout.close()
        result.seconds = time.monotonic() - begin
        self.runs.append(result)
        self.measured(result)
        return result

    def once(self, title, words, change, variables=None):
        """The run with this title: that of an earlier act, or one made now."""
        earlier = [one for one in self.runs if one.title == title]
        return earlier[0] if earlier else self.run(title, words, change, variables)

    def watch(self, program, deadline, result):
        """Shows what `program` prints while it counts its kernel threads, until it closes its output."""
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(program.stdout, selectors.EVENT_READ)
            while True:
                result.kernel_threads = max(result.kernel_threads, kernel_threads(program.pid))
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(program.args, deadline)
                if not selector.select(SAMPLE_EVERY):
                    continue
                chunk = os.read(program.stdout.fileno(), 65536)
                *complete, pending = (pending + chunk).split(b"\n")
                if not chunk and pending:
                    complete.append(pending)
                for line in complete:
                    result.lines.append(line.decode(errors="replace"))
                    self.output(result.lines[-1])
                if not chunk:
                    return


def kernel_threads(pid):
    """How many kernel threads process `pid` has now: the subfolders of /proc/PID/task, counted by its link count."""
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except FileNotFoundError:
        return 0


def ended_well(one):
    claim(one.status == 0, f"{one.title}: exit status {one.status}")


def in_one_kernel_thread(one):
    claim(one.kernel_threads == 1, f"{one.title}: {one.kernel_threads} kernel threads, not 1")


def tasks_overlap(one):
    """Claims that A and B of `one` had both started before either finished, and that the total came last."""
    ended_well(one)
    started = max(one.index("A starts"), one.index("B starts"))
    finished = min(one.index("A finishes"), one.index("B finishes"))
    claim(started < finished, f"{one.title}: a task finished before both had started")
    claim(one.index("Total ") == len(one.lines) - 1, f"{one.title}: the total was not the last line")


def same_lines(before, after):
    """Claims that the two runs printed the same, in whatever order."""
    claim(sorted(before.texts()) == sorted(after.texts()), f"{after.title}: other lines than {before.title}")
