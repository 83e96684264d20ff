"""Cells of a notebook, run by a real IPython kernel as a notebook's frontend runs them.

    jupyter_cells.py [--preload LIBRARY] [--patience SECONDS] gevent | threads [N]

Starts a kernel, with LIBRARY preloaded into it and into nothing else, and sends it cells. `gevent`: one patches Python
with gevent and spawns two blocking tasks. `threads`: one starts N (200) threads that block for half a second, and the
next is interrupted while its threads block. Both end with a cell that any living kernel answers. Printed is what the
kernel sent, what became of each cell, the errors that the kernel logged, and how it ended.

The kernel listens on 127.0.0.1 alone, keeps its files in a folder that is removed again, and every wait has a time
limit. Exit status 0 says that the kernel started, whatever it made of its cells; 1, that it never answered.
"""

import argparse
import ctypes
import importlib.metadata
import os
import platform
import re
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ENDS_WITHIN = 10  # seconds
HELPERS_END_WITHIN = 2.5  # seconds; grivet has some for what only a disk can answer, which end after an idle second
PR_SET_PDEATHSIG = 1
SECONDS = 0.5  # that a task of the thread cells blocks

TASK = r"""
import time

def blocking_task(name):
    print(f"{name} starts\n", end="")
    time.sleep(1)
    print(f"{name} finishes\n", end="")
"""

# What the kernel's own thread for messages believes to be, before and after the patch, is asked along the way.
GEVENT = f"""{TASK}
import threading

def name_of_the_messages_thread():
    answer = []
    loop = get_ipython().kernel.shell_channel_thread.io_loop
    loop.add_callback(lambda: answer.append(threading.current_thread().name))
    while not answer:
        time.sleep(0.01)
    return answer[0]

before = name_of_the_messages_thread()
import gevent, gevent.monkey
gevent.monkey.patch_all()
gevent.joinall([gevent.spawn(blocking_task, "A"), gevent.spawn(blocking_task, "B")])
print(f"the kernel's thread {{before!r}} is now {{name_of_the_messages_thread()!r}}")
"""

TWO_THREADS = f"""{TASK}
import threading

tasks = [threading.Thread(target=blocking_task, args=name) for name in "AB"]
for task in tasks: task.start()
for task in tasks: task.join()
"""

THREADS = f"""
import threading, time

begin = time.monotonic()
done = []

def blocking_task(number):
    time.sleep({SECONDS})
    done.append(number)

tasks = [threading.Thread(target=blocking_task, args=(number,)) for number in range({{count}})]
for task in tasks: task.start()
for task in tasks: task.join()
print(f"{{{{len(done)}}}} tasks in {{{{time.monotonic() - begin:.2f}}}} s")
"""

INTERRUPTED = f"""
tasks = [threading.Thread(target=time.sleep, args=(4,)) for _ in range({{count}})]
for task in tasks: task.start()
print("interrupt me")
for task in tasks: task.join()
"""

ANSWER = "print(6 * 7)"


def say(text):
    print(text, flush=True)


def versions():
    names = ("ipykernel", "jupyter-client", "pyzmq", "tornado", "gevent")
    packages = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join([*packages, f"{platform.python_implementation()} {platform.python_version()}"])


