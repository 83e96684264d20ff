"""Languages whose run-time has threads, schedulers or collectors of its own. Each runs a program of compat/programs to its end, and its output
is compared."""

import shutil
import time

from build import PROGRAMS, built
from catalogue import case
from stage import Stage


def output(stage: Stage, *command: object, name: str = "output", **environment: str) -> None:
    """Runs the program to its end; what it prints must be the same."""
    began = time.monotonic()
    finished = stage.run(list(command), limit=60, HOME=str(stage.directory), **environment)
    stage.answer(name, finished.stdout)
    if not stage.quick:
        stage.figure("time" if name == "output" else name, time.monotonic() - began, "s", more=False)


@case("erlang", "scheduler threads; 20,000 processes, 100 connections", {"escript": "erlang-base"}, ["dpkg-query", "-W", "erlang-base"])
def erlang(stage: Stage) -> None:
    program = stage.file("processes", "#!/usr/bin/env escript\n" + (PROGRAMS / "processes.erl").read_text(encoding="utf-8"))
    output(stage, "escript", program)


@case("guile", "20 threads that collect garbage", {"guile": "guile-3.0"}, ["guile", "--version"])
def guile(stage: Stage) -> None:
    output(stage, "guile", PROGRAMS / "threads.scm", GUILE_AUTO_COMPILE="0")


@case("tcl", "30 threads with event loops", {"tclsh": "tcl", "/usr/share/doc/tcl-thread": "tcl-thread"}, ["dpkg-query", "-W", "tcl-thread"])
def tcl(stage: Stage) -> None:
    output(stage, "tclsh", PROGRAMS / "threads.tcl")


@case("sbcl", "20 threads that collect garbage", {"sbcl": "sbcl"}, ["sbcl", "--version"])
def sbcl(stage: Stage) -> None:
    output(stage, "sbcl", "--script", PROGRAMS / "threads.lisp")


@case("ecl", "20 threads on the Boehm collector, which stops them by signal; mailboxes, an interrupt", {"ecl": "ecl"}, ["ecl", "--version"])
def ecl(stage: Stage) -> None:
    output(stage, "ecl", "--shell", PROGRAMS / "threads_ecl.lisp")


@case("chez-scheme", "20 threads that meet to collect garbage", {"chezscheme": "chezscheme"}, ["dpkg-query", "-W", "chezscheme"])
def chez_scheme(stage: Stage) -> None:
    output(stage, "chezscheme", "--script", PROGRAMS / "threads.ss")


@case("racket", "places, futures and threads", {"racket": "racket"}, ["racket", "--version"])
def racket(stage: Stage) -> None:
    output(stage, "racket", PROGRAMS / "places.rkt")


@case("polyml", "20 threads, a collector with threads of its own, an interrupt", {"poly": "polyml"}, ["poly", "-v"])
def polyml(stage: Stage) -> None:
    output(stage, "poly", "--script", PROGRAMS / "threads.sml")


@case("swi-prolog", "threads with message queues; an atom collector that signals the others", {"swipl": "swi-prolog-nox"}, ["swipl", "--version"])
def swi_prolog(stage: Stage) -> None:
    output(stage, "swipl", PROGRAMS / "threads.prolog")


@case(
    "haskell",
    "GHC's threaded run-time with 4 capabilities: 2,000 green threads, bound threads, transactions",
    {"ghc": "ghc"},
    ["ghc", "--version"],
)
def haskell(stage: Stage) -> None:
    ghc = ["ghc", "-v0", "-O", "-threaded", "-rtsopts", "-with-rtsopts=-N4", "-package", "stm", "-package", "containers"]
    output(stage, built("threads.hs", [*ghc, "-outputdir", stage.directory]))


@case("pandoc", "the same run-time in a program of Debian's", {"pandoc": "pandoc"}, ["pandoc", "--version"])
def pandoc(stage: Stage) -> None:
    rows = "\n".join(f"| {row} | *{row * row}* | `{row:b}` |" for row in range(300))
    text = stage.file("text.md", f"# Squares\n\n| n | square | bits |\n|---|---|---|\n{rows}\n")
    for kind in ("html", "latex", "man", "rst"):
        stage.answer(kind, stage.run(["pandoc", "-f", "gfm", "-t", kind, text]).stdout)


@case(
    "ocaml",
    "threads that share the master lock, which a tick thread takes away",
    {"ocamlopt": "ocaml-nox"},
    ["ocamlopt", "-version"],
)
def ocaml(stage: Stage) -> None:
    # The compiler leaves its other files beside the source.
    source = shutil.copy(PROGRAMS / "threads.ml", stage.directory)
    output(stage, built(source, ["ocamlopt", "-I", "+threads", "unix.cmxa", "threads.cmxa"]))


