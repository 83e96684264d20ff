"""Green threads in gdb, in processes and core files: `info grivet threads`, `grivet thread N`, `grivet apply all bt`.

A green thread that does not run is shown as the callers of the kernel thread's innermost frame: an unwinder answers,
for that frame alone, with the registers of the green thread. So the kernel thread's own registers are never written, it
may go on at any time, and core files are no different. What there is to show is in grivet_memory.py. gdb loads this file by
itself where scripts/install or the Debian package put it; elsewhere `gdb -x grivet.py`. docs/debugging.md tells more.
"""

import os
import re
import struct
import sys

import gdb
from gdb.unwinder import Unwinder

# What gdb loads by itself may lie where no other files belong, such as compiled modules.
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
from grivet_memory import Process, Waits, fail, word

sys.dont_write_bytecode = writes_none
del sys.path[0]

REGISTERS = ("rip", "rsp", "rbp", "rbx", "r12", "r13", "r14", "r15")
# mov $15, %rax; syscall: where glibc's signal handlers return to, which gdb knows for what it is.
RESTORER = bytes.fromhex("48c7c00f0000000f05")
# Thread-local variables of objects loaded at the start lie below the thread pointer; these are seldom more than a few KiB.
MOST_STATIC_TLS = 1 << 20
SYSTEM_LIBRARY = re.compile(r"/(libc|libpthread|ld-linux|libgrivet)[^/]*$")
# Commands that would act on the kernel thread's registers as if the green thread's were there; `finish` at times only.
REFUSED = ("step", "next", "stepi", "nexti", "until", "advance", "return", "jump", "finish")


class Selection(Unwinder):
    """The green thread that is selected, if any, and the unwinder that shows it."""

    def __init__(self):
        super().__init__("grivet")
        self.task = None
        self.past_main = False

    def of_thread(self):
        """The selected task, if it is the kernel thread of grivet's that gdb has selected."""
        thread = gdb.selected_thread()
        return self.task if self.task and thread and thread.ptid == self.ptid else None

    def __call__(self, pending):
        if not self.task or pending.level() != 0 or not self.of_thread():
            return None
        number, address = pending.read_register("r12").type, pending.read_register("rsp").type

        class Identity:
            # Further in than all frames of the task, lest gdb take its stack for corrupt.
            sp = gdb.Value(struct.pack("<Q", self.values["rsp"] - 1), address)
            pc = pending.read_register("rip")

        answer = pending.create_unwind_info(Identity)
        for name, value in self.values.items():
            answer.add_saved_register(name, gdb.Value(struct.pack("<Q", value), number))
        return answer

    def select(self, process, task):
        """From now on frames are TASK's; with None, the kernel thread's own."""
        if self.past_main:
            gdb.execute("set backtrace past-main off")
            self.past_main = False
        self.task = None
        gdb.frame_filters["grivet"].enabled = False
        gdb.invalidate_cached_frames()
        if not task:
            return
        # grivet's kernel thread is the process's first.
        workers = [thread for thread in gdb.selected_inferior().threads() if thread.ptid[0] == thread.ptid[1] or not thread.ptid[1]]
        (workers or fail("the kernel thread that runs green threads is gone"))[0].switch()
        if task.is_current:
            return
        values, is_signal = process.registers(task)
        self.values = {name: values[name] for name in REGISTERS} | {"fs_base": task.fs_base}
        self.outermost_hidden = 0
        if is_signal and (restorer := signal_restorer()):
            # It was stopped between two of its instructions; for the caller of a function gdb would look one further back.
            self.values |= {"rip": restorer, "rsp": (task.resume & ~1) + 8}
            self.outermost_hidden = 1
        self.task, self.ptid = task, gdb.selected_thread().ptid
        gdb.frame_filters["grivet"].enabled = True
        gdb.invalidate_cached_frames()
        if not gdb.newest_frame().older():
            # The kernel thread is in main itself, where gdb looks for no callers.
            gdb.execute("set backtrace past-main on")
            self.past_main = True
            gdb.invalidate_cached_frames()

    def select_again(self, task):
        """Selects TASK, or none, as it is by now; nothing if it has ended."""
        process = Process() if task else None
        self.select(process, process and process.by_tid.get(task.tid))

    def first_frame(self):
        """The innermost frame of the selected task, or of the kernel thread."""
        frame = gdb.newest_frame()
        for _ in range(1 + self.outermost_hidden if self.of_thread() else 0):
            frame = frame.older() or frame
        return frame

    def resumed(self, _event):
        if self.task:
            self.select(None, None)

    def called(self, event):
        """A function that the user calls runs in the kernel thread, which leaves the selection as it was."""
        if isinstance(event, gdb.InferiorCallPreEvent):
            self.kept = self.task
        else:
            self.select_again(self.kept)


