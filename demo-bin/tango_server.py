"""A TANGO device server without a database, whose devices have one command, which blocks for half a second: Move.

    [MODEL=NO_SYNC] tango_server.py NAME -ORBendPoint giop:tcp:127.0.0.1:PORT -nodb -dlist test/axis/1,test/axis/2

It is in PyTango's default, synchronous green mode: omniORB makes a thread for each client's connection, and a command
runs on the thread that its request came in on. How many run at once is TANGO's serialisation model: BY_DEVICE, its
default, is one for each device, NO_SYNC as many as clients ask for.
"""

import os
import time

import tango
from tango.server import Device, command, run

SECONDS = 0.5


class Axis(Device):
    """The axis of a motor, driven by a library that waits."""

    @command(dtype_in=int, dtype_out=int)
    def Move(self, position):
        time.sleep(SECONDS)
        return position


def choose_model():
    model = os.environ.get("MODEL", "BY_DEVICE")
    tango.Util.instance().set_serial_model(getattr(tango.SerialModel, model))


if __name__ == "__main__":
    run((Axis,), post_init_callback=choose_model)