def end_with_the_driver():
    """Called in the kernel's process: it is killed when the driver is, as a silent one would not end itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Silent(Exception):
    """The kernel does not answer."""


class Kernel:
    """A running kernel and its client."""

    def __init__(self, folder, library, patience):
        from jupyter_client import KernelManager

        environment = {name: value for name, value in os.environ.items() if not re.match(r"LD_PRELOAD$|GRIVET", name)}
        if library:
            environment |= {"LD_PRELOAD": str(library), "GRIVET_STATS": "1"}
        self.log = open(folder / "stderr", "w+", errors="replace")
        self.logged = 0
        self.errors = set()  # those printed
        self.manager = KernelManager(
            kernel_name="python3",
            ip="127.0.0.1",
            connection_file=str(folder / "connection.json"),
            shutdown_wait_time=ENDS_WITHIN,
        )
        begin = time.monotonic()
        self.manager.start_kernel(env=environment, stderr=self.log, preexec_fn=end_with_the_driver)
        self.process = self.manager.provisioner.process
        self.most_kernel_threads, self.over = 0, threading.Event()
        self.sampler = threading.Thread(target=self.sample)
        self.sampler.start()
        self.client = self.manager.client()
        try:
            self.client.start_channels()
            self.client.wait_for_ready(timeout=patience)
        except BaseException as error:
            state = self.state()
            self.end(now=True)
            if isinstance(error, RuntimeError):
                raise Silent(f"the kernel did not answer in {patience:.0f} s; {state}") from None
            raise
        say(f"the kernel is ready after {time.monotonic() - begin:.1f} s")

    def kernel_threads(self):
        """How many the process has now, seen from outside."""
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/task"))
        except FileNotFoundError:
            return 0

    def sample(self):
        while not self.over.wait(0.01):
            self.most_kernel_threads = max(self.most_kernel_threads, self.kernel_threads())

    def interrupt(self):
        """Interrupts the running cell, after a look at the kernel threads that outlast `HELPERS_END_WITHIN`."""
        begin, fewest = time.monotonic(), self.kernel_threads()
        while time.monotonic() < begin + HELPERS_END_WITHIN:
            time.sleep(0.05)
            fewest = min(fewest, self.kernel_threads())
        say(f"  (kernel threads that last while these block: {fewest})")
        self.manager.interrupt_kernel()

    def state(self):
        return f"the process is {'alive' if self.process.poll() is None else 'dead'}"

    def addresses(self):
        """The addresses of this machine that the kernel listens on."""
        connections = psutil.Process(self.process.pid).net_connections("inet")
        return sorted({one.laddr.ip for one in connections if one.status in ("LISTEN", psutil.CONN_NONE)})

    def run(self, about, code, limit, interrupt_at=None):
        """Runs a cell, and says what came of it; interrupts the kernel when the cell prints `interrupt_at`."""
        say(f"cell: {about}")

        def show(message):
            content = message["content"]
            if message["msg_type"] == "stream" and content["name"] == "stderr":
                errors.append(content["text"])
            elif message["msg_type"] == "stream":
                for line in content["text"].splitlines():
                    say(f"  | {line}")
                if interrupt_at and interrupt_at in content["text"]:
                    self.interrupt()
            elif message["msg_type"] == "error":
                say(f"  | {content['ename']}")

        errors = []
        begin = time.monotonic()
        try:
            reply = self.client.execute_interactive(code, timeout=limit, output_hook=show)
            outcome = f"replied {reply['content']['status']!r}"
        except TimeoutError:
            outcome = f"no reply; {self.state()}"
        say(f"  -> after {time.monotonic() - begin:.2f} s: {outcome}")
        self.print_errors("".join(errors) + self.new_in_log())

    def new_in_log(self):
        self.log.seek(self.logged)
        text = self.log.read()
        self.logged = self.log.tell()
        return text

    def print_errors(self, text):
        """Prints the errors in `text`, each once and without the way to it: what, by which statement, where."""
        place, statement = "", ""
        for line in text.splitlines():
            if frame := re.match(r'  File ".*?([^/]+/[^/]+\.py)", line (\d+), in (\S+)', line):
                place, statement = f"{frame[1]}, line {frame[2]}, in {frame[3]}", ""
            elif line.startswith("    ") and not statement:
                statement = line.strip()
            elif re.match(r"\w+Error\b", line) and place:
                error = f"  ! {line}: {statement} ({place})"
                if error not in self.errors:
                    self.errors.add(error)
                    say(error)
                place = ""
            elif line.startswith("grivet: "):
                say(line)

    def end(self, now=False):
        begin = time.monotonic()
        self.manager.shutdown_kernel(now=now)
        self.client.stop_channels()
        self.over.set()
        self.sampler.join()
        status = self.process.poll()
        asked = "ended from outside" if now else "asked to shut down: ended"
        say(f"{asked} after {time.monotonic() - begin:.1f} s, exit status {status}")
        self.print_errors(self.new_in_log())
        self.log.close()
        most = self.most_kernel_threads
        say(f"the kernel had {most} kernel thread{'s' if most != 1 else ''} at most")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--preload", type=Path, metavar="LIBRARY")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS", help="for the kernel to start (60)")
    parser.add_argument("cells", choices=("gevent", "threads"))
    parser.add_argument("count", type=int, nargs="?", default=200)
    options = parser.parse_args()

    say(versions())
    # Beside the packages, which is below the cargo target folder; nothing of the user's own Jupyter is read or written.
    with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
        folder = Path(folder)
        for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
            (folder / name).mkdir()
            os.environ[name] = str(folder / name)
        os.environ.pop("JUPYTER_PATH", None)
        try:
            kernel = Kernel(folder, options.preload and options.preload.absolute(), options.patience)
        except Silent as state:
            sys.exit(str(state))
        try:
            say(f"it listens at {', '.join(kernel.addresses())} alone")
            if options.cells == "gevent":
                kernel.run("gevent.monkey.patch_all(), and two blocking tasks", GEVENT, 10)
            else:
                count = options.count
                kernel.run("two blocking tasks in threads", TWO_THREADS, 20)
                kernel.run(f"{count} threads that block for {SECONDS} s", THREADS.format(count=count), 60)
                kernel.run(f"{count} threads, interrupted", INTERRUPTED.format(count=count), 20, "interrupt me")
            kernel.run(ANSWER, ANSWER, 5 if options.cells == "gevent" else 20)
        finally:
            kernel.end()


if __name__ == "__main__":
    main()
