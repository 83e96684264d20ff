"""Acts 4 and 5: the blocking problem's source written anew, with coroutines and with async/await, and what changed."""

from pathlib import Path

from lib import colouring, making
from lib.stage import Act, claim, in_one_kernel_thread, tasks_overlap

BEFORE = Path("demo-bin/sequential_tasks.rs")


def build_explicit(options):
    making.cargo_package("explicit")


def build_coloured(options):
    making.cargo_package("coloured")


def act_explicit(stage, options):
    stage.begin(
        4,
        "explicit cooperation",
        "The source of act 1, written anew against the coroutine library may: every call that waits is the library's.\n"
        "Nothing is preloaded. (Its kernel threads are the main one, a worker and a timer, however many the tasks.)",
    )
    changes = rewritten(stage, "explicit")
    claim(not changes.signatures, f"signatures changed for may: {', '.join(changes.signatures)}")


def act_coloured(stage, options):
    stage.begin(
        5,
        "async and await",
        "The same source once more, with tokio. What waits is `async`, and so is whoever calls it: functions have\n"
        "colours.",
    )
    changes = rewritten(stage, "coloured")
    claim(changes.signatures == ["blocking_task", "main"], f"signatures changed: {', '.join(changes.signatures)}")
    in_one_kernel_thread(stage.runs[-1])


def rewritten(stage, package):
    """Shows what changed in the source, runs the program, and returns the changes."""
    source = Path(f"demo-bin/{package}/src/main.rs")
    changes = colouring.compare(BEFORE.read_text(), source.read_text())
    stage.command(f"python3 scripts/lib/colouring.py {BEFORE} {source}")
    for line in [*changes.diff, changes.summary()]:
        stage.output(line)
    one = stage.run(package, [making.CARGO_PROGRAMS / package], changes.summary())
    tasks_overlap(one)
    claim(one.seconds < 3, f"{one.title}: {one.seconds:.2f} s, not about 2 s")
    return changes


ACTS = (Act("4", act_explicit, build_explicit), Act("5", act_coloured, build_coloured))
