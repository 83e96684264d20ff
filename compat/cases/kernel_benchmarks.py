"""Benchmarks of the kernel's scheduler, pipes and sockets: hackbench and perf bench."""

import re

from catalogue import case
from stage import Stage


def seconds(stage: Stage, name: str, told: str) -> None:
    """Both programs print one time in seconds."""
    found = re.search(r"(?:Time|Total time): *([0-9.]+)", told)
    stage.check(found is not None, f"{name} ends without a time")
    if found and not stage.quick:
        stage.figure(name, float(found[1]), "s", more=False)


def hackbench(stage: Stage, *options: str) -> None:
    groups, loops = (2, 20) if stage.quick else (4, 150)
    told = stage.run(["hackbench", "-T", *options, "-g", groups, "-l", loops], limit=60).stdout
    stage.answer("report", re.sub(r"[0-9.]+$", "", told.strip()))
    seconds(stage, "time", told)


@case(
    "hackbench-sockets",
    "-T: groups of 20 senders and 20 receivers, over socket pairs",
    {"hackbench": "rt-tests"},
    ["dpkg-query", "-W", "rt-tests"],
)
def hackbench_sockets(stage: Stage) -> None:
    hackbench(stage)


@case("hackbench-pipes", "-T -p: the same over pipes", {"hackbench": "rt-tests"}, ["dpkg-query", "-W", "rt-tests"])
def hackbench_pipes(stage: Stage) -> None:
    hackbench(stage, "-p")


@case("perf-bench", "sched pipe -T, sched messaging -t with sockets and with pipes", {"perf": "linux-perf"}, ["perf", "--version"])
def perf_bench(stage: Stage) -> None:
    for name, arguments in {
        "pipe": ["pipe", "-T", "-l", "2000" if stage.quick else "50000"],
        "messaging": ["messaging", "-t", "-g", "3", "-l", "50"],
        "messaging, pipes": ["messaging", "-t", "-p", "-g", "3", "-l", "50"],
    }.items():
        seconds(stage, name, stage.run(["perf", "bench", "sched", *arguments], limit=60).stdout)
