"""What a row of the benchmark is: its title, its unit, and what is run for it. The rows themselves are in thread_rows.py and io_rows.py; no process
is started here."""

from dataclasses import dataclass, field

# The order of the columns. The first two run the same program, the second with the library loaded.
COLUMNS = ["native", "grivet", "may", "tokio", "go", "gevent"]


@dataclass(eq=False)
class Program:
    """A program of bench/programs. It prints one figure."""

    name: str
    arguments: list[str]
    preload_by_argument: bool = False  # it loads the library into a program that it starts itself


@dataclass(eq=False)
class Tool:
    """A program of the system, run as it is. Its figure is in what it prints, or is the time it takes."""

    command: list[str]
    pattern: str = ""  # of the figure, a regular expression with one group; empty: the figure is the wall time
    server: str = ""  # of servers.COMMANDS, for a tool that fetches: runs natively, on another core; {port} in `command` is its port


@dataclass(eq=False)
class Load:
    """A server, with the load client of bench/programs at its other end; the server alone is under grivet.

    Its figures, by name: "rate" and "p99" (ns) are the client's; with `memory`, "memory" (bytes a connection) is taken when all connections are
    made; with `count_calls`, "calls" (system calls of the server for each request) is the only one, since counting slows the server down."""

    server: str  # of servers.COMMANDS
    connections: int
    requests: int
    memory: bool = False
    count_calls: bool = False


@dataclass
class Row:
    """One line of the table. A figure is the better the smaller it is, but a rate the greater it is."""

    key: str
    title: str
    unit: str  # "ns", "bytes", "ms", "s", "calls", or a rate: "messages/s"
    run: Program | Tool | Load  # rows that share it are measured in the same turns
    comparators: dict[str, list[str]] = field(default_factory=dict)  # column -> arguments of its program
    figure: str = ""  # of those that a Load gives
    pinned: bool = False  # to one core; a server and its client to one each
    compare: str = "ratio"  # or "difference": grivet - native
    environment: dict[str, str] = field(default_factory=dict)
    subtract: float = 0.0  # from each figure
    limit: int = 60  # seconds until SIGKILL
    alone: bool = False  # without the native column
    long: bool = False  # left out by --quick
    settle: bool = False  # begun only when the machine is idle
    note: str = ""

    @property
    def greater_is_better(self) -> bool:
        return self.unit.endswith("/s")


def divided(quick: bool):
    """The function that makes the counts of timed loops: as given, or with `quick` a fifth; as text, for a command."""
    return lambda full: str(full // 5 if quick else full)