class Hider:
    """Leaves the kernel thread's frame out of backtraces of a green thread."""

    name, priority, enabled = "grivet", 100, False

    def filter(self, frames):
        shown = 1 + selection.outermost_hidden if selection.of_thread() else 0
        return (frame for frame in frames if frame.inferior_frame().level() >= shown)


def signal_restorer():
    """Where the C library's signal handlers return to; None if it has no such place."""
    for line in gdb.execute("info sharedlibrary", to_string=True).splitlines():
        if found := re.match(r"(0x[0-9a-f]+)\s+(0x[0-9a-f]+)\s.*/libc[.-][^/]*$", line):
            start, end = int(found[1], 16), int(found[2], 16)
            return gdb.selected_inferior().search_memory(start, end - start, RESTORER)
    return None


class Places:
    """In which function tasks are: the first outside the C library. Unwinding takes its time, so tasks that have the same
    return addresses at the same distances from their stack pointers as one unwound before are taken to be where it is."""

    def __init__(self, process):
        self.process = process
        self.known = {}

    def of(self, task):
        try:
            return self.found(task)
        except gdb.MemoryError:
            return "?"

    def found(self, task):
        registers, is_signal = ({}, False) if task.is_current else self.process.registers(task)
        for distances, returns, place in self.known.get(registers.get("rip"), []):
            if all(word(registers["rsp"] + distance) == there for distance, there in zip(distances, returns)):
                return place
        selection.select(self.process, task)
        frame, distances, returns = selection.first_frame(), [], []
        # A thread that has not begun yet has no caller, but a frame that looks like one.
        while SYSTEM_LIBRARY.search(gdb.solib_name(frame.pc()) or "") and (caller := frame.older()) and caller.pc():
            called, frame = frame, caller
            # An inlined function has its caller's stack pointer, and nowhere to return to.
            if frame.read_register("rsp") != called.read_register("rsp"):
                distances.append(int(frame.read_register("rsp")) - 8 - registers.get("rsp", 0))
                returns.append(frame.pc())
        place = frame.name() or gdb.solib_name(frame.pc()) or "?"
        if (line := frame.find_sal()).symtab and line.line:
            place += f" ({line.symtab.filename.rsplit('/')[-1]}:{line.line})"
        if registers and not is_signal and returns:
            self.known.setdefault(registers["rip"], []).append((distances, returns, place))
        return place


class kept_selection:
    """What is selected before is selected again afterwards, the frame too."""

    def __enter__(self):
        self.task, self.thread, self.frame = selection.of_thread(), gdb.selected_thread(), gdb.selected_frame()

    def __exit__(self, *_):
        if self.thread and self.thread.is_valid():
            self.thread.switch()
            selection.select_again(self.task)
            if self.frame.is_valid():
                self.frame.select()


class Info(gdb.Command):
    """What grivet knows of the program."""

    def invoke(self, *_):
        gdb.execute("help info grivet")


class Prefix(gdb.Command):
    """Select grivet's green threads, or run commands for several."""

    def invoke(self, *_):
        gdb.execute("help grivet")


