"""How the page is served: every setting with its reason."""

from __future__ import annotations

from typing import Any

import gradio as gr

from poolformer.ui.component import STATIC_DIR

# Served by Gradio itself. Regular and Bold only: the SemiBold files of Gradio 6.31 lack nearly all letters.
FONT = gr.themes.utils.fonts.LocalFont("IBM Plex Sans", weights=(400, 700))
FONT_MONO = gr.themes.utils.fonts.LocalFont("IBM Plex Mono", weights=(400, 700))
THEME = gr.themes.Default(
    primary_hue="orange",
    neutral_hue="slate",
    font=(FONT, "system-ui", "sans-serif"),
    font_mono=(FONT_MONO, "ui-monospace", "monospace"),
)

LAUNCH_OPTIONS: dict[str, Any] = {
    "theme": THEME,
    "css": (STATIC_DIR / "page.css").read_text(encoding="utf-8"),
    "footer_links": ["api", "settings"],
    "run_history": False,  # it would keep every visitor's pictures in his browser's storage
    "enable_monitoring": False,
    "ssr_mode": False,  # server-side rendering needs Node.js and gains nothing on one page
    "max_file_size": "25mb",  # more than cameras write as JPEG; the limit of pixels is images/decode.py's matter
}
