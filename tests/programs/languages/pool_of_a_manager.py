"""A pool in a manager's process: one of its threads polls a pipe, over and over, for which another one waits in read. The reader must come
to its turn at once, not with the next time slice: 300 answers in turn, three threads each."""

import multiprocessing
import sys
import time


def square(number):
    return number * number


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    pool = multiprocessing.Manager().Pool(4)
    began = time.monotonic()
    print(sum(pool.imap(square, range(300))))
    print("a while" if time.monotonic() - began > 2 else "soon")
    pool.terminate()
    pool.join()
