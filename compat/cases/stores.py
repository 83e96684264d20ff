"""Stores in memory: memcached and Redis."""

import csv
import re

import memcache
from catalogue import case
from stage import Stage


@case(
    "memcached",
    "4 worker threads, 50 connections that set, get and count",
    {"memcached": "memcached", "memcslap": "libmemcached-tools"},
    ["memcached", "-V"],
)
def memcached(stage: Stage) -> None:
    port = stage.port()
    command = ["memcached", "-t", "4", "-l", "127.0.0.1", "-p", port, "-U", "0", "-u", "root", "-m", "64", "-c", "1024"]
    server = stage.serve(command, port)
    for name, value in memcache.exercise(port, connections=50, rounds=10 if stage.quick else 60).items():
        stage.answer(name, value)
    if not stage.quick:
        for test in ("set", "get"):
            load = ["memcslap", f"--servers=127.0.0.1:{port}", "--concurrency=50", "--execute-number=1500", f"--test={test}", "--initial-load=1000"]
            told = stage.client(load).stdout
            seconds = re.search(rf"Time to {test} .* by .* threads: +([0-9.]+) seconds", told)[1]
            stage.figure(test, 50 * 1500 / float(seconds), "a second")
    stage.answer("exit status", server.stop())


REDIS_SCRIPT = """\
SET greeting hello
APPEND greeting " world"
GET greeting
RPUSH list a b c d e
LRANGE list 0 -1
HSET hash one 1 two 2
HGETALL hash
EVAL "local sum = 0; for n = 1, 1000 do sum = sum + n end; return sum" 0
DEBUG RELOAD
GET greeting
UNLINK list
MULTI
INCR counter
INCRBY counter 41
EXEC
FLUSHALL ASYNC
DBSIZE
"""


def redis(stage: Stage, threads: int) -> None:
    """Runs redis-server with that many I/O threads; its append-only file and lazy frees keep its background threads busy."""
    if threads > 1:
        # I/O threads wait for each other without a system call: on one core natively too for most of a time slice.
        stage.all_cores()
    port = stage.port()
    command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", stage.directory, "--appendonly", "yes", "--appendfsync", "everysec"]
    command += ["--io-threads", threads, "--io-threads-do-reads", "yes", "--enable-debug-command", "local", "--save", ""]
    server = stage.serve(command, port)
    stage.answer("script", stage.client(["redis-cli", "-p", port], feed=REDIS_SCRIPT).stdout)
    requests = 3000 if stage.quick or threads > 1 else 60000
    load = ["redis-benchmark", "-p", port, "-c", "50", "-n", requests, "-t", "set,get,incr,lpush,lrange_100", "--csv"]
    told = list(csv.DictReader(stage.client(load).stdout.splitlines()))
    stage.answer("tests", [row["test"] for row in told])
    stage.answer("counter", stage.client(["redis-cli", "-p", port, "GET", "counter:__rand_int__"]).stdout)
    stage.client(["redis-cli", "-p", port, "BGREWRITEAOF"])
    if not stage.quick:
        for row in told:
            if row["test"] in ("SET", "GET"):
                stage.figure(row["test"].lower(), float(row["rps"]), "a second")
    stage.answer("exit status", server.stop())


@case(
    "redis",
    "redis-benchmark with 50 connections, append-only file",
    {"redis-server": "redis-server", "redis-benchmark": "redis-tools"},
    ["redis-server", "-v"],
)
def redis_one(stage: Stage) -> None:
    redis(stage, 1)


@case("redis-io-threads", "the same with 4 I/O threads", {"redis-server": "redis-server", "redis-benchmark": "redis-tools"}, ["redis-server", "-v"])
def redis_four(stage: Stage) -> None:
    redis(stage, 4)
