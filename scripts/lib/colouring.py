"""Counts what had to change in a Rust source to make its tasks overlap: lines of code, and functions' signatures.

“Function colouring” is the cost that async/await has and threads don't: a function that waits has another signature,
and so have its callers, up to `main`. The count is of code only: comments and empty lines are left out, and a line
counts once whether it was rewritten, added or removed. A signature is a function's head, in one line as rustfmt leaves
short ones, without its attributes.

`python3 scripts/lib/colouring.py BEFORE AFTER` prints the difference and the counts for two files.
"""

import re
import sys
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

FUNCTION = re.compile(r"^\s*((?:pub |async |const |unsafe )*fn (\w+)[^{]*?)\s*\{")


@dataclass
class Changes:
    """What lies between two versions of a program."""

    diff: list[str]  # lines of code that begin with "- " or "+ "
    lines: int  # of code changed
    lines_before: int
    signatures: list[str]  # names of functions whose signature changed
    signatures_before: int
    waits_marked: int  # calls that now say `.await`

    def summary(self):
        """The counts as one line of a table."""
        names = f" ({', '.join(self.signatures)})" if self.signatures else ""
        return (
            f"{self.lines} of {self.lines_before} lines, "
            f"{len(self.signatures)} of {self.signatures_before} signatures{names}"
        )


def code(source):
    """The lines of `source` that are neither empty nor comments."""
    lines = (line.rstrip() for line in source.splitlines())
    return [line for line in lines if line and not line.lstrip().startswith("//")]


def signatures(lines):
    """The functions in `lines`: name to signature."""
    found = (FUNCTION.match(line) for line in lines)
    return {one[2]: one[1] for one in found if one}


def compare(before, after):
    """The changes that make the source `before` into `after`."""
    old, new = code(before), code(after)
    diff, lines = [], 0
    for operation, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if operation != "equal":
            diff += [f"- {line}" for line in old[i1:i2]] + [f"+ {line}" for line in new[j1:j2]]
            lines += max(i2 - i1, j2 - j1)
    known, now = signatures(old), signatures(new)
    changed = [name for name in known if now.get(name) != known[name]]
    return Changes(diff, lines, len(old), changed, len(known), sum(line.count(".await") for line in new))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: colouring.py BEFORE AFTER")
    changes = compare(*(Path(path).read_text() for path in sys.argv[1:]))
    print("\n".join(changes.diff))
    print(changes.summary())


if __name__ == "__main__":
    main()
