"""Programs that read and write files with threads: compressors, git, ripgrep, rsync, fio, sysbench, cargo."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path

from catalogue import case
from stage import Finished, Stage


def timed(stage: Stage, name: str, run: Callable[[], Finished]) -> Finished:
    """Runs and notes how long it took."""
    began = time.monotonic()
    finished = run()
    if not stage.quick:
        stage.figure(name, time.monotonic() - began, "s", more=False)
    return finished


def text(stage: Stage, lines: int) -> Path:
    """A text that compresses, but not to nothing."""
    state, made = 1, []
    for _ in range(lines):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        made.append(f"line {state >> 12} of {state >> 24}\n")
    return stage.file("text", "".join(made))


def round_trip(stage: Stage, pack: list, unpack: list) -> None:
    """Packs and unpacks a text through files and through a pipe from a shell's loop."""
    original = text(stage, 60_000 if stage.quick else 400_000)
    packed = stage.directory / "packed"
    words = " ".join(pack)
    timed(stage, "pack", lambda: stage.run(["sh", "-c", f"exec {words} < text > packed"]))
    stage.answer("packed", hashlib.sha256(packed.read_bytes()).hexdigest())
    timed(stage, "unpack", lambda: stage.run(["sh", "-c", f"exec {' '.join(unpack)} < packed > unpacked"]))
    stage.check((stage.directory / "unpacked").read_bytes() == original.read_bytes(), "unpacking did not give back what was packed")
    stage.run(["sh", "-c", f"(head -c 300000 text; sleep 0.2; tail -c +300001 text) | {words} | {' '.join(unpack)} | cmp - text"])


@case("xz", "-T2, files and pipes", {"xz": "xz-utils"}, ["xz", "--version"])
def xz(stage: Stage) -> None:
    round_trip(stage, ["xz", "-1", "-T2", "--block-size=1MiB"], ["xz", "-d", "-T2"])


@case("zstd", "-T2, files and pipes", {"zstd": "zstd"}, ["zstd", "--version"])
def zstd(stage: Stage) -> None:
    round_trip(stage, ["zstd", "-6", "-T2", "-q", "-c"], ["zstd", "-d", "-q", "-c"])


@case("pigz", "4 threads, files and pipes", {"pigz": "pigz"}, ["pigz", "--version"])
def pigz(stage: Stage) -> None:
    round_trip(stage, ["pigz", "-p", "4", "-n"], ["pigz", "-d"])


REPOSITORY = """\
set -e
git init -q .
for n in 1 2 3 4 5; do
    for f in $(seq 80); do seq $n $((f * 20 + 200)) > $f; done
    git add .
    git -c user.name=t -c user.email=t@example.org commit -q -m $n
done
"""


@case("git", "gc, grep, clone and fsck with 4 threads", {"git": "git"}, ["git", "--version"])
def git(stage: Stage) -> None:
    place = stage.directory / "repository"
    place.mkdir()
    dates = {"GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z", "HOME": str(stage.directory)}
    stage.client(["sh", "-c", f"cd repository\n{REPOSITORY}"], **dates)
    options = ["git", "-c", "pack.threads=4", "-c", "grep.threads=4", "-c", "index.threads=4", "-c", "core.preloadIndex=true"]

    def run(*arguments: object) -> str:
        return stage.run([*options, *arguments], directory=place, **dates).stdout

    timed(stage, "gc", lambda: stage.run([*options, "gc", "-q", "--aggressive", "--prune=now"], directory=place, **dates))
    stage.answer("fsck", run("fsck", "--strict"))
    stage.answer("grep", hashlib.sha256(run("grep", "-n", "77", "HEAD").encode()).hexdigest())
    stage.answer("status", run("status", "--short"))
    stage.answer("objects", [line for line in run("count-objects", "-v").splitlines() if "size" not in line])
    run("clone", "-q", "--no-local", place, stage.directory / "clone")
    stage.answer("log", run("log", "--format=%H %s"))


@case("ripgrep", "4 threads over a tree of 600 files", {"rg": "ripgrep"}, ["rg", "--version"])
def ripgrep(stage: Stage) -> None:
    for number in range(600):
        stage.file(f"tree/{number % 20}/{number}.txt", "".join(f"{number} {line * number % 977}\n" for line in range(200)))
    found = timed(stage, "search", lambda: stage.run(["rg", "-j4", "-n", "--no-config", r"\b77\d?$", "tree"]))
    stage.answer("found", hashlib.sha256("\n".join(sorted(found.stdout.splitlines())).encode()).hexdigest())


