"""Runs programs of the benchmark and tools of the system to their end, and takes the figure out of what they print."""

import re
import subprocess
import time

import launch
import servers
from rows import Row, Tool


def run_program(setting: launch.Setting, row: Row, column: str) -> launch.Outcome:
    """One of the benchmark's own programs, or the one that another column has in its place."""
    chosen = launch.variables(setting, row, column)
    if column in setting.comparators:
        command = setting.comparators[column] + row.comparators[column]
    else:
        command = list(setting.programs[row.run.name])
        if column == "grivet" and row.run.preload_by_argument:
            chosen = row.environment
            command += ["--preload", setting.library]
        command += row.run.arguments
    words = launch.wrapped(command, row.limit, setting.cores[-1] if row.pinned else None, chosen)
    done = subprocess.run(words, capture_output=True, text=True, env=launch.clean_environment(), check=False)
    outcome = launch.Outcome(said=done.stderr.strip().splitlines())
    outcome.failure = launch.how_it_ended(done.returncode, outcome.said, row.limit)
    if not outcome.failure:
        outcome.figures[""] = float(done.stdout)
    return outcome


def run_tool(setting: launch.Setting, row: Row, column: str) -> launch.Outcome:
    """A program of the system, with the server that it fetches from."""
    if not row.run.server:
        return run_tool_with(setting, row, column, 0)
    try:
        with servers.started(row.run.server, setting, row.limit, setting.cores[0], {}) as server:
            return run_tool_with(setting, row, column, server.port)
    except servers.NotStarted as failure:
        return launch.Outcome(failure=str(failure))


def run_tool_with(setting: launch.Setting, row: Row, column: str, port: int) -> launch.Outcome:
    tool: Tool = row.run
    command = [word.replace("{sample}", setting.sample).replace("{port}", str(port)) for word in tool.command]
    words = launch.wrapped(command, row.limit, setting.cores[-1] if row.pinned else None, launch.variables(setting, row, column))
    output = subprocess.PIPE if tool.pattern else subprocess.DEVNULL  # a pipe would cost time, and be part of the figure
    begin = time.monotonic()
    done = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, text=True, env=launch.clean_environment(), check=False)
    seconds = time.monotonic() - begin
    outcome = launch.Outcome(said=done.stderr.strip().splitlines())
    outcome.failure = launch.how_it_ended(done.returncode, outcome.said, row.limit)
    if outcome.failure:
        return outcome
    found = re.search(tool.pattern, done.stdout) if tool.pattern else None
    if tool.pattern and not found:
        outcome.failure = "it printed no figure"
    else:
        outcome.figures[""] = float(found[1]) if found else seconds
    return outcome
