"""Act 3b: where grivet breaks too, what it says and does then, and that none of it is a hang."""

import shutil

from lib import making
from lib.stage import (
    COMMAND,
    LIBRARY,
    NOT_CHANGED,
    PRELOADED,
    PROGRAMS,
    Act,
    DemoError,
    claim,
    ended_well,
    in_one_kernel_thread,
    same_lines,
    tasks_overlap,
)

STATIC = PROGRAMS / "thread_identity_static"
STATIC_STATUS = 120  # of `grivet run`, for what no loader loads
LIMIT = 10  # seconds: these are short, and none may hang

UNDER_GRIVET = {"LD_PRELOAD": LIBRARY}


def build(options):
    try:
        making.c_program("thread_identity", "-static", result=STATIC.name)
    except DemoError:
        STATIC.unlink(missing_ok=True)  # some distributions have no static C library
    for name in ("generated_code", "seen_from_outside"):
        making.c_program(name)
    if options.all:
        making.debian_package("golang-go", unless="go")
    if shutil.which("go"):
        making.go_program("goroutines")


def play(stage, options):
    stage.begin(
        "3b",
        "where this one breaks too",
        "grivet answers system calls, so it fails where it can't get at them, or where somebody asks the kernel.",
    )
    if STATIC.exists():
        static_binary(stage)
    else:
        stage.say("(No static C library here, so no static program.)")
    if shutil.which("go"):
        go_binary(stage)
    else:
        stage.say("(No Go here, so no Go program: --all installs it.)")
    generated_code(stage)
    seen_from_outside(stage)


def static_binary(stage):
    stage.say("A static binary has no loader to read LD_PRELOAD. `grivet run` says so; the variable does nothing.")
    refused = stage.run("static, grivet run", [COMMAND, "run", "--", STATIC], PRELOADED, limit=LIMIT)
    claim(refused.status == STATIC_STATUS, f"{refused.title}: status {refused.status}, not {STATIC_STATUS}")
    claim("statically linked" in refused.lines[-1], f"{refused.title}: {refused.lines[-1]}")
    native = stage.run("static, LD_PRELOAD", [STATIC], "no effect: its threads are the kernel's", UNDER_GRIVET, LIMIT)
    ended_well(native)
    claim(native.kernel_threads == 3, f"{native.title}: {native.kernel_threads} kernel threads, not 3")


def go_binary(stage):
    stage.say("A Go program brings its own scheduler, which makes its own system calls. grivet stays out, and says so.")
    one = stage.run("Go, LD_PRELOAD", [PROGRAMS / "goroutines"], "no effect: stays out", UNDER_GRIVET, LIMIT)
    claim(one.lines[0].startswith("grivet: ") and "staying out" in one.lines[0], f"{one.title}: {one.lines[0]}")
    tasks_overlap(one)


def generated_code(stage):
    stage.say(
        "`syscall` instructions in the program's own files are rewritten as libc's are, but one in code that the\n"
        "program makes at run time is not there when grivet reads the code. The call goes to the kernel, and all threads\n"
        "wait with it, until a tick of grivet's own takes it out again, after a tenth of a second at most, and makes it\n"
        "where others can go on meanwhile. A line says so."
    )
    words = [PROGRAMS / "generated_code"]
    before = stage.run("generated_code, native", words, NOT_CHANGED, limit=LIMIT)
    after = stage.run("generated_code, grivet", words, "nothing; such waits begin late", UNDER_GRIVET, LIMIT)
    for one in (before, after):
        ended_well(one)
    slept = "the generated code has slept"
    claim(before.index("tick 1") < before.index(slept), f"{before.title}: no tick while the generated code slept")
    claim(after.index("tick 1") < after.index(slept), f"{after.title}: no tick while the generated code slept")
    reports = [line for line in after.lines if line.startswith("grivet: ")]
    claim(len(reports) == 1 and " waited in nanosleep, called at " in reports[0], f"{after.title}: said {reports}")
    in_one_kernel_thread(after)
    after.lines = [line for line in after.lines if line not in reports]
    same_lines(before, after)


def seen_from_outside(stage):
    stage.say(
        "What looks at threads from outside finds one: /proc/PID/task, and all that reads it. The kernel's counters\n"
        "for one thread (perf_event_open) know no thread of that number, and say so."
    )
    words = [PROGRAMS / "seen_from_outside"]
    before = stage.run("seen_from_outside, native", words, NOT_CHANGED, limit=LIMIT)
    after = stage.run("seen_from_outside, grivet", words, "nothing, but one thread is seen", UNDER_GRIVET, LIMIT)
    for one in (before, after):
        ended_well(one)
    before.index("seen: 4 in all")
    after.index("seen: 1 in all")
    if "computes: perf: computed" in before.lines:  # else the system lets nobody use such counters
        after.index("computes: perf: No such process")


ACTS = (Act("3b", play, build),)
