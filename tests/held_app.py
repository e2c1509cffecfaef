"""The demo with a service whose runs wait: each calls at the port HOLD_PORT and goes on when it is sent a byte.

The folder OWN_CHECKPOINT is shown, too.
"""

import os
import socket
from pathlib import Path

from poolformer.service import PoolFormerService, Run
from poolformer.ui.launch import LAUNCH_OPTIONS
from poolformer.ui.page import build_demo


class HeldService(PoolFormerService):
    """Runs when it may."""

    def run(self, source, name) -> Run:
        with socket.create_connection(("127.0.0.1", int(os.environ["HOLD_PORT"]))) as gate:
            gate.recv(1)
        return super().run(source, name)


if __name__ == "__main__":
    build_demo(HeldService(own_checkpoint=Path(os.environ["OWN_CHECKPOINT"]))).launch(**LAUNCH_OPTIONS)
