"""The page served until somebody ends it, in good order."""

from __future__ import annotations

import logging
import os
import signal
import threading
from queue import SimpleQueue

from starlette.middleware import Middleware

from poolformer.errors import PoolFormerError
from poolformer.service import PoolFormerService
from poolformer.ui.failures import LOGGER
from poolformer.ui.gate import GateMiddleware
from poolformer.ui.guarded import GuardedBlocks
from poolformer.ui.headers import HeadersMiddleware
from poolformer.ui.settings import CANCEL_S, DRAIN_S, ENVIRONMENT, EXIT_S, LAUNCH_OPTIONS
from poolformer.ui.temporary import keep_swept, use_own_folder
from poolformer.ui.visitors import VisitorsMiddleware

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def prepare() -> None:
    """Sets what Gradio reads from the environment; call it before any component is made."""
    os.environ.update(ENVIRONMENT)
    use_own_folder()


def serve(demo: GuardedBlocks, service: PoolFormerService) -> int:
    """Serves the demo until Ctrl-C or SIGTERM, and lets running requests end; returns the exit status, 128 + signal.

    The page is up before torch is loaded, which happens beside it. From the main thread only.

    Raises:
        OSError: no port is free.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    received: SimpleQueue[int] = SimpleQueue()
    for awaited in SIGNALS:
        signal.signal(awaited, lambda number, _frame: received.put(number))
    demo.launch(**LAUNCH_OPTIONS, app_kwargs={"middleware": middleware(demo)}, prevent_thread_lock=True)
    threading.Thread(target=_warm_up, args=[service], name="warm up", daemon=True).start()
    keep_swept(demo)
    number = received.get()
    for awaited in SIGNALS:
        signal.signal(awaited, signal.SIG_DFL)  # Who asks twice does not want to wait.
    status = 128 + number
    last_resort = threading.Timer(EXIT_S, os._exit, [status])
    last_resort.daemon = True
    last_resort.start()
    demo.visitors.close(DRAIN_S, CANCEL_S)
    demo.close(verbose=False)
    return status


def middleware(demo: GuardedBlocks) -> list[Middleware]:
    """What stands between visitors and Gradio, outermost first."""
    public = {str(fn.api_name) for fn in demo.fns.values() if fn.api_visibility == "public"}
    return [
        Middleware(HeadersMiddleware),
        Middleware(GateMiddleware, api_names=frozenset(public)),
        Middleware(VisitorsMiddleware, visitors=demo.visitors),
    ]


def _warm_up(service: PoolFormerService) -> None:
    try:
        service.warm_up()
    except PoolFormerError as error:
        LOGGER.warning("%s", error)
