"""The demo. `python app.py` serves the page; a Hugging Face Space runs this file."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its waiting threads take the cores that torch needs

from poolformer.errors import PoolFormerError
from poolformer.service import PoolFormerService
from poolformer.ui.launch import LAUNCH_OPTIONS
from poolformer.ui.page import build_demo

demo = build_demo(PoolFormerService())


def main() -> int:
    """Serves the page until it is interrupted; returns the exit status."""
    parser = argparse.ArgumentParser(description="Serve the PoolFormer demo.")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="show this folder's checkpoint, too, and first")
    args = parser.parse_args()
    try:
        shown = build_demo(PoolFormerService(own_checkpoint=args.checkpoint)) if args.checkpoint else demo
    except PoolFormerError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    shown.launch(**LAUNCH_OPTIONS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