class InfoThreads(gdb.Command):
    """List grivet's green threads, or those named: info grivet threads [ID...]
Each has its number, thread id and name, its state and since when it is in it, what it waits for, and the function it is in."""

    HEAD = ("", "Id", "Tid", "Name", "State", "For", "Waits for", "In")

    def invoke(self, argument, _):
        process = Process()
        tasks = process.chosen(argument.split()) or process.tasks
        chosen, waits, places = selection.of_thread(), Waits(process), Places(process)
        rows = [self.HEAD]
        with kept_selection():
            for task in tasks:
                mark = "*" if (task.tid == chosen.tid if chosen else task.is_current) else ""
                row = mark, str(task.number), str(task.tid), task.name, task.state, waits.since(task), waits.of(task)
                rows.append((*row, places.of(task)))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [" ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]
        count = f"{len(process.tasks)} green thread{'s' * (len(process.tasks) != 1)}"
        note = "" if waits.is_live else "; times end when the last wait began"
        gdb.write("\n".join([*lines, f"{count}{note}\n"]))


class SelectThread(gdb.Command):
    """Select a green thread for bt, up, info locals and the like: grivet thread [ID]
ID is a number or thread id of `info grivet threads`; 0 or `worker` goes back to the kernel thread itself. Without ID, says what
is selected."""

    def invoke(self, argument, _):
        process = Process()
        words = argument.split()
        if len(words) > 1:
            fail("grivet thread takes one ID; `grivet apply` takes several")
        if words:
            task = None if words[0] in ("0", "worker") else process.chosen(words)[0]
            selection.select(process, task)
            selection.first_frame().select()
        else:
            task = selection.of_thread()
        gdb.write(f"[{task or 'The kernel thread of grivet'} is selected]\n")
        gdb.execute("frame")


class Apply(gdb.Command):
    """Run a command for green threads: grivet apply all COMMAND, or grivet apply ID... COMMAND
An error in one of them is printed, and the next one follows."""

    def invoke(self, argument, _):
        process = Process()
        words = argument.split()
        count = next((n for n, text in enumerate(words) if not text.isdecimal()), len(words))
        tasks = process.chosen(words[:count])
        if not count and words[:1] == ["all"]:
            count, tasks = 1, process.tasks
        command = argument.split(None, count)[count:]
        if not tasks or not command:
            fail("say for which green threads, and which command, as in `grivet apply all bt`")
        with kept_selection():
            for task in tasks:
                gdb.write(f"\n{task}:\n")
                try:
                    selection.select(process, task)
                    selection.first_frame().select()
                    gdb.execute(command[0])
                except (gdb.error, gdb.MemoryError) as error:
                    gdb.write(f"{error}\n")
                    continue
                if not task.is_current and not selection.of_thread():
                    fail("the program went on meanwhile; the command was not run for further green threads")


class ThreadLocal(gdb.Function):
    """Where a thread-local variable of the selected frame's thread is: print *$grivet_tls(&VARIABLE)
gdb itself only knows those of one thread."""

    def __init__(self):
        super().__init__("grivet_tls")

    def invoke(self, address):
        of_gdb = int.from_bytes(gdb.selected_thread().handle(), "little")
        distance = of_gdb - int(address)
        if not 0 < distance < MOST_STATIC_TLS:
            fail("only variables of the program and of libraries that it was started with are at the same place in all threads")
        return gdb.Value(int(gdb.selected_frame().read_register("fs_base")) - distance).cast(address.type)


class Refuse(gdb.Command):
    """Refuse a command while a green thread that does not run is selected; for hooks."""

    def invoke(self, command, _):
        task = selection.of_thread()
        if task and command == "finish":
            # gdb would step to its end.
            if gdb.selected_frame().type() == gdb.INLINE_FRAME:
                fail("finish: this frame's function is inlined; `up` goes to one that can be waited for")
        elif task:
            fail(f"{command}: thread {task.number} does not run; `finish` waits until it does, `grivet thread 0` deselects it")


selection = Selection()
gdb.unwinder.register_unwinder(None, selection, replace=True)
gdb.frame_filters["grivet"] = Hider()
gdb.events.cont.connect(selection.resumed)
gdb.events.inferior_call.connect(selection.called)
Info("info grivet", gdb.COMMAND_STATUS, prefix=True)
InfoThreads("info grivet threads", gdb.COMMAND_STATUS)
Prefix("grivet", gdb.COMMAND_STACK, prefix=True)
SelectThread("grivet thread", gdb.COMMAND_STACK)
Apply("grivet apply", gdb.COMMAND_STACK)
ThreadLocal()
Refuse("grivet refuse", gdb.COMMAND_STACK)
for command in REFUSED:
    gdb.execute(f"define hook-{command}\ngrivet refuse {command}\nend")
