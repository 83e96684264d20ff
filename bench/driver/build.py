"""Builds what the benchmark runs, all under target/bench: the C programs, the comparators in Rust and, where they are installed, those in Go and
for gevent, and the text that is compressed. Installs nothing unless asked to."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
OUTPUT = TARGET / "bench"
VIRTUAL_ENVIRONMENT = OUTPUT / "venv"
LIBRARY = TARGET / "release" / "libgrivet.so"
SAMPLE_SIZE = 32 * 1024 * 1024
# Command -> Debian package.
PACKAGES = {
    "go": "golang-go",
    "perf": "linux-perf",
    "hackbench": "rt-tests",
    "memcached": "memcached",
    "apache2": "apache2-bin",
    "curl": "curl",
    "pigz": "pigz",
    "xz": "xz-utils",
}


class BuildFailed(Exception):
    """A program of the benchmark does not build; the text is the compiler's."""


def run(command: list, **options) -> str:
    """Runs `command` for its output; five minutes at most."""
    done = subprocess.run(
        ["timeout", "-s", "KILL", "300", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")
    return done.stdout


def install() -> None:
    """Installs what is missing: the Go compiler and the tools that are measured, from Debian, and gevent in a virtual environment under
    target/bench. No service is started (RUNLEVEL=1, see invoke-rc.d(8))."""
    packages = [package for command, package in PACKAGES.items() if shutil.which(command) is None]
    if packages:
        run(["apt-get", "update", "-q"])
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=environment)
    if gevent_python() is None:
        run([sys.executable, "-m", "venv", VIRTUAL_ENVIRONMENT])
        run([VIRTUAL_ENVIRONMENT / "bin/pip", "install", "-q", "gevent"])


def gevent_python() -> str | None:
    """The interpreter that has gevent: the one of `install`, or else this one. None when neither has it."""
    for python in (str(VIRTUAL_ENVIRONMENT / "bin/python"), sys.executable):
        if shutil.which(python) is None:
            continue
        if subprocess.run([python, "-c", "import gevent"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return python
    return None


def build_programs() -> dict[str, list[str]]:
    """The C programs: name -> command."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    commands = {}
    for source in [*sorted((ROOT / "bench/programs").glob("*.c")), ROOT / "demo-bin/echo_server.c"]:
        binary = OUTPUT / source.stem
        run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", binary, source])
        commands[source.stem] = [str(binary)]
    return commands


def sample_text() -> Path:
    """Text to compress, the same on every machine: sentences of made-up words."""
    path = OUTPUT / "sample.txt"
    if not path.exists() or path.stat().st_size != SAMPLE_SIZE:
        generator = random.Random(1)
        words = ["".join(generator.choices("etaoinshrdlu", k=generator.randint(2, 9))) for _ in range(5000)]
        text = " ".join(generator.choices(words, k=SAMPLE_SIZE // 4))
        path.write_text(text[:SAMPLE_SIZE], encoding="ascii")
    return path


def build_comparators() -> tuple[dict[str, list[str]], dict[str, str]]:
    """The comparators: column -> command, and column -> version. A column whose tools are not installed is in neither."""
    commands, versions = {}, {}
    manifest = ROOT / "bench/comparators/Cargo.toml"
    target = OUTPUT / "comparators"
    run(["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", target])
    tree = run(["cargo", "tree", "--locked", "--depth", "1", "--prefix", "none", "--manifest-path", manifest])
    for column in ("may", "tokio"):
        commands[column] = [str(target / "release/grivet-bench-comparators"), column]
        versions[column] = next(line.split()[1].lstrip("v") for line in tree.splitlines() if line.startswith(f"{column} "))
    if shutil.which("go") is not None:
        binary = OUTPUT / "goroutines"
        run(["go", "build", "-o", binary, ROOT / "bench/comparators/goroutines.go"])
        commands["go"] = [str(binary)]
        versions["go"] = run(["go", "version"]).split()[2].removeprefix("go")
    python = gevent_python()
    if python is not None:
        commands["gevent"] = [python, str(ROOT / "bench/comparators/greenlets.py")]
        versions["gevent"] = run([python, "-c", "import gevent, platform; print(gevent.__version__, '/ Python', platform.python_version())"]).strip()
    return commands, versions
