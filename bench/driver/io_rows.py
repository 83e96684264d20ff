"""Rows of blocking input and output: pipes, sockets, servers under load, and tools of the system; each on one core and, beside it, on any."""

from rows import Load, Program, Row, Tool, divided

SAMPLE = "{sample}"  # the text that is compressed; programs.py puts its path here


def io_rows(quick: bool) -> list[Row]:
    """The rows; `quick` divides the counts by five."""
    table = []
    for pinned, where in ((True, "one core"), (False, "any core")):
        suffix = "-pinned" if pinned else ""
        table += hand_over_rows(quick, pinned, where, suffix)
    for pinned, where in ((True, "a core each"), (False, "any core")):
        suffix = "-pinned" if pinned else ""
        table += echo_rows(quick, pinned, where, suffix)
        table += server_rows(quick, pinned, where, suffix)
    return table + compute_rows()


def hand_over_rows(quick: bool, pinned: bool, where: str, suffix: str) -> list[Row]:
    """Threads of one process that hand bytes to each other."""
    count = divided(quick)
    rounds = count(100_000 if pinned else 25_000)
    operations = count(200_000 if pinned else 50_000)
    seconds = r"(?:Total time|Time): +([0-9.]+)"
    table = [Row(f"pipe-ping-pong{suffix}", f"pipe ping-pong, {where}, a round", "ns", Program("pipe_ping_pong", [rounds]), pinned=pinned)]
    for kind, name in (("unix", "Unix socket"), ("tcp", "TCP")):
        run = Program("socket_ping_pong", [rounds, kind])
        table.append(Row(f"{kind}-ping-pong{suffix}", f"{name} ping-pong, {where}, a round", "ns", run, pinned=pinned))
    tools = [
        ("perf-pipe", "perf bench sched pipe -T", "ops/s", ["perf", "bench", "sched", "pipe", "-T", "-l", operations], r"([0-9.]+) ops/sec"),
        ("perf-messaging", "perf bench sched messaging -t", "s", ["perf", "bench", "sched", "messaging", "-t", "-l", count(500)], seconds),
        ("hackbench-pipes", "hackbench -T -p -g 4", "s", ["hackbench", "-T", "-p", "-g", "4", "-l", count(2000)], seconds),
        ("hackbench-sockets", "hackbench -T -g 4", "s", ["hackbench", "-T", "-g", "4", "-l", count(2000)], seconds),
    ]
    return table + [Row(key + suffix, f"{title}, {where}", unit, Tool(command, pattern), pinned=pinned) for key, title, unit, command, pattern in tools]


def echo_rows(quick: bool, pinned: bool, where: str, suffix: str) -> list[Row]:
    """demo-bin/echo_server.c: a thread a connection."""
    table = []
    for connections in (100, 10_000):
        memory = pinned and connections == 10_000
        load = Load("echo", connections, int(divided(quick)(400_000)), memory=memory)
        key, title = f"echo-{connections}{suffix}", f"echo server, {connections:,} connections, {where}"
        figures = [("", title, "messages/s", "rate"), ("-p99", f"{title}, 99th percentile", "ns", "p99")]
        if memory:
            figures.append(("-memory", "memory of a connection's thread, 64K stack, the kernel's part included", "bytes", "memory"))
        for ending, what, unit, figure in figures:
            table.append(Row(key + ending, what, unit, load, figure=figure, pinned=pinned, settle=memory, limit=120))
    if pinned:
        counted = Load("echo", 100, int(divided(quick)(200_000)), count_calls=True)
        table.append(Row("echo-100-calls", "echo server, 100 connections: system calls a message", "calls", counted, figure="calls", pinned=True))
    return table


def server_rows(quick: bool, pinned: bool, where: str, suffix: str) -> list[Row]:
    """Servers that Debian packages, with 1,000 connections that are kept."""
    count = divided(quick)
    memcached, apache = Load("memcached", 1000, int(count(400_000))), Load("apache", 1000, int(count(100_000)))
    return [
        Row(f"memcached{suffix}", f"memcached -t 4, 1,000 connections, {where}", "requests/s", memcached, figure="rate", pinned=pinned),
        Row(f"apache{suffix}", f"Apache, mpm_worker, 1,000 connections, {where}", "requests/s", apache, figure="rate", pinned=pinned),
    ]


def compute_rows() -> list[Row]:
    """Programs that wait for little: here grivet has nothing to gain."""
    fetch = Tool(["curl", "--silent", "--fail", "http://localhost:{port}/large?[1-4]"], server="apache")
    return [
        Row("curl", "curl, 2 GiB from Apache on this machine, one core", "s", fetch, pinned=True),
        Row("pigz", "pigz -p 4, 32 MiB, one core", "s", Tool(["pigz", "-p", "4", "-c", SAMPLE]), pinned=True),
        Row("xz", "xz -T 4 -1, 32 MiB, one core", "s", Tool(["xz", "-T", "4", "-1", "-k", "-c", SAMPLE]), pinned=True),
    ]
