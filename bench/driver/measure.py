"""Runs the rows. Within a row the columns take turns, so that what else the machine does falls on all of them; each figure is the median of
the turns. Every process has a time limit and ends by SIGKILL when it is over; the library is loaded into the measured program alone."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field

from rows import COLUMNS, Row


@dataclass
class Cell:
    """What one column of a row measured: the figures of its turns, or why there are none."""

    samples: list[float] = field(default_factory=list)
    failure: str = ""
    remarks: list[str] = field(default_factory=list)  # what grivet said on stderr

    @property
    def median(self) -> float | None:
        return statistics.median(self.samples) if self.samples and not self.failure else None


@dataclass
class Setting:
    """What is measured with: commands by program and by column, the library, the core for pinned rows."""

    programs: dict[str, list[str]]
    comparators: dict[str, list[str]]
    library: str | None
    core: int


def command(setting: Setting, row: Row, column: str) -> list[str]:
    """The full command of one turn."""
    variables = dict(row.environment)
    if column in setting.comparators:
        program = setting.comparators[column] + row.comparators[column]
    else:
        program = list(setting.programs[row.program])
        if column == "grivet" and row.preload_by_argument:
            program += ["--preload", setting.library]
        elif column == "grivet":
            variables["LD_PRELOAD"] = setting.library
        program += row.arguments
    pin = ["taskset", "-c", str(setting.core)] if row.pinned else []
    return ["timeout", "-s", "KILL", str(row.limit), *pin, "env", *(f"{name}={value}" for name, value in variables.items()), *program]


def turn(setting: Setting, row: Row, column: str, cell: Cell) -> None:
    """Runs `column` once and adds its figure, or the reason why there is none, to `cell`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GRIVET", "LD_PRELOAD", "GLIBC_TUNABLES"))}
    done = subprocess.run(command(setting, row, column), capture_output=True, text=True, env=environment, check=False)
    said = done.stderr.strip().splitlines()
    for line in said:
        if line.startswith("grivet: ") and line not in cell.remarks:
            cell.remarks.append(line)
    if done.returncode == 0:
        cell.samples.append(float(done.stdout) - row.subtract)
    elif done.returncode in (-9, 137):
        cell.failure = f"no end within {row.limit} s"
    else:
        said = [line for line in said if not line.startswith("grivet: ")]
        cell.failure = said[-1] if said else f"status {done.returncode}"


def columns(setting: Setting, row: Row) -> list[str]:
    """The columns that can be measured for `row`, in the table's order."""
    own = ([] if row.alone else ["native"]) + (["grivet"] if setting.library else [])
    return [name for name in COLUMNS if name in own or (name in row.comparators and name in setting.comparators)]


def measure(setting: Setting, row: Row, turns: int, progress) -> dict[str, Cell]:
    """Measures one row. A column that fails is not run again. `progress` is called with a text before each run."""
    cells = {column: Cell() for column in columns(setting, row)}
    for number in range(turns):
        for column, cell in cells.items():
            if not cell.failure:
                progress(f"{row.key}: {column}, turn {number + 1} of {turns}")
                if row.settle:
                    settle()
                turn(setting, row, column, cell)
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


def thread_count_made(setting: Setting) -> int | None:
    """Threads that grivet says it made in a short program that makes some: the check that the library is not merely loaded. None when it
    says nothing."""
    program = setting.programs["create_join"] + ["10"]
    environment = ["env", f"LD_PRELOAD={setting.library}", "GRIVET_STATS=1"]
    done = subprocess.run(["timeout", "-s", "KILL", "20", *environment, *program], capture_output=True, text=True, check=False)
    for line in done.stderr.splitlines():
        if line.startswith("grivet: stats: threads="):
            return int(line.removeprefix("grivet: stats: threads=").split()[0])
    return None
