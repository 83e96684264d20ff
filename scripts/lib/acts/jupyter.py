"""Act 3a of scripts/demo, Jupyter itself: a real IPython kernel is lost to gevent's patch, never starts under the
textbook trick, and under grivet runs cells whose threads block. It needs PyPI: played with --all, or when asked for.
"""

import re

from lib import making, venvs
from lib.stage import CLASSIC, LIBRARY, NOT_CHANGED, PRELOADED, PROGRAMS, Act, DemoError, claim, ended_well

NUMBER = "3a"
JUPYTER = PROGRAMS / "jupyter"
THREADS, SECONDS = 200, 0.5  # of the cell whose threads block
PATIENCE = 10  # seconds that a kernel under the textbook trick is waited for

LOST = "assert current_thread().name == SHELL_CHANNEL_THREAD_NAME"


def wanted(options):
    return options.all or options.act == NUMBER


def python():
    """A Python with Jupyter and gevent, in an environment of its own."""
    try:
        return venvs.python(JUPYTER, "demo-bin/jupyter-requirements.txt")
    except venvs.NotInstalled as reason:
        raise DemoError(reason) from None


def build(options):
    if wanted(options):
        making.classic()
        python()


def play(stage, options):
    if not wanted(options):
        return
    stage.begin(
        NUMBER,
        "Jupyter itself",
        "The kernel of a notebook is a threaded program: threads for its messages, its output and its heartbeat, and\n"
        "those of libzmq. demo-bin/jupyter_cells.py starts one, as a notebook does, and sends it cells.",
    )
    gevent(stage)
    textbook(stage)
    threads(stage)


def cells(stage, title, change, *options):
    """A run of the driver. The kernel threads counted are the kernel's: it alone is under test."""
    words = [python(), "demo-bin/jupyter_cells.py", *map(str, options)]
    one = stage.run(title, words, change)
    most = [found for line in one.lines if (found := re.match(r"the kernel had (\d+) kernel threads? at most", line))]
    claim(most, f"{title}: it did not say how many kernel threads there were")
    one.kernel_threads = int(most[0][1])
    stage.output(f"(that is the driver; the kernel: {one.kernel_threads:,} at most)")
    return one


def says(one, text):
    claim(any(text in line for line in one.lines), f"{one.title}: no line with “{text}”")


def gevent(stage):
    stage.say("A cell patches Python with gevent, so that its two blocking tasks overlap. They do.")
    one = cells(stage, "Jupyter and gevent, native", "nothing, but the kernel is lost", "gevent")
    ended_well(one)
    says(one, "A finishes")
    says(one, "the kernel's thread 'Shell channel' is now 'Dummy-")
    says(one, LOST)
    claim(
        sum("no reply; the process is alive" in line for line in one.lines) == 2,
        f"{one.title}: the kernel still replies",
    )
    stage.say(
        "Cause: the module threading now knows threads by their greenlets. The kernel's threads, older than the\n"
        "patch, are found no more: each is a Dummy to itself. The reply is never sent, and no cell is taken after it."
    )


def textbook(stage):
    stage.say(f"The kernel under the textbook trick. If it does not answer within {PATIENCE} s it is ended here.")
    options = ["--patience", PATIENCE, "--preload", CLASSIC, "threads", THREADS]
    one = cells(stage, "Jupyter, 200 threads, classic", PRELOADED, *options)
    claim(one.status == 1, f"{one.title}: status {one.status}, not 1")
    says(one, f"the kernel did not answer in {PATIENCE} s; the process is alive")
    stage.say("Cause: libzmq's first thread waits in epoll_wait, and none of the others ever begins.")


def threads(stage):
    stage.say(f"Plain threads do what the cell wanted, unpatched. {THREADS} that block, natively, then under grivet:")
    native = cells(stage, "Jupyter, 200 threads, native", NOT_CHANGED, "threads", THREADS)
    green = cells(stage, "Jupyter, 200 threads, grivet", PRELOADED, "--preload", LIBRARY, "threads", THREADS)
    for one in (native, green):
        ended_well(one)
        done = [found for line in one.lines if (found := re.search(rf"\| {THREADS} tasks in (\d+\.\d+) s", line))]
        claim(done, f"{one.title}: not all tasks were done")
        claim(float(done[0][1]) < THREADS * SECONDS / 4, f"{one.title}: the tasks did not overlap: {done[0][1]} s")
        says(one, "KeyboardInterrupt")
        says(one, "  | 42")
        claim(re.match(r"asked to shut down: .* exit status 0$", ended(one)), f"{one.title}: {ended(one)}")
    claim(native.kernel_threads > THREADS, f"{native.title}: {native.kernel_threads} kernel threads")
    says(green, "(kernel threads that last while these block: 1)")


def ended(one):
    return next((line for line in one.lines if line.startswith("asked to shut down")), "not asked to shut down")


ACTS = (Act(NUMBER, play, build),)
