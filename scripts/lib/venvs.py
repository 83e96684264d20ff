"""Virtual environments with packages of PyPI, each made once for what a requirements file says.

As a program, `venvs.py FOLDER REQUIREMENTS`, it prints the path of the environment's Python; the tests use it so.
Several processes may ask for the same environment at once: one makes it, the others wait.
"""

import fcntl
import subprocess
import sys
import venv
from pathlib import Path


class NotInstalled(Exception):
    """Why there is no environment, as one line."""


def python(folder, requirements):
    """The Python of the virtual environment in `folder`, which has what the file `requirements` lists."""
    folder, requirements = Path(folder), Path(requirements)
    wanted, installed, program = requirements.read_text(), folder / "installed.txt", folder / "bin/python"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Written last, so that an environment which was half made is made again.
        if not (installed.exists() and installed.read_text() == wanted and program.exists()):
            print(f"installing {', '.join(wanted.split())} into {folder}", file=sys.stderr, flush=True)
            install(folder, program, requirements)
            installed.write_text(wanted)
    return program


def install(folder, program, requirements):
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError as error:
        raise NotInstalled(f"python3 -m venv failed ({error}): install python3-venv") from None
    pip = [program, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    done = subprocess.run([*pip, "-r", requirements], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        last = (done.stdout.strip().splitlines() or ["no reason given"])[-1]
        raise NotInstalled(f"pip could not install {requirements} (is PyPI reachable?): {last}")


if __name__ == "__main__":
    try:
        print(python(sys.argv[1], sys.argv[2]).absolute())
    except NotInstalled as reason:
        sys.exit(f"venvs: {reason}")
