"""Servers in Python, Ruby, Java and JavaScript that have a thread, or one of a pool, for each request. Their programs are in
compat/programs."""

import os
import sys
import xmlrpc.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import install
import slow_http
import web
from catalogue import case
from stage import Stage

PROGRAMS = Path(__file__).resolve().parents[1] / "programs"
# python3 in PATH may be a script that looks for it.
PYTHON = os.path.realpath(sys.executable)


def answers(stage: Stage, port: int, slow: int, waiting: int) -> None:
    """`slow` clients that send in pieces and `waiting` ones whose requests take a while, all answered with their own path and number; then the
    load. A server with a pool needs a thread for each of `slow`."""
    for path, clients, ask in (("/slow/{}", slow, slow_http.slow), ("/wait/{}", waiting, slow_http.at_once)):
        if clients:
            found = ask(port, clients, path)
            wrong = [answer for number, answer in enumerate(found) if answer[1] != f"{path.format(number)} for {number}\n"]
            stage.check(not wrong, f"{len(wrong)} of {clients} clients got another answer, such as {wrong[:1]}")
            stage.answer(path, sorted({status.split(" ", 1)[1] for status, _ in found}))
    if not stage.quick:
        web.load(stage, port, "/x", len("/x for ab\n"))


@case(
    "python-http",
    "ThreadingHTTPServer, 500 slow clients at once, all answered",
    {"python3": "python3", "ab": "apache2-utils"},
    [PYTHON, "-V"],
)
def python_http(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve([PYTHON, PROGRAMS / "threading_http.py", port], port)
    answers(stage, port, slow=150 if stage.quick else 500, waiting=0)
    stage.answer("exit status", server.stop())


@case("python-xmlrpc", "SimpleXMLRPCServer with ThreadingMixIn, 40 callers", {"python3": "python3"}, [PYTHON, "-V"])
def python_xmlrpc(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve([PYTHON, PROGRAMS / "threading_xmlrpc.py", port], port)

    def call(number: int) -> object:
        with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}") as proxy:
            return [proxy.count(20), proxy.join("caller", str(number))]

    with ThreadPoolExecutor(40) as callers:
        stage.answer("calls", list(callers.map(call, range(40), timeout=40)))
    with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{port}") as proxy:
        stage.answer("total", proxy.total())
    stage.answer("exit status", server.stop())


@case(
    "gunicorn",
    "gthread workers with 16 threads",
    {str(install.VIRTUAL_ENVIRONMENT / "bin/gunicorn"): "", "ab": "apache2-utils"},
    [str(install.VIRTUAL_ENVIRONMENT / "bin/gunicorn"), "--version"],
)
def gunicorn(stage: Stage) -> None:
    port = stage.port()
    command = [install.VIRTUAL_ENVIRONMENT / "bin/python", "-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "16", "-b", f"127.0.0.1:{port}"]
    server = stage.serve([*command, "--chdir", PROGRAMS, "--worker-tmp-dir", stage.directory, "wsgi:application"], port)
    answers(stage, port, slow=16, waiting=64)
    stage.answer("exit status", server.stop())


@case("puma", "Ruby: 16 threads", {"puma": "puma", "ab": "apache2-utils"}, ["puma", "-V"])
def puma(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve(["puma", "-q", "-t", "16:16", "-b", f"tcp://127.0.0.1:{port}", PROGRAMS / "application.ru"], port)
    answers(stage, port, slow=50, waiting=64)
    stage.answer("exit status", server.stop())


@case(
    "webrick", "Ruby: a thread a connection", {"ruby": "ruby", "/usr/share/doc/ruby-webrick": "ruby-webrick", "ab": "apache2-utils"}, ["ruby", "-v"]
)
def webrick(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve(["ruby", PROGRAMS / "webrick_server.rb", port], port)
    answers(stage, port, slow=100, waiting=100)
    stage.answer("exit status", server.stop())


@case("java-http", "com.sun.net.httpserver with a pool of 32 threads", {"java": "default-jdk-headless", "ab": "apache2-utils"}, ["java", "-version"])
def java_http(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve(["java", PROGRAMS / "PooledHttpServer.java", port], port)
    answers(stage, port, slow=32, waiting=100)
    stage.answer("exit status", server.stop())


@case("node-http", "http with 4 worker threads", {"node": "nodejs", "ab": "apache2-utils"}, ["node", "--version"])
def node_http(stage: Stage) -> None:
    port = stage.port()
    server = stage.serve(["node", PROGRAMS / "worker_http.js", port], port)
    answers(stage, port, slow=100, waiting=100)
    stage.answer("exit status", server.stop())
