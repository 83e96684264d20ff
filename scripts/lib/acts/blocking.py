"""Acts 1 and 2: a program that waits for one thing after the other, natively, and told two names under grivet."""

import re
import subprocess
from contextlib import contextmanager

from lib import making, timeline
from lib.stage import (
    COMMAND,
    NAMES_GIVEN,
    NOT_CHANGED,
    PROGRAMS,
    Act,
    DemoError,
    claim,
    ended_well,
    in_one_kernel_thread,
    tasks_overlap,
)

TASKS = ("sequential_tasks", "sequential_tasks_rust")
FETCHED, FETCHED_NATIVELY = 200, 20  # items of the batch tool


def build_tasks(options):
    making.c_program("sequential_tasks")
    making.rust_program("sequential_tasks")


def build_batch(options):
    build_tasks(options)
    making.c_program("fetch_all")
    making.made("strip", "-o", PROGRAMS / "sequential_tasks_stripped", PROGRAMS / "sequential_tasks")


def natively(stage, name):
    """The run of a program of `TASKS` without grivet: that of an earlier act, or one made now."""
    return stage.once(f"{name}, native", [PROGRAMS / name], NOT_CHANGED)


def act_blocking(stage, options):
    stage.begin(
        1,
        "the blocking problem",
        "Two tasks wait two seconds each. One thread does them one after the other, so the waits add up. The same\n"
        "program in C and in Rust.",
    )
    for name in TASKS:
        one = natively(stage, name)
        ended_well(one)
        claim(one.index("A finishes") < one.index("B starts"), f"{one.title}: B started before A had finished")
        in_one_kernel_thread(one)


def act_spawn(stage, options):
    stage.begin(
        2,
        "the invisible rebel",
        "The same binaries, once grivet is told two names: calls of `blocking_task` run side by side, and a call of\n"
        "`report` waits for them. Still one kernel thread.",
    )
    for name in TASKS:
        rules = ["--spawn", "blocking_task", "--join", "report"]
        tasks_spawned(stage, name, [PROGRAMS / name], rules, NAMES_GIVEN.format("two names"))

    stage.say("A copy without symbols knows no names; there the functions are told by their addresses.")
    rules = ["--spawn", address_of("blocking_task"), "--join", address_of("report")]
    stripped = [PROGRAMS / "sequential_tasks_stripped"]
    tasks_spawned(stage, "sequential_tasks", stripped, rules, NAMES_GIVEN.format("two addresses"), "stripped, ")

    stage.say(
        "A batch tool fetches items from a server (demo-bin/slow_server.py, started for this), one at a time: name\n"
        "looked up, connection made, request sent, answer after 100 ms. Natively "
        f"{FETCHED} take {FETCHED / 10:.0f} s, so that run\n"
        f"is made with {FETCHED_NATIVELY}. Under grivet up to 100 are under way at once."
    )
    with slow_server() as port:
        words = [PROGRAMS / "fetch_all", "localhost", port]
        before = stage.run("fetch_all, native", [*words, str(FETCHED_NATIVELY)], NOT_CHANGED)
        rules = ["--spawn", "fetch", "--join", "report", "--limit", "100"]
        command = [COMMAND, "run", *rules, "--", *words, str(FETCHED)]
        after = stage.run("fetch_all, grivet", command, NAMES_GIVEN.format("two names"))
    ended_well(before)
    before.index(f"fetched {FETCHED_NATIVELY} of {FETCHED_NATIVELY} items in ")
    ended_well(after)
    in_one_kernel_thread(after)
    after.index(f"fetched {FETCHED} of {FETCHED} items in ")
    ratio = (before.seconds / FETCHED_NATIVELY) / (after.seconds / FETCHED)
    claim(ratio > 20, f"{after.title}: {ratio:.1f} times as fast by the item as natively, not over 20 times")
    stage.say(f"By the item that is {ratio:.0f} times as fast.")


def address_of(function):
    """Where `function` of sequential_tasks is, and so of the stripped copy of it."""
    listing = subprocess.run(["nm", PROGRAMS / "sequential_tasks"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^0*([0-9a-f]+) [tT] {function}$", listing, re.MULTILINE)
    if not found:
        raise DemoError(f"nm lists no function {function} in sequential_tasks")
    return f"0x{found[1]}"


@contextmanager
def slow_server():
    """The server that fetch_all fetches from, running natively; its port, as text."""
    server = subprocess.Popen(["python3", "demo-bin/slow_server.py"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().strip()
        claim(port, "the server for fetch_all did not start")
        yield port
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def tasks_spawned(stage, name, words, rules, change, what=""):
    """Runs a copy of program `name` of `TASKS` with spawn rules, and claims that it takes half its native time."""
    before = natively(stage, name)
    after = stage.run(f"{name}, {what}grivet", [COMMAND, "run", *rules, "--", *words], change)
    tasks_overlap(after)
    order = ["A starts", "B starts", "A finishes", "B finishes"]
    seen = [text for text in after.texts() if text in order]
    claim(seen == order, f"{after.title}: {', '.join(seen)}; not {', '.join(order)}")
    in_one_kernel_thread(after)
    ratio = before.seconds / after.seconds
    claim(ratio > 1.5, f"{before.title} took {ratio:.2f} times as long as {after.title}, not about twice")


def draw(runs, path):
    """Draws the runs of acts 1 and 2 of the C program, from the lines that they printed, into the file at `path`."""
    by_title = {one.title: one.lines for one in runs}
    program = TASKS[0]
    rules = "--spawn blocking_task --join report"
    panels = [
        timeline.Panel("Natively", f"./{program}", by_title[f"{program}, native"]),
        timeline.Panel("Under grivet", f"grivet run {rules} -- ./{program}", by_title[f"{program}, grivet"]),
    ]
    path.write_text(timeline.svg(panels, lane='blocking_task("{}")', last_lane="report()"))


ACTS = (Act("1", act_blocking, build_tasks), Act("2", act_spawn, build_batch))
