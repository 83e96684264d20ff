"""Turns what was measured into a table, JSON and docs/benchmarks.md. Nothing is run here but what tells the machine and the versions."""

import json
import os
import platform
import subprocess
from pathlib import Path

from build import ROOT
from measure import Cell
from rows import COLUMNS, Row

HEADINGS = {"native": "native", "grivet": "grivet", "may": "may", "tokio": "tokio", "go": "Go", "gevent": "gevent"}


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def grivet_version() -> str:
    """The version of the workspace and the commit, where git knows one."""
    with open(ROOT / "Cargo.toml", encoding="utf-8") as lines:
        version = next(line.split('"')[1] for line in lines if line.startswith("version"))
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{version} ({described.stdout.strip()})" if described.returncode == 0 else version


def head(versions: dict[str, str], turns: int, busy: float) -> dict[str, str]:
    """What the figures hold for."""
    return {
        "processor": processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "processor in use at the start": f"{busy:.0%}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "figures": f"medians of {turns} turns, the columns taking turns",
    }


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "fails"
    if unit == "bytes" or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if unit in ("ms", "s") or value < 100 else f"{value:.0f}"


def ratio(row: Row, cells: dict[str, Cell]) -> float | None:
    """How many times better the row is with grivet than natively; below 1, worse."""
    native, grivet = (cells[name].median if name in cells else None for name in ("native", "grivet"))
    if not native or not grivet:
        return None
    return grivet / native if row.greater_is_better else native / grivet


def comparison(row: Row, cells: dict[str, Cell]) -> str:
    """Native against grivet: the ratio, or how much more with grivet."""
    better = ratio(row, cells)
    if better is None:
        return ""
    if row.compare == "difference":
        return f"{cells['grivet'].median - cells['native'].median:+.2f} {row.unit}"
    return f"{better:.1f}x" if better >= 10 else f"{better:.2f}x"


def table(measured: list[tuple[Row, dict[str, Cell]]]) -> list[list[str]]:
    """The lines of the table, its heading first. A column that no row has is left out."""
    present = [name for name in COLUMNS if any(name in cells for _, cells in measured)]
    headings = [HEADINGS[name] for name in present]
    place = sum(name in present for name in ("native", "grivet"))
    lines = [["", "unit", *headings[:place], "ratio", *headings[place:]]]
    for row, cells in measured:
        values = [figure(cells[name].median, row.unit) if name in cells else "" for name in present]
        lines.append([row.title, row.unit, *values[:place], comparison(row, cells), *values[place:]])
    return lines


def notes(measured: list[tuple[Row, dict[str, Cell]]]) -> list[str]:
    """What the table can't hold: failures, what grivet said, how a row was measured."""
    found = []
    for row, cells in measured:
        if row.note:
            found.append(f"{row.key}: {row.note}")
        for column, cell in cells.items():
            if cell.failure:
                found.append(f"{row.key}: {column} fails: {cell.failure}")
            elif max(cell.samples) > 2 * min(cell.samples) > 0:
                least, most = (figure(bound(cell.samples), row.unit) for bound in (min, max))
                found.append(f"{row.key}: {column} between {least} and {most} {row.unit}")
            found += [f"{row.key}: {column}: {remark}" for remark in cell.remarks]
    return found


def as_text(lines: list[list[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines
    )


def as_markdown(facts: dict[str, str], lines: list[list[str]], remarks: list[str]) -> str:
    """docs/benchmarks.md, whole."""
    heading, *rest = lines
    bars = ["---", "---", *["---:"] * (len(heading) - 2)]
    body = "\n".join("| " + " | ".join(line) + " |" for line in [heading, bars, *rest])
    return f"""# Benchmarks

Written by `scripts/bench --docs`; not edited by hand. A smaller figure is better, but in rows whose unit is a rate (`…/s`) a
greater one is. `ratio` is how many times better grivet is than native threads, always so that more than 1 is better: native / grivet, for
rates grivet / native; for start-up it is the difference, grivet less native.

{chr(10).join(f"- {name}: {value}" for name, value in facts.items())}

{body}

{chr(10).join(f"- {remark}" for remark in remarks)}

## How the figures are made

- The native and the grivet column run the same program (`bench/programs`), the second with `LD_PRELOAD=libgrivet.so`. The other columns are
  what a programmer would write instead of threads (`bench/comparators`): `may` coroutines and tokio tasks on the current-thread
  runtime with their semaphores, goroutines with unbuffered channels, gevent greenlets with its semaphores. They are other programs: grivet needs no change.
- "One core" is `taskset` to one core; on "any core" the kernel, Go and may have all of them, grivet, tokio and gevent use one.
- A round of a ping-pong is there and back: two hand-overs. tokio has no condition variable: its row has a mutex and a `Notify` each way. gevent has no such row.
- Memory of a sleeping thread is VmRSS + VmPTE of `/proc/self/status` at 20,000 sleeping threads, less the same before the first,
  divided by 20,000; grivet's own tables are thus included. The kernel's memory of a native thread (16 KiB of kernel stack and its record) is in
  neither figure and comes on top of the native column only.
- Servers are under grivet, their load client (`bench/programs/load_client.c`: one thread, epoll) never is. "A core each" is the server, with all of its
  threads, on one core and the client on the other; on "any core" native servers have both, and share them with the client. Each connection has one
  message of 64 bytes, or one request, under way at any time; the 99th percentile is from sending it to having the whole answer.
- The echo server (`demo-bin/echo_server.c`) has a thread with a stack of 64 KiB for each connection. Memory is VmRSS + VmPTE of the server, and what the
  kernel holds for its threads: the growth of KernelStack and SUnreclaim in /proc/meminfo, less what as many connections take without a thread
  (`bench/programs/idle_connections.c`). The same sum in both columns.
- System calls are those that the kernel sees from the server, all threads, counted by `perf stat -e raw_syscalls:sys_enter` in a run of its own.
- memcached and Apache run with four threads and four processes of 300 threads. curl fetches from an Apache that runs natively on the other core.
- Timed loops warm up first and use CLOCK_MONOTONIC. Start-up is the median of many starts in each turn.
"""


def as_json(facts: dict[str, str], measured: list[tuple[Row, dict[str, Cell]]], remarks: list[str]) -> str:
    entries = []
    for row, cells in measured:
        columns = {
            name: {
                "median": cell.median,
                "least": min(cell.samples, default=None),
                "most": max(cell.samples, default=None),
                "samples": cell.samples,
                "failure": cell.failure or None,
            }
            for name, cell in cells.items()
        }
        native, grivet = (cells[name].median if name in cells else None for name in ("native", "grivet"))
        better = "greater" if row.greater_is_better else "smaller"
        entries.append(
            {
                "row": row.key,
                "title": row.title,
                "unit": row.unit,
                "better": better,
                "ratio": ratio(row, cells),
                "grivet_less_native": grivet - native if native is not None and grivet is not None else None,
                "columns": columns,
            }
        )
    return json.dumps({"about": facts, "rows": entries, "notes": remarks}, indent=2) + "\n"


def from_json(file: Path) -> dict[str, dict[str, Cell]]:
    """The figures that `as_json` wrote, by row and column."""
    cells = {}
    for entry in json.loads(file.read_text(encoding="utf-8"))["rows"]:
        columns = entry["columns"].items()
        cells[entry["row"]] = {name: Cell(column["samples"], column["failure"] or "") for name, column in columns}
    return cells
