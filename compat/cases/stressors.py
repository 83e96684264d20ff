"""stress-ng: its stressors for everything that threads and processes wait in. It forks a process for each instance; some of these make
threads. Each must end by itself with its verification passed and with some operations done."""

import re

from catalogue import case
from stage import Stage

# Stressor -> operations after which it ends.
STRESSORS = {
    "sockpair": 2000,
    "pipe": 20000,
    "poll": 4000,
    "epoll": 2000,
    "fifo": 20000,
    "mq": 20000,
    "msg": 20000,
    "sem-sysv": 20000,
    "flock": 20000,
    "timerfd": 10000,
    "eventfd": 20000,
    "switch": 20000,
    "pthread": 300,
    "mutex": 2000,
    "sem": 2000,
    "futex": 20000,
    "nanosleep": 500,
    "aio": 1000,
}
# Threads that libc makes for itself do not pass through pthread_create, and the process has no others.
LIMITS = dict.fromkeys(("mq", "aio"), "its threads are made inside libc, without a call of pthread_create: they stay the kernel's")


def stress(stage: Stage, stressor: str) -> None:
    operations = STRESSORS[stressor] // (10 if stage.quick else 1)
    command = [
        "stress-ng",
        f"--{stressor}",
        "2",
        f"--{stressor}-ops",
        operations,
        "--timeout",
        "20",
        "--verify",
        "--metrics-brief",
        "--temp-path",
        stage.directory,
    ]
    if stressor == "epoll":
        # Without it, it listens on all interfaces; "sock" and "udp", which do so whatever they are told, are left out.
        command += ["--epoll-domain", "unix"]
    told = stage.run(command, limit=60)
    found = re.search(rf"{stressor} +(\d+) +([0-9.]+)", told.stdout + told.stderr)
    stage.check(found is not None and int(found[1]) > 0, "no operations were done")
    if found and not stage.quick:
        stage.figure("operations", int(found[1]) / max(float(found[2]), 0.01), "a second")


def add(stressor: str) -> None:
    commands, version, limit = {"stress-ng": "stress-ng"}, ["stress-ng", "--version"], LIMITS.get(stressor, "")
    case(f"stress-ng-{stressor}", "2 instances", commands, version, limit=limit)(lambda stage: stress(stage, stressor))


for STRESSOR in STRESSORS:
    add(STRESSOR)
