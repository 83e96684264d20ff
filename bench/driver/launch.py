"""How anything measured is started: its command with time limit, cores and variables. Every process has a time limit and ends by SIGKILL when it
is over; the library is loaded into the measured program alone."""

import os
from dataclasses import dataclass, field

from rows import Row


@dataclass
class Setting:
    """What is measured with: commands by program and by column, the library, the text for the compressors, the cores that may be used."""

    programs: dict[str, list[str]]
    comparators: dict[str, list[str]]
    library: str | None
    sample: str
    cores: list[int]


@dataclass
class Outcome:
    """Of one turn of one column: its figures by name ("" where there is but one), or the failure; what was said on stderr; what else to note."""

    figures: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    said: list[str] = field(default_factory=list)
    remark: str = ""


def clean_environment() -> dict[str, str]:
    """The environment of the benchmark without what is about grivet."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("GRIVET", "LD_PRELOAD", "GLIBC_TUNABLES"))}


def wrapped(command: list[str], limit: int, core: int | None, variables: dict[str, str]) -> list[str]:
    """`command` with its time limit, pinned to `core`, with `variables` in its environment alone."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    return ["timeout", "-s", "KILL", str(limit), *pin, "env", *(f"{name}={value}" for name, value in variables.items()), *command]


def variables(setting: Setting, row: Row, column: str) -> dict[str, str]:
    """What is put into the environment of the measured program."""
    return row.environment | ({"LD_PRELOAD": setting.library} if column == "grivet" else {})


def how_it_ended(status: int, said: list[str], limit: int) -> str:
    """The failure of a process as one line; empty when it ended well."""
    if status == 0:
        return ""
    if status in (-9, 137):
        return f"no end within {limit} s"
    said = [line for line in said if not line.startswith("grivet: ")]
    return said[-1] if said else f"status {status}"
