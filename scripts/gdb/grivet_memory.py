"""What grivet's own memory says of its green threads, read through gdb from a process or a core file.

libgrivet.so exports a description of its memory, `grivet_layout` (inspect/src/layout.rs); nothing else of it needs to be
known, no debug information either. `Process` reads the records of all threads at once, for there may be a million.
grivet.py, beside this file, has the commands.
"""

import re
import struct
import time

import gdb

VERSION = 1
# Thread ids from here on are grivet's; lower numbers are those that `info grivet threads` gives, main's being 1.
FIRST_TID = 4_194_305
# From a stub's `syscall` instruction back to the word that holds the address behind it in the program's own code, and the
# most that a call which is made again begins before it (sites/src/stub.rs).
ORIGINAL, STUB = 16, 64
# `struct pthread` of glibc is smaller; `__owner` of its mutexes stands there (pthread.h).
STRUCT_PTHREAD, OWNER = 4096, 8
TID_MASK = 0x3FFF_FFFF  # linux/futex.h


class Layout:
    """Where libgrivet.so keeps what, as it says itself."""

    FIELDS = (
        ("worker", "is_awake current pid name tasks used stack_bottom stack_top switches"),
        ("task", "size resume fs_base state wait key deadline sleep_clock tid since extra"),
        ("extra", "name cpu_time"),
        ("frame", "r15 r14 r13 r12 rbp rbx rdi rsi rdx rip rsp site number"),
        ("signal", "r12 r13 r14 r15 rbp rbx rsp rip"),
    )
    FORMAT = struct.Struct("<8sIIQ" + "".join(f"{len(names.split())}I" for _, names in FIELDS) + "5B3x9B")
    STATES = ("no thread", "ready", "running", "parked", "part of one")
    WAITS = ("nothing", "futex", "several", "sleep", "poll", "file", "pool", "child", "signal")
    TASK_FORMATS = {"resume": "Q", "fs_base": "Q", "state": "B", "wait": "B", "key": "Q", "deadline": "Q"}
    TASK_FORMATS |= {"sleep_clock": "I", "tid": "I", "since": "I", "extra": "Q"}

    def __init__(self, content):
        magic, self.version, _, self.worker_address, *numbers = self.FORMAT.unpack(content)
        self.is_known = magic.startswith(b"grivet\0") and self.version == VERSION
        for part, names in self.FIELDS:
            names = names.split()
            setattr(self, part, dict(zip(names, numbers)))
            del numbers[: len(names)]
        self.states = dict(zip(numbers, self.STATES))
        self.waits = dict(zip(numbers[len(self.STATES) :], self.WAITS))
        # One format for a whole record, its fields in the order in which they stand.
        self.names = sorted(self.TASK_FORMATS, key=self.task.get)
        record, end = "<", 0
        for name in self.names:
            record += f"{self.task[name] - end}x{self.TASK_FORMATS[name]}"
            end = self.task[name] + struct.calcsize(self.TASK_FORMATS[name])
        self.record = struct.Struct(f"{record}{self.task['size'] - end}x")


class Task:
    """One green thread. Its fields are those of `Layout.TASK_FORMATS`, with words for state and wait."""

    def __init__(self, number, names, values):
        self.number = number
        self.__dict__.update(zip(names, values))

    def __str__(self):
        return f'Grivet thread {self.number} (tid {self.tid} "{self.name}", {self.state})'


def fail(text):
    raise gdb.GdbError(f"grivet: {text}")


def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def word(address, form="Q"):
    """The number at ADDRESS, or None where there is no memory."""
    try:
        return struct.unpack(f"<{form}", read(address, struct.calcsize(form)))[0]
    except gdb.MemoryError:
        return None


