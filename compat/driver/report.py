"""Turns verdicts into lines for the terminal and into docs/compatibility.md."""

import os
import platform
import subprocess
from pathlib import Path

from judge import Verdict
from stage import Figure

ROOT = Path(__file__).resolve().parents[2]


def number(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.value:,.0f}" if figure.value >= 100 else f"{figure.value:.3g}"


def figures(verdict: Verdict) -> list[str]:
    """Each figure as "name: native / grivet unit"."""
    under = verdict.grivet.figures if verdict.grivet else {}
    return [f"{name}: {number(native)} / {number(under.get(name))} {native.unit}" for name, native in verdict.native.figures.items()]


def threads(verdict: Verdict) -> list[str]:
    """Kernel threads natively and under grivet, and the threads that grivet made."""
    if verdict.grivet is None:
        return [str(verdict.native.seen.kernel_threads), ""]
    seen = verdict.grivet.seen
    return [f"{verdict.native.seen.kernel_threads} / {seen.kernel_threads}", f"{seen.green_threads:,}" if seen.green_threads else ""]


def memory(verdict: Verdict) -> str:
    runs = [verdict.native] + ([verdict.grivet] if verdict.grivet else [])
    return " / ".join(f"{run.seen.memory / 2**20:.0f}" for run in runs)


def processor_time(verdict: Verdict) -> str:
    runs = [verdict.native] + ([verdict.grivet] if verdict.grivet else [])
    return " / ".join(f"{sum(run.seen.processor_times.values()):.2f}" for run in runs)


HEADINGS = ["program", "version", "result", "kernel threads", "green threads", "MiB", "CPU s", "figures"]


def line(verdict: Verdict) -> list[str]:
    return [
        verdict.case.name,
        verdict.version,
        verdict.result,
        *threads(verdict),
        memory(verdict),
        processor_time(verdict),
        "; ".join(figures(verdict)),
    ]


def as_text(verdicts: list[Verdict]) -> str:
    """A table for the terminal; what there is to say besides stands below it."""
    lines = [HEADINGS, *(line(verdict) for verdict in verdicts)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)] + [0]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return "\n".join(table + [f"{verdict.case.name}: {verdict.result}: {verdict.detail}" for verdict in verdicts if verdict.detail])


def as_markdown(verdicts: list[Verdict], absent: list[str]) -> str:
    """docs/compatibility.md, whole."""
    rows = [HEADINGS, ["---", "---", "---", "---:", "---:", "---:", "---:", "---"]]
    for verdict in verdicts:
        cells = line(verdict)
        rows.append([f"{cells[0]}: {verdict.case.title}", *cells[1:-1], "<br>".join(figures(verdict))])
    body = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    wrong = [f"- {verdict.case.name}: {verdict.result}: {verdict.detail}" for verdict in verdicts if verdict.detail]
    same = sum(verdict.result == "same" for verdict in verdicts)
    remarks = (["", "## Remarks", "", *wrong] if wrong else []) + ([f"\nNot installed here: {', '.join(absent)}."] if absent else [])
    return f"""# Compatibility

Written by `scripts/compat --docs`; not edited by hand. Each program ran natively and with `LD_PRELOAD=libgrivet.so`, unmodified, with the same
load from a client without grivet. {same} of {len(verdicts)} are the same.

- processor: {processor()}
- kernel: {platform.system()} {platform.release()}; libc: {" ".join(platform.libc_ver())}
- grivet: {grivet_version()}

{body}
{chr(10).join(remarks)}

## How it is judged

- **same**: all that the client asked for was answered, with the same answers and the same exit status as natively; every process had at most a
  few kernel threads (`/proc/PID/task`), whatever it had natively; and grivet had nothing to report. **differs**: one of these does not hold.
  **hangs**: no answer, or no end, within the time limit. **crashes**: ended by a signal.
- Where there are two numbers, the first is native and the second under grivet. *Kernel threads*: the most at once in one process. *Green
  threads*: made by grivet in all processes of the program, by their own account when they ended; nothing stands there if they made none, or
  if they ended without a word (`_exit`, a closed stderr). *MiB*: the most resident memory of one process. *CPU s*: processor time of all
  processes, as far as it was seen.
- Figures are for a look, not for the record: one run each, the program on one core and the client on the other (`taskset`), natively and under
  grivet alike. Those per second are better when larger, those in seconds when smaller.
- Everything listens on 127.0.0.1 only, which is checked with `ss` while it runs.
"""


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} cores"


def grivet_version() -> str:
    """The version of the workspace and the commit, where git knows one."""
    with open(ROOT / "Cargo.toml", encoding="utf-8") as lines:
        version = next(line.split('"')[1] for line in lines if line.startswith("version"))
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"{version} ({described.stdout.strip()})" if described.returncode == 0 else version
