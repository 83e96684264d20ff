"""CPython's threading: Thread, Lock, RLock, Condition, Event, Semaphore, Barrier, Timer and local, with sleeps inside."""

import threading
import time

failures = []


def run(count, body):
    def guarded(n):
        try:
            body(n)
        except BaseException as error:  # a thread's failure must reach the exit status
            failures.append(repr(error))

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def locks():
    lock, recursive, state = threading.Lock(), threading.RLock(), {"inside": 0, "count": 0}

    def body(n):
        for _ in range(20):
            with lock:
                state["inside"] += 1
                assert state["inside"] == 1
                if n % 3 == 0:
                    time.sleep(0.0002)
                state["count"] += 1
                state["inside"] -= 1
            with recursive, recursive:
                state["count"] += 1

    run(20, body)
    assert not lock.acquire(False) or lock.release() is None
    lock.acquire()
    assert lock.acquire(timeout=0.01) is False
    lock.release()
    print("locks", state["count"])


def conditions():
    condition, turn = threading.Condition(), [0]

    def body(n):
        for _ in range(10):
            with condition:
                assert condition.wait_for(lambda: turn[0] % 10 == n, timeout=60)
                turn[0] += 1
                condition.notify_all()

    run(10, body)
    with condition:
        assert condition.wait(timeout=0.01) is False
    print("conditions", turn[0])


def events():
    event, seen = threading.Event(), []
    threading.Timer(0.05, event.set).start()
    run(30, lambda n: seen.append(event.wait(60)))
    assert not threading.Event().wait(0.01)
    cancelled = threading.Timer(60, seen.clear)
    cancelled.start()
    cancelled.cancel()
    cancelled.join()
    print("events", seen.count(True))


def semaphores_and_barriers():
    room, inside, most = threading.BoundedSemaphore(3), [0], [0]
    barrier, serial = threading.Barrier(8), []

    def body(n):
        with room:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.001)
            inside[0] -= 1
        for _ in range(10):
            if barrier.wait(60) == 0:
                serial.append(n)

    run(8, body)
    assert most[0] <= 3
    print("semaphores and barriers", len(serial))


def locals_and_names():
    local, names = threading.local(), []

    def body(n):
        local.value = n
        time.sleep(0.001 * (20 - n))
        assert local.value == n
        assert threading.get_ident() == threading.current_thread().ident
        names.append(threading.get_native_id())

    run(20, body)
    assert len(set(names)) == 20, names
    assert threading.active_count() == 1, threading.enumerate()
    print("locals", len(names))


for part in (locks, conditions, events, semaphores_and_barriers, locals_and_names):
    part()
if failures:
    raise SystemExit("\n".join(failures))
