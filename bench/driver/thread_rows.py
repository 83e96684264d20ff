"""Rows of threads, locks and start-up: what is run for each, with which counts, on how many cores."""

from rows import Program, Row, divided

KIB = 1024
MIB = 1024 * KIB

COMPACT = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=0:glibc.rtld.nns=1"}


def thread_rows(python: str, quick: bool) -> list[Row]:
    """Rows of threads; `python` is the interpreter whose start-up is measured, `quick` divides the counts of the timed loops by five."""
    count = divided(quick)
    table = []
    for pinned, where in ((True, "one core"), (False, "any core")):
        suffix = "-pinned" if pinned else ""
        table.append(
            Row(
                f"semaphore-ping-pong{suffix}",
                f"semaphore ping-pong, {where}, a round",
                "ns",
                Program("semaphore_ping_pong", [count(200_000 if pinned else 25_000)]),
                {
                    "may": ["semaphore-ping-pong", count(1_000_000)],
                    "tokio": ["semaphore-ping-pong", count(1_000_000)],
                    "go": ["channel-ping-pong", count(1_000_000)],
                    "gevent": ["semaphore-ping-pong", count(100_000)],
                },
                pinned=pinned,
            )
        )
        table.append(
            Row(
                f"condvar-ping-pong{suffix}",
                f"mutex + condvar ping-pong, {where}, a round",
                "ns",
                Program("condvar_ping_pong", [count(150_000 if pinned else 25_000)]),
                {
                    "may": ["condvar-ping-pong", count(1_000_000)],
                    "tokio": ["condvar-ping-pong", count(1_000_000)],
                },
                pinned=pinned,
            )
        )
        table.append(
            Row(
                f"create-join{suffix}",
                f"thread created and joined, {where}",
                "ns",
                Program("create_join", [count(50_000 if pinned else 25_000)]),
                {
                    "may": ["create-join", count(300_000 if pinned else 25_000)],
                    "tokio": ["create-join", count(1_000_000)],
                    "go": ["create-join", count(1_000_000)],
                    "gevent": ["create-join", count(50_000)],
                },
                pinned=pinned,
            )
        )
    table.append(
        Row(
            "uncontended-mutex",
            "uncontended mutex, lock + unlock",
            "ns",
            Program("uncontended_mutex", [count(40_000_000)]),
            pinned=True,
        )
    )
    for environment, kind in (({}, ""), (COMPACT, "-compact")):
        for size, label in ((64 * KIB, "64K"), (8 * MIB, "8M")):
            comparators = {}
            if not environment:
                comparators["may"] = ["sleepers", "20000", str(size)]
                if size == 64 * KIB:
                    comparators |= {name: ["sleepers", "20000"] for name in ("tokio", "go", "gevent")}
            table.append(
                Row(
                    f"sleeping-{label}{kind}",
                    f"memory of a sleeping thread, {label} stack" + (", --compact" if kind else ""),
                    "bytes",
                    Program("sleeping_threads", ["20000", str(size)]),
                    comparators,
                    environment=environment,
                    note="with GLIBC_TUNABLES=" + environment["GLIBC_TUNABLES"] + ", natively too" if kind else "",
                )
            )
    table.append(
        Row(
            "start-true",
            "start-up of /bin/true",
            "ms",
            Program("start_up", [count(500), "/bin/true"], preload_by_argument=True),
            compare="difference",
            pinned=True,
        )
    )
    table.append(
        Row(
            "start-python",
            "start-up of python3 -c pass",
            "ms",
            Program("start_up", [count(50), python, "-I", "-S", "-c", "pass"], preload_by_argument=True),
            compare="difference",
            pinned=True,
            note="with -I -S: without site packages, which take longer than the interpreter",
        )
    )
    table.append(
        Row(
            "first-thread",
            "first thread of a process, created and joined (grivet: with activation)",
            "ms",
            Program("first_thread", []),
            compare="difference",
            pinned=True,
        )
    )
    table.append(
        Row(
            "spawned-call",
            "call spawned by a rule, and its end, 1,000 at most at once",
            "ns",
            Program("spawned_calls", [count(1_000_000)]),
            pinned=True,
            alone=True,
            environment={
                "GRIVET_SPAWN": "quick",
                "GRIVET_JOIN": "all_done",
                "GRIVET_LIMIT": "1000",
                "GLIBC_TUNABLES": "glibc.pthread.stack_cache_size=17179869184",
            },
            note="with GLIBC_TUNABLES=glibc.pthread.stack_cache_size=17179869184, as `grivet run --spawn` sets it",
        )
    )
    table.append(
        Row(
            "unspawned-call",
            "call of a function that no rule names, beside one that is spawned",
            "ns",
            Program("unspawned_calls", [count(200_000_000)]),
            pinned=True,
            environment={"GRIVET_SPAWN": "other"},
        )
    )
    for size, label in ((64 * KIB, "64K"), (8 * MIB, "8M")):
        table.append(
            Row(
                f"threads-100000-{label}",
                f"100,000 threads at once, {label} stacks, beyond their sleep of 3 s",
                "s",
                Program("many_threads", ["100000", "3", str(size)]),
                subtract=3.0,
                settle=True,
            )
        )
    table.append(
        Row(
            "threads-1000000",
            "1,000,000 threads at once, 64K stacks, beyond their sleep of 30 s",
            "s",
            Program("many_threads", ["1000000", "30", str(64 * KIB)]),
            subtract=30.0,
            limit=180,
            alone=True,
            settle=True,
            long=True,
        )
    )
    return table
