"""How a run can fail: the words of the table's column."""


class Trouble(Exception):
    """The program did not do what was asked of it. `result` is the table's word for it."""

    result = "fails"


class Hangs(Trouble):
    result = "hangs"


class Crashes(Trouble):
    result = "crashes"


class BindsElsewhere(Trouble):
    result = "binds elsewhere"
