"""Runtimes with threads of their own: Erlang, Guile, Tcl, SBCL. Each runs a program of compat/programs to its end, and its output is compared."""

import time
from pathlib import Path

from catalogue import case
from stage import Stage

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"


def output(stage: Stage, *command: object) -> None:
    began = time.monotonic()
    stage.answer("output", stage.run(list(command), limit=60, HOME=str(stage.directory), GUILE_AUTO_COMPILE="0").stdout)
    if not stage.quick:
        stage.figure("time", time.monotonic() - began, "s", more=False)


@case("erlang", "scheduler threads; 20,000 processes, 100 connections", {"escript": "erlang-base"}, ["dpkg-query", "-W", "erlang-base"])
def erlang(stage: Stage) -> None:
    program = stage.file("processes", "#!/usr/bin/env escript\n" + (PROGRAMS / "processes.erl").read_text(encoding="utf-8"))
    output(stage, "escript", program)


@case("guile", "20 threads that collect garbage", {"guile": "guile-3.0"}, ["guile", "--version"])
def guile(stage: Stage) -> None:
    output(stage, "guile", PROGRAMS / "threads.scm")


@case("tcl", "30 threads with event loops", {"tclsh": "tcl", "/usr/share/doc/tcl-thread": "tcl-thread"}, ["dpkg-query", "-W", "tcl-thread"])
def tcl(stage: Stage) -> None:
    output(stage, "tclsh", PROGRAMS / "threads.tcl")


@case("sbcl", "20 threads that collect garbage", {"sbcl": "sbcl"}, ["sbcl", "--version"])
def sbcl(stage: Stage) -> None:
    output(stage, "sbcl", "--script", PROGRAMS / "threads.lisp")
