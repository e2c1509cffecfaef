"""Pictures of the size of a small photo, all different, made of the examples."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.serving import ROOT

SIZE_PX = (640, 480)  # width, height
TURNS = (None, *Image.Transpose)
COMMENT = b"\xff\xfe"  # the marker of a JPEG's comment


def write_photos(folder: Path, count: int) -> list[Path]:
    """`count` JPEG files: the examples turned in eight ways, each of which looks different; then the same again.

    The bytes of all files differ, by a comment.
    """
    examples = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
    paths = [folder / f"photo-{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths[: len(TURNS) * len(examples)]):
        with Image.open(examples[number % len(examples)]) as example:
            turn = TURNS[number // len(examples)]
            picture = example if turn is None else example.transpose(turn)
            width, height = SIZE_PX
            picture.resize((width, width)).crop((0, 0, width, height)).save(path, quality=90)
    for number, path in enumerate(paths):
        content = paths[number % (len(TURNS) * len(examples))].read_bytes()
        path.write_bytes(with_comment(content, f"photo {number:08}".encode()))
    return paths


def with_comment(content: bytes, text: bytes) -> bytes:
    """The same picture as a JPEG with a comment, behind the two bytes with which every JPEG begins."""
    return content[:2] + COMMENT + (len(text) + 2).to_bytes(2) + text + content[2:]
