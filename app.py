"""The demo. `python app.py` serves the page; a Hugging Face Space runs this file."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its waiting threads take the cores that torch needs

from poolformer.service import PoolFormerService
from poolformer.ui.launch import LAUNCH_OPTIONS
from poolformer.ui.page import build_demo

demo = build_demo(PoolFormerService())

if __name__ == "__main__":
    demo.queue().launch(**LAUNCH_OPTIONS)
