"""The list of cases: a case is a function that plays one program on a stage. The modules in compat/cases add theirs with the decorator `case`."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from stage import Stage


@dataclass
class Case:
    """One line of the table."""

    name: str
    title: str
    body: Callable[[Stage], None]
    commands: dict[str, str]  # what must be installed: command or path -> Debian package
    version: list[str]  # a command that tells the program's version
    limit: str  # why its threads stay the kernel's, if that is known
    stays_out: str  # what grivet's one line says if it is to recognise the program and stay out of it

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return missing(self.commands)

    def program_version(self) -> str:
        """The first word with a digit in it that the version command prints."""
        try:
            told = subprocess.run(self.version, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
        except OSError:
            return "not installed"
        words = (told.stdout + " " + told.stderr).replace("/", " ").replace(",", " ").split()
        return next((word.strip('()v;=:"') for word in words if any(letter.isdigit() for letter in word) and "." in word), "unknown")


# Servers are in sbin, which is not in every user's PATH.
SEARCH_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"

# What the driver itself needs.
TOOLS = {"ss": "iproute2", "setpriv": "util-linux", "taskset": "util-linux", "timeout": "coreutils"}

CASES: list[Case] = []


def missing(commands: dict[str, str]) -> list[str]:
    """The packages of those commands and paths that are not there."""
    return [
        package
        for command, package in commands.items()
        if not ((command.startswith("/") and os.path.exists(command)) or shutil.which(command, path=SEARCH_PATH))
    ]


def case(
    name: str, title: str, commands: dict[str, str], version: list[str], limit: str = "", stays_out: str = ""
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Adds the function below as a case."""

    def add(body: Callable[[Stage], None]) -> Callable[[Stage], None]:
        CASES.append(Case(name, title, body, commands, version, limit, stays_out))
        return body

    return add


def named(names: list[str]) -> list[Case]:
    """The cases that are meant: all, those that are called so, or else those whose name begins so."""
    if not names:
        return CASES
    known = {case.name for case in CASES}
    return [case for case in CASES if any(case.name == name or (name not in known and case.name.startswith(name)) for name in names)]
