"""The demo with a service whose runs wait: each calls at the port HOLD_PORT and does as the byte says that it is sent.

GO lets it go on, BREAK raises an error that nobody expects. A run that is cancelled hangs up instead. The folder
OWN_CHECKPOINT is shown, too; MAX_WAITING is the length of the queue, MAX_RUNS how many runs there are at once.
"""

import os
import select
import socket
import sys
from pathlib import Path

from poolformer.inference.waiting import check
from poolformer.service import PoolFormerService, Run
from poolformer.ui.launch import serve
from poolformer.ui.page import build_demo

GO, BREAK = b"!", b"#"
SECRET = "the secret of /etc/shadow"  # what an error may say in the log and nowhere else


class HeldService(PoolFormerService):
    """Runs when it may."""

    def run(self, source, name, cancelled=None) -> Run:
        check(cancelled)
        with socket.create_connection(("127.0.0.1", int(os.environ["HOLD_PORT"]))) as gate:
            while not select.select([gate], [], [], 0.02)[0]:
                check(cancelled)
            if gate.recv(1) == BREAK:
                raise RuntimeError(SECRET)
        return super().run(source, name, cancelled)


if __name__ == "__main__":
    service = HeldService(own_checkpoint=Path(os.environ["OWN_CHECKPOINT"]))
    limits = {name.lower(): int(os.environ[name]) for name in ("MAX_RUNS", "MAX_WAITING") if name in os.environ}
    sys.exit(serve(build_demo(service, **limits), service))
