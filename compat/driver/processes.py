"""What can be seen of the processes of one session from outside: who they are, how many kernel threads each has, how much memory, where they
listen. Read from /proc and from ss; nothing is started or ended here."""

import os
import re
import subprocess


def members(session: int) -> list[int]:
    """The live processes of `session` (proc_pid_stat(5): the fields after the name in parentheses are state, ppid, pgrp, session)."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat(int(name))
            if fields and int(fields[3]) == session and fields[0] != "Z":
                found.append(int(name))
    return found


def stat(process: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when the process is gone."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2].split()
    except OSError:
        return []


def parent(process: int) -> int | None:
    fields = stat(process)
    return int(fields[1]) if fields else None


def kernel_threads(process: int) -> int:
    """How many threads of its own the process has for the kernel: the links of /proc/PID/task but two, less the kernel's workers for io_uring."""
    task = f"/proc/{process}/task"
    try:
        count = os.stat(task).st_nlink - 2
        # Every name is read only where it is no long list.
        return count if not 1 < count < 64 else sum(not name(f"{task}/{thread}").startswith("iou-") for thread in os.listdir(task))
    except OSError:
        return 0


def name(task: str) -> str:
    try:
        with open(f"{task}/comm", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def most_memory(process: int) -> int:
    """The most resident memory that the process has had so far, in bytes (VmHWM)."""
    try:
        with open(f"/proc/{process}/status", encoding="utf-8", errors="replace") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def processor_time(process: int) -> float:
    """Seconds of processor time that the process has used so far, in user space and in the kernel (utime and stime)."""
    fields = stat(process)
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def system_calls(process: int) -> list[str]:
    """For each kernel thread, the number of the system call that it is in, or "running"."""
    calls = []
    try:
        for thread in os.listdir(f"/proc/{process}/task"):
            with open(f"/proc/{process}/task/{thread}/syscall", encoding="ascii") as file:
                calls.append(file.read().split()[0])
    except (OSError, IndexError):
        pass
    return calls


def listeners(session: int) -> list[str]:
    """The addresses, with their ports, on which processes of `session` listen."""
    own = set(members(session))
    listed = subprocess.run(["ss", "-H", "-ltnup"], capture_output=True, text=True, check=True).stdout
    owned = ((line.split()[4], {int(process) for process in re.findall(r"pid=(\d+)", line)}) for line in listed.splitlines())
    return [address for address, owners in owned if owners & own]


def listens_elsewhere(session: int) -> str | None:
    """An address outside of the loopback interface on which a process of `session` listens, or None."""
    return next((address for address in listeners(session) if not address.startswith(("127.", "[::1]", "[::ffff:127."))), None)