class Process:
    """grivet's memory in the process or core file that gdb looks at, as it is now."""

    def __init__(self):
        if not gdb.selected_inferior().pid:
            fail("there is neither a process nor a core file; run or attach to a program first")
        try:
            # Asked so, it is found in whatever language the program is written.
            answer = gdb.execute("info address grivet_layout", to_string=True)
        except gdb.error:
            fail("this program does not run under grivet: libgrivet.so is not among its libraries (see `info sharedlibrary`)")
        self.layout = layout = Layout(read(int(re.search(r"0x[0-9a-f]+", answer)[0], 16), Layout.FORMAT.size))
        if not layout.is_known:
            fail(f"libgrivet.so is of another version ({layout.version}, not {VERSION}); load the script that came with it")
        if not self.of_worker("is_awake", "B"):
            fail("there are no green threads yet: the program has not made a thread")
        size, count = layout.record.size, self.of_worker("used", "I")
        records = read(self.of_worker("tasks", "Q"), size * count)
        self.tasks = [Task(number, layout.names, values) for number, values in enumerate(layout.record.iter_unpack(records), 1)]
        current, shared_name = self.of_worker("current", "I"), read(layout.worker_address + layout.worker["name"], 16)
        for task in self.tasks:
            task.state = layout.states.get(task.state, "?")
            task.wait = layout.waits.get(task.wait, "?")
            task.is_current = task.state == "running" and task.number == current + 1
        self.tasks = [task for task in self.tasks if task.state not in ("no thread", "part of one")]
        for task in self.tasks:
            own = read(task.extra + layout.extra["name"], 16) if task.extra else b""
            task.name = (own if own.strip(b"\0") else shared_name).split(b"\0")[0].decode(errors="replace")
        self.by_tid = {task.tid: task for task in self.tasks}

    def of_worker(self, field, form):
        return word(self.layout.worker_address + self.layout.worker[field], form)

    def chosen(self, words):
        """The tasks that WORDS name, by number or thread id, in their order."""
        by_number = {task.number: task for task in self.tasks}
        found = []
        for text in words:
            number = int(text) if text.isdecimal() else 0
            task = (self.by_tid if number >= FIRST_TID else by_number).get(number)
            found.append(task or fail(f"there is no green thread {text}; `info grivet threads` lists them"))
        return found

    def registers(self, task):
        """The registers with which a task that does not run goes on, by name, and whether it is a signal that stopped it."""
        resume, is_signal = task.resume & ~1, bool(task.resume & 1)
        places = self.layout.signal if is_signal else self.layout.frame
        content = read(resume, max(places.values()) + 8)
        values = {name: struct.unpack_from("<Q", content, places[name])[0] for name in places}
        if not values["rip"]:
            raise gdb.MemoryError("its registers are not there: gdb's own gcore leaves out what lies behind guard pages, the kernel's core files do not")
        if not is_signal:
            site = values["site"]
            # Before or behind its call, in the code of a stub: natively it would be behind the instruction.
            if site - STUB <= values["rip"] <= site + 2 or values["rip"] == word(site - 8):
                values["rip"] = word(site - ORIGINAL) or values["rip"]
        return values, is_signal


class Waits:
    """For how long tasks wait, and for what."""

    def __init__(self, process):
        self.process = process
        self.symbols = {}
        # The clock of another machine, or of when a core file was written, cannot be asked: then it is the last wait's begin.
        connection = gdb.selected_inferior().connection
        self.is_live = connection is not None and connection.type == "native"
        last = max((task.since for task in process.tasks if task.state != "running"), default=0)
        self.now = time.monotonic_ns() >> 20 if self.is_live else last

    def since(self, task):
        units = (self.now - task.since) & 0xFFFF_FFFF
        return "" if task.state == "running" else span(0 if units >> 31 else units << 20)

    def of(self, task):
        if task.state != "parked":
            return ""
        if task.wait == "futex":
            text = self.lock(task.key)
        elif task.wait == "file":
            text = f"fd {task.key >> 2} to {'write' if task.key & 3 == 2 else 'read'}"
        else:
            known = {"poll": "poll or select", "several": "several futexes", "pool": "a helper thread's call", "child": "a child process"}
            text = known.get(task.wait, f"a {task.wait}")
        if task.deadline and self.is_live:
            clock = task.sleep_clock if task.wait == "sleep" else time.CLOCK_MONOTONIC
            text += f", {span(max(0, task.deadline - time.clock_gettime_ns(clock)))} more"
        return text

    def lock(self, address):
        """What a futex is, as far as its memory tells."""
        value, owner = word(address, "I"), word(address + OWNER, "I")
        holder = self.process.by_tid.get((value or 0) & TID_MASK)
        if holder and 0 <= address - holder.fs_base < STRUCT_PTHREAD:
            return f"the end of {holder.tid}"
        owner = holder or (value and self.process.by_tid.get(owner))
        return f"{'lock' if owner else 'futex'} {self.symbol(address)}" + (f" of {owner.tid}" if owner else "")

    def symbol(self, address):
        if address not in self.symbols:
            found = re.match(r"(.*) in section ", gdb.execute(f"info symbol {address:#x}", to_string=True))
            self.symbols[address] = f"{address:#x}" + (f" <{found[1].replace(' ', '')}>" if found else "")
        return self.symbols[address]


def span(ns):
    """A time as people say it."""
    seconds = ns / 1e9
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds * 1000:.0f} ms"
