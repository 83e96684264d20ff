"""Makes what the demo's acts need: grivet itself, the programs of demo-bin/, and, where asked for, Debian packages.

What makes something prints its own progress on stderr, and what it makes lies below the cargo target folder.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lib.stage import PROGRAMS, DemoError

CARGO_FOLDER = PROGRAMS / "cargo"
CARGO_PROGRAMS = CARGO_FOLDER / "release"  # what cargo_package makes

NEEDED = {
    "cargo": "Rust 1.95 or newer",
    "rustc": "Rust 1.95 or newer",
    "cc": "a C compiler",
    "nm": "binutils",
    "strip": "binutils",
}


def made(*words, **variables):
    """Runs a command that makes something, with `variables` added to the environment; one that fails ends the demo."""
    if subprocess.run(words, stdout=sys.stderr, env={**os.environ, **variables}).returncode != 0:
        raise DemoError(f"{' '.join(map(str, words))} failed")


def grivet():
    """The library and the command; but first a look for the tools that all acts need."""
    for tool, what in NEEDED.items():
        if shutil.which(tool) is None:
            raise DemoError(f"{tool} not found: install {what}")
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    made("cargo", "build", "--release", "-p", "grivet-preload", "-p", "grivet")


def classic():
    """The exhibit; apart from grivet, lest its crates turn on features of crates that grivet uses too."""
    made("cargo", "build", "--release", "-p", "grivet-preload-classic")


def c_program(name, *options, result=None):
    made("cc", "-O2", "-pthread", "-o", PROGRAMS / (result or name), f"demo-bin/{name}.c", *options)


def rust_program(name):
    made("rustc", "--edition=2024", "-O", "-o", PROGRAMS / f"{name}_rust", f"demo-bin/{name}.rs")


def cargo_package(name):
    """A package of demo-bin/, which is a workspace of its own."""
    manifest = f"demo-bin/{name}/Cargo.toml"
    made("cargo", "build", "--release", "--locked", "--manifest-path", manifest, "--target-dir", CARGO_FOLDER)


def go_program(name):
    print(f"demo: building demo-bin/{name}.go", file=sys.stderr)
    cache = str((PROGRAMS / "go").absolute())
    made("go", "build", "-o", PROGRAMS / name, f"demo-bin/{name}.go", GOCACHE=cache, CGO_ENABLED="1")


def debian_package(package, *, unless):
    """Installs a Debian package, unless the command or the file `unless` is there."""
    if shutil.which(unless) is None and not Path(unless).exists():
        made("bash", "-c", 'source scripts/lib/packages && install_packages "$1"', "bash", f"{unless}={package}")


def use_real_python():
    """Puts the folder of the python3 in use first in PATH, so that `python3` starts it and no wrapper script."""
    real = subprocess.run(["python3", "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
    if real.returncode == 0:
        os.environ["PATH"] = f"{Path(real.stdout.strip()).parent}:{os.environ['PATH']}"
