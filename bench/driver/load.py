"""Puts a server under load: starts it, starts the load client, and reads what the server holds when all connections are made, or counts its
system calls."""

import subprocess
import tempfile
import time
from pathlib import Path

import launch
import servers
from rows import Load, Row

REST = 0.3  # seconds for what has begun to come to rest, before memory is looked at
CLIENT_AT_LIMIT = 0.9  # share of its core
KIB = 1024


class Stopped(Exception):
    """A process that takes part has ended before its time; the text says how."""


def run(setting: launch.Setting, row: Row, column: str) -> launch.Outcome:
    """One turn of a row with a Load."""
    load: Load = row.run
    server_core, client_core = (setting.cores[0], setting.cores[-1]) if row.pinned else (None, None)
    variables = launch.variables(setting, row, column)
    outcome = launch.Outcome()
    try:
        connection = connection_memory(setting) if load.memory else 0.0  # now, while nothing else comes or goes
        with servers.started(load.server, setting, row.limit, server_core, variables) as server:
            try:
                outcome.figures = figures(setting, row, server, client_core, connection)
            finally:
                outcome.said = server.said()
            if outcome.figures.get("client", 0.0) > CLIENT_AT_LIMIT:
                outcome.remark = f"the load client used over {CLIENT_AT_LIMIT:.0%} of its core: the server might do more"
    except (servers.NotStarted, Stopped, TimeoutError, ConnectionError) as failure:
        outcome.failure = str(failure)
    return outcome


def figures(setting: launch.Setting, row: Row, server: servers.Server, core: int | None, connection: float) -> dict[str, float]:
    """What the row's load gives; `core` is the client's, `connection` the bytes that a connection takes without its thread."""
    load: Load = row.run
    size = servers.answer_size(load.server, server)
    with tempfile.NamedTemporaryFile() as request:
        Path(request.name).write_bytes(servers.REQUESTS[load.server])
        time.sleep(REST)  # the thread of the connection that asked for the size has gone
        before = memory_held(server.pid())
        arguments = [str(server.port), str(load.connections), str(load.requests), request.name, str(size)]
        words = launch.wrapped(setting.programs["load_client"] + arguments, row.limit, core, {})
        client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=launch.clean_environment())
        with client:
            if client.stdout.readline() != "connected\n":
                raise stopped(client, client.communicate()[1], row)
            time.sleep(REST)
            held = memory_held(server.pid()) - before
            if load.count_calls:
                calls, results = counting_calls(server, client, row)
                return {"calls": calls / results["answered"]}
            results = finish(client, row)
    if load.memory:
        results["memory"] = held / load.connections - connection
    return results


def finish(client: subprocess.Popen, row: Row) -> dict[str, float]:
    """Lets the client go on; what it measured, by name."""
    output, errors = client.communicate("\n")
    if client.returncode != 0:
        raise stopped(client, errors, row)
    return {name: float(value) for name, value in (line.split() for line in output.splitlines())}


def stopped(client: subprocess.Popen, errors: str, row: Row) -> Stopped:
    return Stopped(f"load client: {launch.how_it_ended(client.returncode, errors.splitlines(), row.limit)}")


def counting_calls(server: servers.Server, client: subprocess.Popen, row: Row) -> tuple[int, dict[str, float]]:
    """System calls that all threads of the server make, and what the client measured, from here to the client's end. `perf stat` counts while
    the `cat` that it starts lives, and that `cat` passes a line on shows that it has begun."""
    words = ["timeout", "-s", "KILL", str(row.limit), "perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", str(server.pid()), "cat"]
    counter = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with counter:
        counter.stdin.write("begun\n")
        counter.stdin.flush()
        counter.stdout.readline()
        results = finish(client, row)
        _, counts = counter.communicate()
    line = next((line for line in counts.splitlines() if "sys_enter" in line), "")
    if not line.split(",")[0].isdigit():
        raise Stopped(f"perf stat: {counts.strip() or 'no figure'}")
    return int(line.split(",")[0]), results


def memory_held(pid: int) -> int:
    """Bytes that process `pid` holds, and what the kernel holds for its threads: VmRSS and VmPTE of /proc/PID/status, KernelStack and SUnreclaim
    (slabs that can't be taken back) of /proc/meminfo. The latter two are the whole system's: only differences mean something, while nothing else
    runs."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines() + Path("/proc/meminfo").read_text().splitlines()
    parts = ("VmRSS:", "VmPTE:", "KernelStack:", "SUnreclaim:")
    return sum(int(line.split()[1]) * KIB for line in lines if line.startswith(parts))


def connection_memory(setting: launch.Setting) -> float:
    """Bytes that the kernel holds for a connection alone, both of its ends, whoever serves it."""
    words = ["timeout", "-s", "KILL", "60", *setting.programs["idle_connections"], "5000"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stopped(f"idle connections: {launch.how_it_ended(done.returncode, done.stderr.splitlines(), 60)}")
    return float(done.stdout)
