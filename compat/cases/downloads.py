"""Downloaders: curl, aria2, wget2, from a local server with ranges."""

import hashlib

import file_server
from catalogue import case
from stage import Stage


def digests(stage: Stage, names: list[str]) -> list[str]:
    """What was downloaded, as far as it is there."""
    paths = [stage.directory / name for name in names]
    return [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "missing" for path in paths]


def expected(stage: Stage, paths: list[str], found: list[str]) -> None:
    wanted = [hashlib.sha256(file_server.content(path, int(path.split("/")[1]))).hexdigest() for path in paths]
    stage.check(found == wanted, "a downloaded file is not as the server has it")


@case("curl", "30 downloads in parallel; names are looked up in a thread each", {"curl": "curl"}, ["curl", "-V"])
def curl(stage: Stage) -> None:
    with file_server.FileServer() as server:
        paths = [f"/{20_000 + 1000 * number}/{number}" for number in range(30)]
        command = ["curl", "-sS", "--parallel", "--parallel-max", "10"]
        for number, path in enumerate(paths):
            command += ["-o", f"file-{number}", f"http://localhost:{server.port}{path}"]
        stage.answer("output", stage.run(command, limit=40).stdout)
        # One lookup that fails, without a question to a server: the name is not a valid one.
        stage.answer("no such host", stage.run(["curl", "-s", f"http://no.such.host..invalid:{server.port}/"], limit=40, expect=6).status)
    expected(stage, paths, digests(stage, [f"file-{number}" for number in range(30)]))


@case("aria2", "one file over 8 connections; without threads", {"aria2c": "aria2"}, ["aria2c", "--version"])
def aria2(stage: Stage) -> None:
    with file_server.FileServer() as server:
        path = "/12000000/large"
        command = ["aria2c", "-q", "-x8", "-s8", "-k1M", "--no-conf", "--file-allocation=none", "-d", stage.directory, "-o", "large"]
        stage.run([*command, f"http://127.0.0.1:{server.port}{path}"], limit=40)
    expected(stage, [path], digests(stage, ["large"]))


@case("wget2", "20 downloads over 8 threads", {"wget2": "wget2"}, ["wget2", "--version"])
def wget2(stage: Stage) -> None:
    with file_server.FileServer() as server:
        paths = [f"/{30_000 + 1000 * number}/file-{number}" for number in range(20)]
        stage.run(["wget2", "-q", "--no-config", "--max-threads=8", *(f"http://127.0.0.1:{server.port}{path}" for path in paths)], limit=40)
    expected(stage, paths, digests(stage, [f"file-{number}" for number in range(20)]))
