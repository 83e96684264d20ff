"""Builds programs of compat/programs that are in compiled languages, each once for its source and command, under target/compat/programs."""

import hashlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import install
from trouble import Trouble

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
BUILT = install.TARGET / "compat/programs"


def run(command: list, **options) -> str:
    """Runs a compiler or its like; what it prints."""
    words = ["timeout", "-s", "KILL", "300", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or [""]
        raise Trouble(f"{command[0]}: exit status {done.returncode}: {said[0]}"[:300])
    return done.stdout


def built(source: str | Path, compiler: list, libraries: Iterable[str] = (), packages: Iterable[str] = ()) -> Path:
    """The program that COMPILER makes of `source`, with what stands behind the source on its command line: `libraries`, and what pkg-config
    knows of `packages`."""
    source = PROGRAMS / source
    behind = [*libraries, *(run(["pkg-config", "--cflags", "--libs", *packages]).split() if packages else [])]
    # Directories of this run's own are no part of what makes the program.
    words = [word for word in compiler if not isinstance(word, Path)]
    content = hashlib.sha256(repr((words, behind)).encode() + source.read_bytes()).hexdigest()[:16]
    program = BUILT / f"{source.stem}-{content}"
    if not program.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_name(f"{program.name}-{os.getpid()}")
        run([*compiler, "-o", unfinished, source, *behind])
        unfinished.rename(program)
    return program


def cargo(package: str, program: str) -> Path:
    """The program of that name from a package in compat/programs, which has a Cargo.lock of its own."""
    target = BUILT / package
    manifest = PROGRAMS / package / "Cargo.toml"
    run(["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", manifest], env=os.environ | {"CARGO_TARGET_DIR": str(target)})
    return target / "release" / program
