"""Act 3: the textbook trick, where it works, and where it breaks; the same binaries under grivet, where they hold."""

from lib import making
from lib.acts.threads import PYTHON_TASKS
from lib.stage import (
    CLASSIC,
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

HANGS_AFTER = 2  # seconds, of programs that take less than half a second

UNDER_CLASSIC = {"LD_PRELOAD": CLASSIC}
UNDER_GRIVET = {"LD_PRELOAD": LIBRARY}


def build(options):
    making.classic()
    for name in ("two_tasks", "thread_identity", "thread_local", "lock_across_wait"):
        making.c_program(name)
    making.rust_program("two_tasks")
    making.cargo_package("coloured")
    if options.all:
        making.debian_package("libzmq3-dev", unless="/usr/include/zmq.h")
        making.c_program("zmq_requests", "-lzmq")


def play(stage, options):
    stage.begin(
        3,
        "the meltdown",
        "The textbook trick replaces libc's functions, not the kernel beneath them: libgrivet_classic.so\n"
        "(preload-classic/, 230 lines) sends pthread_create and sleep to a coroutine scheduler. With threads that\n"
        "sleep and print it does well: A and B are coroutines, and the kernel's threads are the scheduler's.",
    )
    works = stage.run("two_tasks, classic", [PROGRAMS / "two_tasks"], PRELOADED, UNDER_CLASSIC)
    tasks_overlap(works)
    claim(works.seconds < 3, f"{works.title}: {works.seconds:.2f} s, not about 2 s")

    stage.say("Then there are other programs. Each runs natively, under the textbook trick, and under grivet.")
    identity(stage)
    thread_local(stage)
    lock_across_wait(stage)
    runtimes(stage)
    if options.all:
        zmq(stage)


def breaks(stage, name, words, limit=None):
    """Runs a program natively, where it ends well, and under the textbook trick; the latter run."""
    before = stage.once(f"{name}, native", words, NOT_CHANGED)
    ended_well(before)
    return stage.run(f"{name}, classic", words, PRELOADED, UNDER_CLASSIC, limit)


def holds(stage, name, words):
    """Claims that the program does under grivet what it did natively."""
    after = stage.once(f"{name}, grivet", words, PRELOADED, UNDER_GRIVET)
    ended_well(after)
    in_one_kernel_thread(after)
    same_lines(stage.once(f"{name}, native", words, NOT_CHANGED), after)


def hung(one):
    claim(one.status is None, f"{one.title}: it ended, with status {one.status}")


def identity(stage):
    stage.say(
        "a. Identity. A runtime whose channels belong to threads, and which asserts that, as ipykernel's shell\n"
        "channel did when gevent's monkey patching met it."
    )
    words = [PROGRAMS / "thread_identity"]
    broken = breaks(stage, "thread_identity", words)
    claim(broken.status == -6, f"{broken.title}: status {broken.status}, not SIGABRT")
    broken.index("the shell channel is served by a thread named control")
    claim("Assertion `current_thread_is" in broken.lines[-1], f"{broken.title}: no assertion failed")
    stage.say("Cause: all coroutines are one thread to libc, which has one name: that of whoever named it last.")
    holds(stage, "thread_identity", words)


def thread_local(stage):
    stage.say("b. Thread-local storage, errno included. Two threads keep a request in it across a wait.")
    words = [PROGRAMS / "thread_local"]
    broken = breaks(stage, "thread_local", words)
    claim(broken.status == 1, f"{broken.title}: status {broken.status}, not 1")
    broken.index("A: my request is B")
    broken.index("A: that is not mine, which was: No such file or directory")
    stage.say("Cause: the register that leads to thread-local variables is the kernel thread's; a switch leaves it.")
    holds(stage, "thread_local", words)


def lock_across_wait(stage):
    stage.say(f"c. A lock held across a wait. What is not done after {HANGS_AFTER} s is ended here.")
    words = [PROGRAMS / "lock_across_wait"]
    broken = breaks(stage, "lock_across_wait", words, HANGS_AFTER)
    hung(broken)
    order = ["A wants the lock", "A has the lock", "B wants the lock"]
    claim(broken.lines == order, f"{broken.title}: {', '.join(broken.lines)}; not {', '.join(order)}")
    stage.say("Cause: B waits in pthread_mutex_lock, with the only thread that could let A go on.")
    holds(stage, "lock_across_wait", words)


def runtimes(stage):
    stage.say("d. Real ones. Threads of Rust's standard library:")
    words = [PROGRAMS / "two_tasks_rust"]
    broken = breaks(stage, "two_tasks_rust", words)
    claim(broken.status == -6, f"{broken.title}: status {broken.status}, not SIGABRT")
    claim("current thread" in broken.lines[-1], f"{broken.title}: {broken.lines[-1]}")
    stage.say("Cause: the second thread that starts finds the first one's handle where there can be none yet.")
    holds(stage, "two_tasks_rust", words)

    stage.say("Python's threads:")
    broken = breaks(stage, "two_tasks.py", PYTHON_TASKS)
    claim(any(line.startswith("KeyError: ") for line in broken.lines), f"{broken.title}: no KeyError")
    broken.change = "nothing, but KeyError in threading"
    stage.say("Cause: the module threading knows its threads by pthread_self(), which is the same for all coroutines.")
    holds(stage, "two_tasks.py", PYTHON_TASKS)

    stage.say("And tokio's multi-thread runtime, with an echo server and its clients:")
    words = [making.CARGO_PROGRAMS / "tokio_echo"]
    hung(breaks(stage, "tokio_echo", words, HANGS_AFTER))
    stage.say("Cause: the first worker waits in epoll_wait, and no other thread of the runtime ever begins.")
    holds(stage, "tokio_echo", words)


def zmq(stage):
    stage.say("And libzmq, whose I/O threads carry the messages of a client and a server:")
    words = [PROGRAMS / "zmq_requests"]
    hung(breaks(stage, "zmq_requests", words, HANGS_AFTER))
    stage.say("Cause: libzmq's first thread, the reaper, waits in epoll_wait, and its I/O thread never begins.")
    holds(stage, "zmq_requests", words)


ACTS = (Act("3", play, build),)
