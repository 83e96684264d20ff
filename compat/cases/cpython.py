"""CPython's own tests of threads, signals and processes: none that passes natively may fail."""

import xml.etree.ElementTree as ElementTree

from catalogue import case
from stage import Stage

PYTHON = "/usr/bin/python3.11"

QUICK = ("thread", "threading", "threading_local", "threadsignals", "threadedtempfile", "queue", "sched", "eintr", "fork1", "faulthandler")
LONG = ("signal", "concurrent_futures", "multiprocessing_fork", "multiprocessing_forkserver", "multiprocessing_spawn", "asyncio")


def tests(stage: Stage, module: str) -> None:
    """One module of tests; which of them pass."""
    report = stage.directory / "report.xml"
    # Many tests compare what a program writes to stderr, where a stats line would stand.
    silent = ["env", "-u", "GRIVET_STATS", PYTHON]
    finished = stage.run([*silent, "-m", "test", "--junit-xml", report, f"test_{module}"], limit=400, expect=None)
    stage.answer("exit status", finished.status)
    cases = ElementTree.parse(report).iter("testcase")
    results = {each.get("name"): next((child.tag for child in each if child.tag in ("failure", "error", "skipped")), "passed") for each in cases}
    stage.check("passed" in results.values(), f"no test of test_{module} passes")
    for name, result in results.items():
        stage.answer(name, result)


for MODULE in (*QUICK, *LONG):
    case(
        f"cpython-{MODULE.replace('_', '-')}",
        f"Python's own test_{MODULE}",
        {PYTHON: "python3.11", "/usr/lib/python3.11/test/test_threading.py": "libpython3.11-testsuite"},
        [PYTHON, "-V"],
        "a helper thread opens FIFOs, where natively it is Python's own" if MODULE == "eintr" else "",
    )(lambda stage, module=MODULE: tests(stage, module))