@case(
    "mono",
    "threads, tasks and the thread pool; a collector that stops them by signal",
    {"mono": "mono-runtime", "mcs": "mono-mcs"},
    ["mono", "--version"],
)
def mono(stage: Stage) -> None:
    program = stage.directory / "threads.exe"
    stage.client(["mcs", f"-out:{program}", PROGRAMS / "Threads.cs"])
    output(stage, "mono", program)


@case("d", "threads, messages, a pool; a collector that stops them by signal", {"gdc": "gdc"}, ["gdc", "--version"])
def d(stage: Stage) -> None:
    output(stage, built("threads.d", ["gdc", "-O"]))


@case("ada", "50 tasks with rendezvous, protected objects, delays and aborts", {"gnatmake": "gnat"}, ["gnatmake", "--version"])
def ada(stage: Stage) -> None:
    output(stage, built("tasks.adb", ["gnatmake", "-q", "-O", "-D", stage.directory]))


def java(stage: Stage, option: str) -> None:
    stage.client(["javac", "-d", stage.directory, PROGRAMS.parents[1] / "tests/programs/languages/Collects.java"])
    output(stage, "java", option, "-Xmx48m", "-XX:ActiveProcessorCount=4", "-cp", stage.directory, "Collects")


# By how code is run and by collector, for each of which HotSpot stops its threads in another way.
for NAME, OPTION in (
    ("int", "-Xint"),
    ("serial", "-XX:+UseSerialGC"),
    ("parallel", "-XX:+UseParallelGC"),
    ("g1", "-XX:+UseG1GC"),
    ("shenandoah", "-XX:+UseShenandoahGC"),
    ("z", "-XX:+UseZGC"),
):
    case(
        f"java-{NAME}",
        f"{OPTION}: 50 threads in 48 MiB that sleep, lock, wait and allocate",
        {"java": "openjdk-17-jre-headless", "javac": "openjdk-17-jdk-headless"},
        ["java", "-version"],
    )(lambda stage, option=OPTION: java(stage, option))


def rclone(stage: Stage) -> None:
    for number in range(50):
        stage.file(f"from/{number}", f"file {number}\n" * 100)
    command = ["rclone", "--config", stage.file("rclone.conf", ""), "copy", "--transfers", "8", stage.directory / "from", stage.directory / "to"]
    stage.run(command, HOME=str(stage.directory))
    stage.answer("copies", sorted((path.name, path.read_bytes()) for path in (stage.directory / "to").iterdir()))


def restic(stage: Stage) -> None:
    for number in range(50):
        stage.file(f"from/{number}", f"file {number}\n" * 100)
    repository = {"RESTIC_REPOSITORY": str(stage.directory / "repository"), "RESTIC_PASSWORD": "secret", "HOME": str(stage.directory)}
    for words in (["init"], ["backup", "from"], ["check"], ["restore", "latest", "--target", "to"]):
        stage.run(["restic", "--quiet", "--no-cache", *words], directory=stage.directory, **repository)
    stage.answer("copies", sorted((path.name, path.read_bytes()) for path in (stage.directory / "to/from").iterdir()))


def hugo(stage: Stage) -> None:
    stage.file("config.toml", 'baseURL = "http://localhost/"\ntitle = "pages"\ndisableKinds = ["RSS", "sitemap", "taxonomy", "term"]\n')
    stage.file("layouts/_default/single.html", "{{ .Title }}: {{ .Content }}")
    stage.file("layouts/_default/list.html", "{{ range .Pages }}{{ .Title }} {{ end }}")
    for number in range(50):
        stage.file(f"content/page{number}.md", f"---\ntitle: page {number}\ndate: 2024-01-01\n---\n*{number}*\n")
    stage.run(["hugo", "--quiet", "--source", stage.directory], HOME=str(stage.directory))
    pages = stage.directory / "public"
    stage.answer("pages", sorted((str(path.relative_to(pages)), path.read_text(encoding="utf-8")) for path in pages.rglob("*.html")))


# Go runs native threads of its own: grivet recognises it and says in one line that it stays out.
for BODY in (rclone, restic, hugo):
    case(
        BODY.__name__,
        "written in Go, with cgo",
        {BODY.__name__: BODY.__name__},
        [BODY.__name__, "version"],
        "Go schedules for itself: the process is left native, and one line says so",
        stays_out="is written in Go",
    )(BODY)
