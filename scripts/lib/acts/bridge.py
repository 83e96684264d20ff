"""Act 6 of scripts/demo, the bridge: async programs that await thousands of blocking calls, each on a thread of its own.

A tokio program by way of the crate grivet-bridge, an asyncio program of unchanged Python, and, if everything is to be
played, a PyTango device server. What is claimed is checked; the first claim that does not hold ends the demo.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from lib import venvs

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
LIBRARY = str(TARGET / "release/libgrivet.so")
PROGRAM = TARGET / "bridge/release/await_legacy"
VENV = TARGET / "demo/pytango"

NOT_CHANGED, PRELOADED = "-", "nothing"
BRIDGED = "calls go through grivet_bridge::call"

CALLS, ASKED, POOL, PYTHON_CALLS = 10_000, 4_000, 512, 5_000
DEVICES, CLIENTS = 20, 100
SERVER_STARTS_WITHIN = 30  # seconds


def claim(seen, otherwise):
    """Ends the demo with one line unless `seen`."""
    if not seen:
        sys.exit(f"demo: not as claimed: {otherwise}")


def play(stage, everything=False):
    """Plays the act; with `everything` also what takes long or needs PyPI."""
    build()
    stage.begin(
        6,
        "the bridge",
        "Async programs that need a library which blocks. Each call gets a thread of its own, which costs little if it is\n"
        "green, and the async side awaits it as it awaits anything.",
    )
    tokio(stage, everything)
    asyncio(stage)
    if everything:
        pytango(stage)


def build():
    words = ["cargo", "build", "--release", "--manifest-path", "bridge/Cargo.toml", "--target-dir", str(TARGET / "bridge")]
    claim(subprocess.run([*words, "-p", "grivet-bridge-demo"], stdout=sys.stderr).returncode == 0, "the bridge was built")


def seconds_of(run, right):
    """What the program says its calls took, of which all `right` must have given the right value."""
    last = next((line for line in reversed(run.lines) if " calls of " in line or " clients of " in line), "no result")
    claim(run.status == 0 and last.startswith(f"{right} of {right} "), f"{run.title}: {last} (status {run.status})")
    return float(re.search(r"in (\d+\.\d+) s", last)[1])


def in_one_kernel_thread(run):
    claim(run.kernel_threads == 1, f"{run.title}: {run.kernel_threads} kernel threads, not 1")


def tokio(stage, everything):
    stage.say(
        "A tokio program and a C library (bridge/demo). legacy_move sleeps for a second; tokio's own spawn_blocking makes\n"
        f"{POOL} such calls at a time."
    )
    calls = CALLS if everything else 2 * POOL
    pooled = stage.run("tokio spawn_blocking, native", [PROGRAM, "spawn_blocking", "move", str(calls)], NOT_CHANGED)
    by_pool = seconds_of(pooled, calls) / calls * CALLS
    if calls != CALLS:
        stage.say(f"That was {calls:,} calls; {CALLS:,} take {by_pool:.0f} s. Now {CALLS:,}, natively on a kernel thread each, then green.")

    words = [PROGRAM, "bridge", "move", str(CALLS)]
    native = stage.run(f"tokio bridge, {CALLS:,} calls, native", words, BRIDGED)
    seconds_of(native, CALLS)
    green = stage.run(f"tokio bridge, {CALLS:,} calls, grivet", words, BRIDGED, {"LD_PRELOAD": LIBRARY})
    took = seconds_of(green, CALLS)
    in_one_kernel_thread(green)
    claim(by_pool / took > 4, f"{green.title}: {by_pool / took:.1f} times as fast as spawn_blocking, not over 4 times")

    stage.say("legacy_ask waits for the answer of an instrument over TCP, which is an async task of the same program.")
    words = [PROGRAM, "bridge", "ask", str(ASKED)]
    asked = stage.run(f"tokio bridge, {ASKED:,} over TCP, grivet", words, BRIDGED, {"LD_PRELOAD": LIBRARY})
    claim(seconds_of(asked, ASKED) < 5, f"{asked.title}: not about one second")
    in_one_kernel_thread(asked)


def asyncio(stage):
    stage.say(f"The same in unchanged Python: {PYTHON_CALLS:,} times asyncio.to_thread(time.sleep, 1), in a pool as large.")
    words = ["python3", "demo-bin/asyncio_to_thread.py", str(PYTHON_CALLS)]
    native = stage.run(f"asyncio.to_thread, {PYTHON_CALLS:,} calls, native", words, NOT_CHANGED)
    before = seconds_of(native, PYTHON_CALLS)
    green = stage.run(f"asyncio.to_thread, {PYTHON_CALLS:,} calls, grivet", words, PRELOADED, {"LD_PRELOAD": LIBRARY})
    took = seconds_of(green, PYTHON_CALLS)
    in_one_kernel_thread(green)
    claim(took < 2 * before, f"{green.title}: {took:.2f} s, natively {before:.2f} s")


def pytango(stage):
    stage.say(
        "A PyTango device server in its synchronous green mode, without a database. Its command blocks for half a second.\n"
        "First TANGO's default, one command at a time for each device; then as many as clients ask for (NO_SYNC)."
    )
    try:
        python = venvs.python(VENV, "demo-bin/pytango-requirements.txt")
    except venvs.NotInstalled as reason:
        sys.exit(f"demo: {reason}")
    for model, devices, clients, about in (("BY_DEVICE", 1, 4, 2.0), ("NO_SYNC", DEVICES, CLIENTS, 0.5)):
        took = {}
        for way, variables in (("native", {}), ("grivet", {"LD_PRELOAD": LIBRARY})):
            with device_server(stage, python, model, variables) as server:
                words = [python, "demo-bin/tango_clients.py", server.port, str(devices), str(clients)]
                asked = stage.run(f"PyTango server {way}, {model}, {clients} clients", words, variables and PRELOADED or NOT_CHANGED)
            # The table is about the server; the clients run natively.
            asked.kernel_threads = server.most
            stage.output(f"(the server: {server.most:,} kernel thread{'s' if server.most != 1 else ''} at most)")
            took[way] = seconds_of(asked, clients)
            if way == "grivet":
                in_one_kernel_thread(asked)
        for way, seconds in took.items():
            claim(about <= seconds < about * 2 + 1, f"PyTango server {way}, {model}: {seconds:.2f} s, not about {about} s")


class DeviceServer:
    """A running server: its port, and the most kernel threads it had."""

    def __init__(self, process, port):
        self.process, self.port, self.most = process, port, 0
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self.sample)

    def sample(self):
        while not self.over.wait(0.01):
            try:
                self.most = max(self.most, os.stat(f"/proc/{self.process.pid}/task").st_nlink - 2)
            except FileNotFoundError:
                return


@contextmanager
def device_server(stage, python, model, variables):
    """demo-bin/tango_server.py, ready, on a port of 127.0.0.1 alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    devices = ",".join(f"test/axis/{number + 1}" for number in range(DEVICES))
    words = [str(python), "demo-bin/tango_server.py", "demo", "-ORBendPoint", f"giop:tcp:127.0.0.1:{port}", "-nodb", "-dlist"]
    settings = {"MODEL": model, **variables}
    stage.command(" ".join([*(f"{name}={value}" for name, value in settings.items()), *words, "test/axis/1,... &"]))
    environment = {name: value for name, value in os.environ.items() if not re.match(r"LD_PRELOAD$|GRIVET", name)}
    process = subprocess.Popen(
        [*words, devices], env={**environment, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    late = threading.Timer(SERVER_STARTS_WITHIN, process.kill)
    late.start()
    server = DeviceServer(process, port)
    try:
        ready = process.stdout.readline().strip()
        late.cancel()
        claim(ready == "Ready to accept request", f"the device server did not start: {ready}")
        server.sampler.start()
        yield server
    finally:
        late.cancel()
        server.over.set()
        process.kill()
        process.wait()
        process.stdout.close()
        if server.sampler.is_alive():
            server.sampler.join()
