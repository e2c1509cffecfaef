"""How the page is served: every setting with its reason."""

from __future__ import annotations

from typing import Any

import gradio as gr

from poolformer.ui.component import STATIC_DIR

# What a visitor may send

MAX_UPLOAD_BYTES = 25 * 2**20  # more than cameras write as JPEG; the limit of pixels is images/decode.py's matter
MAX_BODY_BYTES = 2**20  # of any other request: what the page sends of its components is a few kilobytes

# How much is done at once

MAX_RUNS = 16  # while the network runs one picture, the others are decoded, or become files on their way out
MAX_CHOICES = 12  # requests that may wait for a fetch, in a queue of their own so that no run waits behind them
MAX_QUICK = 4  # copies of example pictures, which wait for nobody
MAX_THREADS = 40  # more than all of them together: the rest is for the small steps before and after a run
MAX_WAITING = 64  # requests in the queues, a classroom's twice over; whoever comes then is told at once

# What is kept, and for how long

MAX_SESSIONS = 500  # visitors whose choice of a variant is remembered; each takes about 50 kB
MAX_FILE_AGE_S = 3600  # an hour after it was written an upload or a result is removed
MAX_FILES_BYTES = 2 * 2**30  # uploads and results together; beyond it the oldest are removed before their hour
MAX_FILES = 10_000  # the same, in number
SWEEP_S = 30  # seconds between two looks at the files

# How the process ends

DRAIN_S = 4.0  # seconds in which running requests may end after Ctrl-C or SIGTERM
CANCEL_S = 1.0  # seconds for those that have not, after they were cancelled
EXIT_S = 9.0  # seconds after the signal at which the process ends whatever happens; 10 are promised

# Who may show the page inside his own: the Hub, whose page of a Space is a frame around the app.
FRAME_ANCESTORS = ("'self'", "https://huggingface.co")

# Served by Gradio itself. Regular and Bold only: the SemiBold files of Gradio 6.31 lack nearly all letters.
FONT = gr.themes.utils.fonts.LocalFont("IBM Plex Sans", weights=(400, 700))
FONT_MONO = gr.themes.utils.fonts.LocalFont("IBM Plex Mono", weights=(400, 700))
THEME = gr.themes.Default(
    primary_hue="orange",
    neutral_hue="slate",
    font=(FONT, "system-ui", "sans-serif"),
    font_mono=(FONT_MONO, "ui-monospace", "monospace"),
)

# Gradio reads these from the environment: of its statistics, which only its monitoring would show, it keeps one entry
# and sums up none. Otherwise it goes through the last 10,000 requests after each.
ENVIRONMENT = {"GRADIO_ANALYTICS_MAX_EVENTS": "1", "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9)}

LAUNCH_OPTIONS: dict[str, Any] = {
    "theme": THEME,
    "css": (STATIC_DIR / "page.css").read_text(encoding="utf-8"),
    "footer_links": ["api", "settings"],
    "run_history": False,  # it would keep every visitor's pictures in his browser's storage
    "enable_monitoring": False,  # who asks what and when is nobody's business
    "strict_cors": True,  # no page of another origin reads from a demo on localhost
    "ssr_mode": False,  # server-side rendering needs Node.js and gains nothing on one page
    "pwa": False,  # a service worker would outlive the page
    "mcp_server": False,  # the API has three endpoints; tools for agents are another surface
    "max_file_size": MAX_UPLOAD_BYTES,
    "max_threads": MAX_THREADS,
    "state_session_capacity": MAX_SESSIONS,
    "show_error": False,  # an unexpected error's own words may hold paths; ui/failures.py says what is shown instead
}
