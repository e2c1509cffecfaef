"""The picture formats that are accepted, told by a file's first bytes."""

from __future__ import annotations

# By the names that Pillow has for them. Only these codecs ever run, whatever a file is called.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF"
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)  # bytes; many texts, too, begin with BM
AVIF_BRANDS = (b"avif", b"avis")  # still and animated; HEIC files have the same layout and other brands
HEAD_BYTES = 256  # enough for every signature; AVIF's list of brands is rarely longer than 40 bytes


class RefusedError(Exception):
    """A picture that is sound and still not opened; the message is the sentence behind its name."""


def format_of(head: bytes) -> str | None:
    """The format of the file that begins with these bytes, one of FORMATS; None for any other.

    >>> format_of(b"GIF89a...")
    'GIF'
    """
    for signature, name in SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in BMP_HEADER_SIZES:
        return "BMP"
    if head[4:8] == b"ftyp":
        brands = head[8 : min(int.from_bytes(head[:4]), HEAD_BYTES)]
        if any(brands[start : start + 4] in AVIF_BRANDS for start in (0, *range(8, len(brands), 4))):
            return "AVIF"
    return None
