"""The demo. `python app.py` serves the page; a Hugging Face Space runs this file."""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: its waiting threads take the cores that torch needs

from poolformer.errors import PoolFormerError
from poolformer.service import PoolFormerService
from poolformer.ui.launch import prepare, serve
from poolformer.ui.page import build_demo

prepare()
service = PoolFormerService()
demo = build_demo(service)


def main() -> int:
    """Serves the page until it is interrupted; returns the exit status."""
    parser = argparse.ArgumentParser(description="Serve the PoolFormer demo.")
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="show this folder's checkpoint, too, and first")
    parser.add_argument("--device", metavar="NAME", help="where the network runs: cpu, cuda, mps, ...")
    parser.add_argument("--dtype", default="float32", metavar="NAME", help="float32 (the default) or bfloat16")
    parser.add_argument("--compile", action="store_true", help="have torch compile the network first")
    args = parser.parse_args()
    try:
        if len(sys.argv) == 1:
            return serve(demo, service)
        chosen = PoolFormerService(
            own_checkpoint=args.checkpoint, device=args.device, dtype=args.dtype, compiled=args.compile
        )
        return serve(build_demo(chosen), chosen)
    except (PoolFormerError, OSError) as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
