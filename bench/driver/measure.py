"""Runs the rows. Within a row the columns take turns, so that what else the machine does falls on all of them; each figure is the median of
the turns. Rows that share what is run are measured in the same turns."""

import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, field

import launch
import load
import programs
import servers
from rows import COLUMNS, Load, Program, Row, Tool


@dataclass
class Cell:
    """What one column of a row measured: the figures of its turns, or why there are none."""

    samples: list[float] = field(default_factory=list)
    failure: str = ""
    remarks: list[str] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        return statistics.median(self.samples) if self.samples and not self.failure else None


RUNNERS = {Program: programs.run_program, Tool: programs.run_tool, Load: load.run}


def turn(setting: launch.Setting, rows: list[Row], column: str, cells: dict[str, Cell]) -> None:
    """Runs `column` of `rows`, which share their run, once, and adds the figures, or the reason why there are none, to `cells` (by row)."""
    first = rows[0]
    outcome = RUNNERS[type(first.run)](setting, first, column)
    remarks = [f"said: {line}" for line in outcome.said if line.startswith("grivet: ")] + [outcome.remark]
    noted = cells[first.key].remarks
    noted += [remark for remark in dict.fromkeys(remarks) if remark and remark not in noted]
    for row in rows:
        cell = cells[row.key]
        if outcome.failure:
            cell.failure = outcome.failure
        else:
            cell.samples.append(outcome.figures[row.figure] - row.subtract)


def missing(row: Row) -> str:
    """The tool that is not installed, but needed for `row`; empty when all are there."""
    needed = []
    match row.run:
        case Tool(command=command, server=server):
            needed = [command[0], servers.INSTALLED.get(server)]
        case Load(server=server, count_calls=count_calls):
            needed = [servers.INSTALLED.get(server), "perf" if count_calls else None]
    return next((tool for tool in needed if tool and shutil.which(tool) is None), "")


def columns(setting: launch.Setting, row: Row) -> list[str]:
    """The columns that can be measured for `row`, in the table's order."""
    if missing(row):
        return []
    own = ([] if row.alone else ["native"]) + (["grivet"] if setting.library else [])
    return [name for name in COLUMNS if name in own or (name in row.comparators and name in setting.comparators)]


def measure(setting: launch.Setting, rows: list[Row], turns: int, progress) -> dict[str, dict[str, Cell]]:
    """Measures rows that share their run: row -> column -> Cell. A column that fails is not run again. `progress` is called with a text before
    each run."""
    first = rows[0]
    cells = {row.key: {column: Cell() for column in columns(setting, row)} for row in rows}
    for number in range(turns):
        for column, cell in cells[first.key].items():
            if not cell.failure:
                progress(f"{first.key}: {column}, turn {number + 1} of {turns}")
                if first.settle:
                    settle()
                turn(setting, rows, column, {key: of_columns[column] for key, of_columns in cells.items()})
    return cells


def settle() -> None:
    """Waits, 30 s at most, until the machine is idle: the kernel goes on for seconds to take apart the tens of thousands of threads that a native
    run has made."""
    for _ in range(60):
        if processor_use() < 0.1:
            return


def processor_use() -> float:
    """Share of all cores' time in use over half a second, 0 to 1, from /proc/stat (proc_stat(5)). The load average would remember the tens of
    thousands of threads of an earlier benchmark."""

    def times() -> tuple[int, int]:
        with open("/proc/stat", encoding="ascii") as lines:
            values = [int(word) for word in next(lines).split()[1:]]
        return values[3] + values[4], sum(values[:8])

    idle, total = times()
    time.sleep(0.5)
    later_idle, later_total = times()
    return 1 - (later_idle - idle) / max(later_total - total, 1)


def thread_count_made(setting: launch.Setting) -> int | None:
    """Threads that grivet says it made in a short program that makes some: the check that the library is not merely loaded. None when it
    says nothing."""
    program = setting.programs["create_join"] + ["10"]
    environment = ["env", f"LD_PRELOAD={setting.library}", "GRIVET_STATS=1"]
    done = subprocess.run(["timeout", "-s", "KILL", "20", *environment, *program], capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        if line.startswith("grivet: stats: threads="):
            return int(line.removeprefix("grivet: stats: threads=").split()[0])
    return None
