"""The benchmark's rows as gevent greenlets: `greenlets.py ROW COUNT`, with ROW `semaphore-ping-pong`, `create-join` or `sleepers`.
Each prints one figure, in the unit and with the meaning of the C program of that name in bench/programs.
There is no condition variable among gevent's own locks, hence no such row."""

import sys
import time

import gevent
from gevent.lock import Semaphore


def ping_pong(rounds, serve_once, answer_once):
    """Nanoseconds a round, one greenlet serving and one answering."""
    warm_up = rounds // 10 + 1

    def serve():
        for _ in range(warm_up):
            serve_once()
        start = time.monotonic_ns()
        for _ in range(rounds):
            serve_once()
        return (time.monotonic_ns() - start) / rounds

    def answer():
        for _ in range(warm_up + rounds):
            answer_once()

    answerer = gevent.spawn(answer)
    server = gevent.spawn(serve)
    answerer.join()
    return server.get()


def semaphore_ping_pong(rounds):
    ping, pong = Semaphore(0), Semaphore(0)

    def serve():
        ping.release()
        pong.acquire()

    def answer():
        ping.acquire()
        pong.release()

    return ping_pong(rounds, serve, answer)


def create_join(count):
    def create_and_join(times):
        for _ in range(times):
            gevent.spawn(int).join()

    create_and_join(count // 10 + 1)
    start = time.monotonic_ns()
    create_and_join(count)
    return (time.monotonic_ns() - start) / count


def memory_held():
    """Bytes held now: VmRSS + VmPTE of /proc/self/status (proc_pid_status(5))."""
    with open("/proc/self/status", encoding="ascii") as status:
        words = [line.split() for line in status]
    return 1024 * sum(int(word[1]) for word in words if word[0] in ("VmRSS:", "VmPTE:"))


def sleepers(count):
    begun = 0

    def sleep_on():
        nonlocal begun
        begun += 1
        gevent.sleep(3600)

    before = memory_held()
    greenlets = [gevent.spawn(sleep_on) for _ in range(count)]
    while begun < len(greenlets):
        gevent.sleep(0.001)
    gevent.sleep(0.1)
    return (memory_held() - before) / count


ROWS = {"semaphore-ping-pong": semaphore_ping_pong, "create-join": create_join, "sleepers": sleepers}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ROWS or not sys.argv[2].isdecimal():
        sys.exit(f"usage: greenlets.py {'|'.join(ROWS)} COUNT")
    print(f"{ROWS[sys.argv[1]](int(sys.argv[2])):.1f}", flush=True)
    sys.exit(0)
