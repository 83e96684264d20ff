"""Installs what the cases need: Debian packages, without starting the services in them, and gunicorn in a virtual environment under
target/compat."""

import os
import subprocess
import sys
from pathlib import Path

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).resolve().parents[2] / "target")).resolve()
VIRTUAL_ENVIRONMENT = TARGET / "compat/venv"

# invoke-rc.d asks this program whether a service may be started; 101 is no.
POLICY = Path("/usr/sbin/policy-rc.d")


class InstallFailed(Exception):
    """The text is the installer's."""


def run(command: list, **options) -> None:
    done = subprocess.run(
        ["timeout", "-s", "KILL", "600", *map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise InstallFailed(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}")


def packages(names: list[str]) -> None:
    own_policy = not POLICY.exists()
    if own_policy:
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        POLICY.chmod(0o755)
    try:
        run(["apt-get", "update", "-q"])
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *names], env=environment)
    finally:
        if own_policy:
            POLICY.unlink()


def gunicorn() -> None:
    run([sys.executable, "-m", "venv", VIRTUAL_ENVIRONMENT])
    run([VIRTUAL_ENVIRONMENT / "bin/pip", "install", "-q", "gunicorn"])
