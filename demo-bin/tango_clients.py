"""Clients of tango_server.py: PORT DEVICES CLIENTS. All give the command Move at once, each on a thread of its own.

The clients are shared out among the devices. The last line says how many got the right answer, and when the last one
had it.
"""

import sys
import threading
import time

import tango


def main(port, devices, clients):
    axes = [f"tango://127.0.0.1:{port}/test/axis/{1 + client % devices}#dbase=no" for client in range(clients)]
    proxies = [tango.DeviceProxy(axis) for axis in axes]
    for proxy in proxies:
        proxy.set_timeout_millis(30_000)  # who stands in line waits for all before it
    answers = [None] * clients
    ready = threading.Barrier(clients + 1)

    def ask(client):
        ready.wait()
        answers[client] = proxies[client].Move(1000 + client)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    begin = time.monotonic()
    for thread in threads:
        thread.join()
    took = time.monotonic() - begin
    right = sum(answer == 1000 + client for client, answer in enumerate(answers))
    devices = f"{devices} device{'s' if devices != 1 else ''}"
    print(f"{right} of {clients} clients of {devices} got the right answer in {took:.2f} s", flush=True)
    return 0 if right == clients else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
