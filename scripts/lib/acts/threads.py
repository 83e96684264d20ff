"""Acts 2b and 2c: a program's own threads become coroutines, two of them, and a hundred thousand."""

import re

from lib import making
from lib.stage import (
    COMMAND,
    LIBRARY,
    NOT_CHANGED,
    PRELOADED,
    PROGRAMS,
    Act,
    claim,
    ended_well,
    in_one_kernel_thread,
    same_lines,
    tasks_overlap,
)

PYTHON_TASKS = ["python3", "demo-bin/two_tasks.py"]


def build_two_tasks(options):
    making.c_program("two_tasks")


def build_many_threads(options):
    making.c_program("many_threads")


def act_two_tasks(stage, options):
    stage.begin(
        "2b",
        "threads become coroutines",
        "Two tasks in two threads, whose waits overlap by themselves. Natively each thread is one of the kernel's;\n"
        "under grivet the same binary's threads are coroutines in one kernel thread: same output, same time.",
    )
    program = [PROGRAMS / "two_tasks"]
    before = stage.run("two_tasks, native", program, NOT_CHANGED)
    after = stage.run("two_tasks, grivet", program, PRELOADED, {"LD_PRELOAD": LIBRARY})
    same_in_one_kernel_thread(before, after)

    stage.say("The same with Python's threads, in an unmodified CPython, by the grivet command.")
    before = stage.run("two_tasks.py, native", PYTHON_TASKS, NOT_CHANGED)
    after = stage.run("two_tasks.py, grivet", [COMMAND, "run", "--", *PYTHON_TASKS], PRELOADED)
    same_in_one_kernel_thread(before, after)


def same_in_one_kernel_thread(before, after):
    """Claims of two threads natively and under grivet: the same lines, in about the same time."""
    tasks_overlap(before)
    tasks_overlap(after)
    same_lines(before, after)
    claim(before.kernel_threads == 3, f"{before.title}: {before.kernel_threads} kernel threads, not 3")
    in_one_kernel_thread(after)
    ratio = after.seconds / before.seconds
    claim(0.67 < ratio < 1.5, f"{after.title}: {ratio:.2f} times the time of {before.title}, not about the same")


def act_many_threads(stage, options):
    wanted = options.threads
    stage.begin(
        "2c",
        f"{wanted:,} threads",
        "Threads with default attributes, all alive at once. Natively each one needs a process id and two memory\n"
        "mappings, and a stock system runs out of one or the other at about 32,000.",
    )
    words = [PROGRAMS / "many_threads", str(wanted)]
    before = stage.run("many_threads, native", words, NOT_CHANGED)
    after = stage.run("many_threads, grivet", [COMMAND, "run", "--stats", "--", *words], PRELOADED)

    made_natively = re.match(r"made (\d+) of", before.lines[0] if before.lines else "")
    claim(made_natively, f"{before.title}: it did not say how many threads it made")
    if before.status == 0:
        stage.output(f"(This machine's limits let the native run through: {before.kernel_threads:,} threads.)")
    claim(
        before.kernel_threads > 0.8 * int(made_natively[1]),
        f"{before.title}: {before.kernel_threads} kernel threads for {made_natively[1]} threads made",
    )
    ended_well(after)
    claim(f"joined {wanted} threads" in after.lines, f"{after.title}: it did not join {wanted} threads")
    in_one_kernel_thread(after)
    stats = " ".join(line for line in after.lines if line.startswith("grivet: stats:"))
    claim(f" threads={wanted} peak={wanted} " in stats, f"{after.title}: --stats does not count {wanted} threads")


ACTS = (Act("2b", act_two_tasks, build_two_tasks), Act("2c", act_many_threads, build_many_threads))
