"""Act 6, the bridge: async programs that await thousands of blocking calls, each on a thread of its own.

A tokio program by way of the crate grivet-bridge, an asyncio program of unchanged Python, and, if everything is to be
played, a PyTango device server. What is claimed is checked; the first claim that does not hold ends the demo.
"""

import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager

from lib import making, venvs
from lib.stage import (
    LIBRARY,
    NOT_CHANGED,
    PRELOADED,
    PROGRAMS,
    TARGET,
    Act,
    DemoError,
    claim,
    in_one_kernel_thread,
    kernel_threads,
)

BRIDGE = TARGET / "bridge"
AWAIT_LEGACY = BRIDGE / "release/await_legacy"
PYTANGO = PROGRAMS / "pytango"

UNDER_GRIVET = {"LD_PRELOAD": LIBRARY}
BRIDGED = "calls go through grivet_bridge::call"

CALLS, ASKED, POOL, PYTHON_CALLS = 10_000, 4_000, 512, 5_000
DEVICES, CLIENTS = 20, 100
HELPERS = 4  # of grivet's, which read what the disk does not have in its cache, and end a second later
SERVER_STARTS_WITHIN = 30  # seconds


def build(options):
    manifest = ["--manifest-path", "bridge/Cargo.toml", "--target-dir", BRIDGE]
    making.made("cargo", "build", "--release", "--locked", *manifest, "-p", "grivet-bridge-demo")
    if options.all:
        tango_python()


def tango_python():
    """A Python with PyTango, in an environment of its own."""
    try:
        return venvs.python(PYTANGO, "demo-bin/pytango-requirements.txt")
    except venvs.NotInstalled as reason:
        raise DemoError(reason) from None


def play(stage, options):
    stage.begin(
        6,
        "the bridge",
        "Async programs that need a library which blocks. Each call gets a thread of its own, which costs little if it\n"
        "is green, and the async side awaits it as it awaits anything.",
    )
    tokio(stage, options.all)
    asyncio(stage)
    if options.all:
        pytango(stage)


def seconds_of(run, right):
    """What the program says its calls took, of which all `right` must have given the right value."""
    last = next((line for line in reversed(run.lines) if " calls of " in line or " clients of " in line), "no result")
    claim(run.status == 0 and last.startswith(f"{right} of {right} "), f"{run.title}: {last} (status {run.status})")
    return float(re.search(r"in (\d+\.\d+) s", last)[1])


def tokio(stage, everything):
    stage.say(
        "A tokio program and a C library (bridge/demo). legacy_move sleeps for a second; tokio's own spawn_blocking\n"
        f"makes {POOL} such calls at a time."
    )
    calls = CALLS if everything else 2 * POOL
    words = [AWAIT_LEGACY, "spawn_blocking", "move", str(calls)]
    pooled = stage.run(f"tokio spawn_blocking, {calls:,} calls, native", words, NOT_CHANGED)
    by_pool = seconds_of(pooled, calls) / calls * CALLS
    if calls != CALLS:
        stage.say(
            f"That was {calls:,} calls; {CALLS:,} take {by_pool:.0f} s. Now {CALLS:,} by the bridge: natively on a kernel\n"
            "thread each, then green."
        )

    words = [AWAIT_LEGACY, "bridge", "move", str(CALLS)]
    native = stage.run(f"tokio bridge, {CALLS:,} calls, native", words, BRIDGED)
    seconds_of(native, CALLS)
    green = stage.run(f"tokio bridge, {CALLS:,} calls, grivet", words, BRIDGED, UNDER_GRIVET)
    took = seconds_of(green, CALLS)
    in_one_kernel_thread(green)
    claim(by_pool / took > 4, f"{green.title}: {by_pool / took:.1f} times as fast as spawn_blocking, not over 4 times")

    stage.say("legacy_ask waits for the answer of an instrument over TCP, which is an async task of the same program.")
    words = [AWAIT_LEGACY, "bridge", "ask", str(ASKED)]
    asked = stage.run(f"tokio bridge, {ASKED:,} over TCP, grivet", words, BRIDGED, UNDER_GRIVET)
    claim(seconds_of(asked, ASKED) < 5, f"{asked.title}: not about one second")
    in_one_kernel_thread(asked)


def asyncio(stage):
    stage.say(f"Unchanged Python: {PYTHON_CALLS:,} times asyncio.to_thread(time.sleep, 1), in a pool as large.")
    words = ["python3", "demo-bin/asyncio_to_thread.py", str(PYTHON_CALLS)]
    native = stage.run(f"asyncio.to_thread, {PYTHON_CALLS:,} calls, native", words, NOT_CHANGED)
    before = seconds_of(native, PYTHON_CALLS)
    green = stage.run(f"asyncio.to_thread, {PYTHON_CALLS:,} calls, grivet", words, PRELOADED, UNDER_GRIVET)
    took = seconds_of(green, PYTHON_CALLS)
    in_one_kernel_thread(green)
    claim(took < 2 * before, f"{green.title}: {took:.2f} s, natively {before:.2f} s")


def pytango(stage):
    stage.say(
        "A PyTango device server in its synchronous green mode, without a database. Its command blocks for half a\n"
        "second. First TANGO's default, one command at a time for each device; then as many as clients ask for (NO_SYNC)."
    )
    python = tango_python()
    for model, devices, clients, about in (("BY_DEVICE", 1, 4, 2.0), ("NO_SYNC", DEVICES, CLIENTS, 0.5)):
        took = {}
        for way, variables in (("native", {}), ("grivet", UNDER_GRIVET)):
            with device_server(stage, python, model, variables) as server:
                words = [python, "demo-bin/tango_clients.py", server.port, str(devices), str(clients)]
                change = PRELOADED if variables else NOT_CHANGED
                asked = stage.run(f"PyTango server {way}, {model}, {clients} clients", words, change)
            # The table is about the server; the clients run natively.
            asked.kernel_threads = server.most
            stage.output(f"(the server: {server.most:,} kernel thread{'s' if server.most != 1 else ''} at most)")
            took[way] = seconds_of(asked, clients)
            if way == "grivet":
                claim(server.most <= 1 + HELPERS, f"{asked.title}: {server.most} kernel threads")
        for way, seconds in took.items():
            in_time = about <= seconds < about * 2 + 1
            claim(in_time, f"PyTango server {way}, {model}: {seconds:.2f} s, not about {about} s")


class DeviceServer:
    """A running server: its port, and the most kernel threads it had."""

    def __init__(self, process, port):
        self.process, self.port, self.most = process, port, 0
        self.over = threading.Event()
        self.sampler = threading.Thread(target=self.sample)

    def sample(self):
        while not self.over.wait(0.01):
            self.most = max(self.most, kernel_threads(self.process.pid))


@contextmanager
def device_server(stage, python, model, variables):
    """demo-bin/tango_server.py, ready, on a port of 127.0.0.1 alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    devices = ",".join(f"test/axis/{number + 1}" for number in range(DEVICES))
    address = f"giop:tcp:127.0.0.1:{port}"
    words = [str(python), "demo-bin/tango_server.py", "demo", "-ORBendPoint", address, "-nodb", "-dlist"]
    settings = {"MODEL": model, **{name: str(value) for name, value in variables.items()}}
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


ACTS = (Act("6", play, build),)