@case("rsync", "a tree copied, and once more through a pipe; without threads", {"rsync": "rsync"}, ["rsync", "--version"])
def rsync(stage: Stage) -> None:
    for number in range(200):
        stage.file(f"tree/{number % 7}/{number}", f"{number}\n" * (number * 31 % 3000))
    shell = stage.file("shell", '#!/bin/sh\nshift\nexec "$@"\n', mode=0o755)
    stage.run(["rsync", "-a", "tree/", "copy"])
    stage.run(["rsync", "-a", "-z", f"--rsh={shell}", "tree/", f"there:{stage.directory}/remote"])
    for copy in ("copy", "remote"):
        stage.answer(copy, stage.client(["diff", "-r", "tree", copy]).stdout)


def fio(stage: Stage, engine: str) -> None:
    """4 jobs as threads, each writes its file in a random order and verifies it."""
    command = ["fio", "--name=job", f"--directory={stage.directory}", f"--ioengine={engine}", "--thread", "--numjobs=4", "--rw=randwrite"]
    command += ["--size=4M" if stage.quick else "--size=16M", "--bs=4k", "--verify=crc32c", "--verify_fatal=1", "--iodepth=8", "--fsync=64"]
    told = stage.run([*command, "--output-format=json", "--output=report"], limit=45)
    stage.answer("output", told.stdout)
    report = (stage.directory / "report").read_text(encoding="utf-8")
    jobs = json.loads(report[report.index("{") :])["jobs"]
    stage.answer("jobs", [(job["error"], job["read"]["io_bytes"], job["write"]["io_bytes"]) for job in jobs])
    if not stage.quick:
        stage.figure("written", sum(job["write"]["iops"] for job in jobs), "blocks a second")


for ENGINE in ("psync", "sync", "io_uring", "posixaio"):
    case(f"fio-{ENGINE}", f"4 threads with ioengine {ENGINE}, verified", {"fio": "fio"}, ["fio", "--version"])(
        lambda stage, engine=ENGINE: fio(stage, engine)
    )


def sysbench(stage: Stage, *arguments: str) -> str:
    told = timed(stage, arguments[0], lambda: stage.run(["sysbench", *arguments, "--threads=8", "--time=30", "run"])).stdout
    stage.check("execution time (avg/stddev)" in told, "sysbench ends without its report")
    return next((line.split(":")[1].strip() for line in told.splitlines() if "total number of events" in line), "")


@case("sysbench", "threads, mutex and fileio, 8 threads each", {"sysbench": "sysbench"}, ["sysbench", "--version"])
def sysbench_all(stage: Stage) -> None:
    stage.answer("threads", sysbench(stage, "threads", "--events=1000", "--thread-yields=100", "--thread-locks=4"))
    stage.answer("mutex", sysbench(stage, "mutex", "--mutex-num=16", "--mutex-locks=4000", "--mutex-loops=100"))
    files = ["--file-num=8", "--file-total-size=16M"]
    stage.client(["sysbench", "fileio", *files, "prepare"])
    stage.answer("fileio", sysbench(stage, "fileio", *files, "--file-test-mode=rndrw", "--events=4000", "--file-fsync-freq=50"))


@case("cargo", "builds two crates: rustc's threads share the jobs over a pipe", {"cargo": "cargo"}, ["cargo", "--version"])
def cargo(stage: Stage) -> None:
    package = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
    stage.file("parts/Cargo.toml", package.format("parts"))
    functions = "\n".join(f'pub fn part_{number}(n: u64) -> String {{ format!("{{:?}}", vec![n; {number}]) }}' for number in range(60))
    stage.file("parts/src/lib.rs", functions)
    stage.file("whole/Cargo.toml", package.format("whole") + '[dependencies]\nparts = { path = "../parts" }\n')
    stage.file("whole/src/main.rs", 'fn main() { println!("{}", parts::part_7(5)); }\n')
    command = ["cargo", "build", "--offline", "--quiet", "-j2"]
    timed(
        stage, "build", lambda: stage.run(command, limit=100, directory=stage.directory / "whole", CARGO_TARGET_DIR=str(stage.directory / "target"))
    )
    stage.answer("output", stage.client([stage.directory / "target/debug/whole"]).stdout)
