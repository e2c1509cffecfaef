"""Pictures that are too much: refused or reduced within little time and memory, and it is said so."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from pictures import (
    SMALL,
    claiming,
    directory,
    encoded,
    greedy_exif,
    jpeg_claiming,
    jpeg_segment,
    jpeg_with,
    png_with,
    rgb_profile,
    tiff,
)
from PIL import Image
from sandbox import decode_files

from poolformer.errors import ImageError
from poolformer.images import decode
from poolformer.images.decode import (
    FIRST_FRAME,
    MAX_FULL_SCALE_PIXELS,
    MAX_PIXELS,
    MAX_PIXELS_OF,
    decode_image,
    decode_with_notes,
)
from poolformer.images.formats import FORMATS
from poolformer.images.jpeg_segments import check_segments
from poolformer.images.processing import PoolFormerImageProcessorPil
from poolformer.images.tiff_tags import TYPE_SIZES

FIXED_MB = 16  # for a band of pixels on its way, and libraries that are used for the first time
EXIF = b"Exif\0\0"
ORIENTATION = 0x0112
PROGRESSIVE_444 = {"progressive": True, "subsampling": 0}
PIXELS = [
    (256, 3, 1, 16),
    (257, 3, 1, 12),
    (258, 3, 1, 8),
    (262, 3, 1, 1),
    (273, 4, 1, 8),
    (278, 3, 1, 12),
    (279, 3, 1, 192),
]


def large_jpeg() -> bytes:
    """20 megapixels, stored lying on their side."""
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return encoded(Image.linear_gradient("L").resize((5000, 4000)).convert("RGB"), "JPEG", exif=exif)


def jpeg_with_long_exif() -> bytes:
    """EXIF data in many segments, which Pillow joins."""
    exif = greedy_exif(1_000_000)
    return jpeg_with(b"".join(jpeg_segment(0xE1, EXIF + exif[i : i + 60_000]) for i in range(0, len(exif), 60_000)))


def avif_with_greedy_exif() -> bytes:
    """Put in the place of harmless data of the same length, since Pillow reads what it writes."""
    exif = greedy_exif(200_000)
    harmless = tiff([], bytes(len(exif) - len(tiff([]))))
    content = encoded(SMALL, "AVIF", exif=harmless)
    assert content.count(harmless) == 1
    return content.replace(harmless, exif)


def png_with_long_texts() -> bytes:
    """Each is just as long as Pillow allows, and one letter makes every other take 4 bytes."""
    text = zlib.compress(("x" * (2**20 - 8) + "\N{GRINNING FACE}").encode())
    return png_with([(b"iTXt", b"%d\0\1\0\0\0" % number + text) for number in range(60)])


def jpeg_of_many_scans() -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    content = encoded(SMALL, "JPEG", progressive=True)
    return content[:-2] + content[content.rindex(b"\xff\xda") : -2] * 1000 + content[-2:]


def gif_with_comments() -> bytes:
    content = encoded(SMALL.quantize(4), "GIF")
    start = content.index(b",", 13 + 3 * 4)
    return content[:start] + b"!\xfe" + (b"\xff" + bytes(255)) * 5000 + b"\0" + content[start:]


def gif_of_many_frames() -> bytes:
    content = encoded(SMALL.quantize(4), "GIF")
    start = content.index(b",", 13 + 3 * 4)
    return content[:start] + content[start:-1] * 20_000 + b";"


def tiff_with(more: list[tuple[int, int, int, int]], rest: bytes = b"", then: int = 0) -> bytes:
    """16 x 12 greys, which are the file's own bytes."""
    return tiff(sorted([*PIXELS, *more]), bytes(400) + rest, then)


def tiff_with_greedy_subdirectory() -> bytes:
    start = len(tiff_with([(0x8769, 4, 1, 0)]))
    return tiff_with([(0x8769, 4, 1, start)], directory((0x9000 + i, 7, 150_000, 0) for i in range(20_000)))


def run_length_bmp() -> bytes:
    header = struct.pack("<LLLHHLLLLLL", 40, 8192, 8000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<LLL", 0, 0, 14 + 40 + 1024) + header + bytes(1024) + b"\x01\x01\0\0" * 8000 + b"\0\x01"


BOMBS = {
    "JPEG with EXIF data that overlap": lambda: jpeg_with(jpeg_segment(0xE1, EXIF + greedy_exif(60_000))),
    "JPEG with long EXIF data that overlap": jpeg_with_long_exif,
    "JPEG with a list of pictures that overlaps": lambda: jpeg_with(jpeg_segment(0xE2, b"MPF\0" + greedy_exif(60_000))),
    "JPEG with EXIF data of nothing but prefixes": lambda: jpeg_with(jpeg_segment(0xE1, EXIF * 10_000) * 60),
    "JPEG of 100,000 segments": lambda: jpeg_with(jpeg_segment(0xFE, b"") * 100_000),
    "JPEG with a megabyte between segments": lambda: jpeg_with(jpeg_segment(0xFE, b"") + bytes(2**20)),
    "JPEG of 1000 scans": jpeg_of_many_scans,
    "JPEG that is lossless": lambda: encoded(SMALL, "JPEG").replace(b"\xff\xc0", b"\xff\xc3"),
    "progressive JPEG of 25 megapixels": lambda: jpeg_claiming(5000, 5000, **PROGRESSIVE_444),
    "PNG with 60 million letters of 4 bytes": png_with_long_texts,
    "PNG with a profile of 50 MB": lambda: png_with([(b"iCCP", b"p\0\0" + zlib.compress(bytes(50_000_000)))]),
    "PNG of 200,000 chunks": lambda: png_with([(b"abcd", b"")] * 200_000),
    "GIF with a comment of a megabyte": gif_with_comments,
    "TIFF with tags that overlap": lambda: tiff_with([(0x9000 + i, 7, 200_000, 0) for i in range(20_000)]),
    "TIFF with EXIF data that overlap": tiff_with_greedy_subdirectory,
    "TIFF of a million strips": lambda: tiff_with([(279, 4, 2**20, 0)], bytes(2**22)),
    "TIFF with a tile of 3.6 gigapixels": lambda: tiff_with([(322, 4, 1, 60_000), (323, 4, 1, 60_000)]),
    "BMP of 65 megapixels in run lengths": run_length_bmp,
}
HARMLESS = {
    "PNG with EXIF data that overlap": lambda: png_with([(b"eXIf", greedy_exif(200_000))]),
    "PNG with EXIF data of nothing but prefixes": lambda: png_with([(b"eXIf", EXIF * 200_000)]),
    "PNG with EXIF data as text": lambda: png_with(
        [(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\n\n\n" + greedy_exif(200_000).hex().encode()))]
    ),
    "PNG with 100 MB of pixels too many": lambda: png_with([(b"IDAT", zlib.compress(bytes(100_000_000)))]),
    "WebP with EXIF data that overlap": lambda: encoded(SMALL, "WEBP", exif=greedy_exif(200_000)),
    "AVIF with EXIF data that overlap": avif_with_greedy_exif,
    "GIF of 20,000 frames": gif_of_many_frames,
    "TIFF whose directory leads to itself": lambda: tiff_with([], then=8),
}
LIMITS = dict.fromkeys(FORMATS, MAX_PIXELS) | MAX_PIXELS_OF
CLAIMS = {f"{file_format} of too many pixels": file_format for file_format in FORMATS}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What becomes of each file in a process of its own."""
    folder = tmp_path_factory.mktemp("limits")
    for name, build in (BOMBS | HARMLESS | {"large JPEG": large_jpeg}).items():
        (folder / name).write_bytes(build())
    for name, file_format in CLAIMS.items():
        (folder / name).write_bytes(claiming(file_format, 8192, LIMITS[file_format] // 8192 + 1))
    return decode_files(sorted(folder.iterdir()))


@pytest.mark.parametrize("name", CLAIMS)
def test_more_pixels_than_the_limit_are_refused_without_taking_memory(name, outcomes):
    assert f"has more than {LIMITS[CLAIMS[name]]} pixels" in (outcomes[name].refusal or str(outcomes[name]))
    assert outcomes[name].growth_mb < 50


def test_a_very_large_jpeg_is_opened_at_a_quarter_and_says_so(outcomes):
    outcome = outcomes["large JPEG"]
    assert outcome.size == [1000, 1250]  # upright
    assert outcome.notes == ["This JPEG of 20 megapixels was opened at a quarter of its width and height."]
    assert outcome.growth_mb < 100


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_asks_for_too_much_is_refused(name, outcomes):
    outcome = outcomes[name]
    assert outcome.crash is None
    assert outcome.refusal
    assert outcome.growth_mb < 100


@pytest.mark.parametrize("name", HARMLESS)
def test_what_asks_for_too_much_beside_the_picture_is_not_read(name, outcomes):
    outcome = outcomes[name]
    assert (outcome.crash, outcome.refusal, outcome.size) == (None, None, [16, 12])
    assert outcome.notes == ([FIRST_FRAME] if name.startswith("GIF") else [])
    assert outcome.growth_mb < 100


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (jpeg_claiming(5000, 5000, **PROGRESSIVE_444), "is a progressive JPEG of 25 megapixels, which takes too much"),
        (run_length_bmp(), "is a run-length encoded BMP of more than 4194304 pixels; save it as PNG"),
        (encoded(SMALL, "JPEG").replace(b"\xff\xc0", b"\xff\xc3"), "is a lossless or hierarchical JPEG; save it as an"),
    ],
)
def test_a_sound_picture_that_is_refused_is_told_why(content, words):
    with pytest.raises(ImageError, match=words):
        decode_image(content)


# What a sound picture takes


@pytest.fixture(scope="module")
def costly(tmp_path_factory):
    """Outcomes of pictures of 4 megapixels that take many steps, by what is costly in them."""
    folder, size, random = tmp_path_factory.mktemp("costly"), (2000, 2000), np.random.default_rng(0)
    rgb = Image.linear_gradient("L").resize(size).convert("RGB")
    rgba = rgb.copy()
    rgba.putalpha(100)
    turned = Image.Exif()
    turned[ORIENTATION] = 6
    profile = rgb_profile(((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)), 2.2)
    pictures = {
        "16 bits": encoded(
            Image.fromarray(random.integers(0, 65536, (2000, 2000), np.uint16)), "PNG", compress_level=1
        ),
        "floats": encoded(Image.fromarray(random.random((2000, 2000), np.float32)), "TIFF"),
        "opacity, turned": encoded(rgba, "PNG", compress_level=1, exif=turned.tobytes()),
        "opacity and a profile, turned": encoded(
            rgba, "PNG", compress_level=1, exif=turned.tobytes(), icc_profile=profile
        ),
        "inks": encoded(rgb.convert("CMYK"), "TIFF"),
        "WebP with opacity": encoded(rgba, "WEBP", method=0),
    }
    for name, content in pictures.items():
        (folder / name).write_bytes(content)
    return decode_files(sorted(folder.iterdir()))


@pytest.mark.parametrize(
    "name", ["16 bits", "floats", "opacity, turned", "opacity and a profile, turned", "inks", "WebP with opacity"]
)
def test_at_the_limit_of_pixels_no_picture_would_take_more_than_600_mb(name, costly):
    outcome = costly[name]
    assert outcome.size == [2000, 2000]
    limit = LIMITS["WEBP" if name.startswith("WebP") else "PNG"]
    assert (outcome.growth_mb - FIXED_MB) * limit / 4_000_000 < 600


# The scale of a JPEG


@pytest.fixture
def photograph():
    """Something smooth with something fine in it, 1600 x 1200."""
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).resize(
        (1600, 1200), Image.Resampling.BICUBIC
    )
    fine = random.integers(-20, 20, (1200, 1600, 1))
    return Image.fromarray((np.asarray(coarse) + fine).clip(0, 255).astype(np.uint8))


def test_up_to_16_megapixels_a_jpeg_has_the_pixels_that_pillow_gives_it(photograph, monkeypatch):
    assert MAX_FULL_SCALE_PIXELS >= 16_000_000
    monkeypatch.setattr(decode, "MAX_FULL_SCALE_PIXELS", 1600 * 1200)
    content = encoded(photograph, "JPEG")
    decoded = decode_with_notes(content)
    assert np.array_equal(np.asarray(decoded.image), np.asarray(Image.open(io.BytesIO(content))))
    assert decoded.notes == ()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_reduced_jpeg_shows_the_network_the_same_picture(options, photograph, monkeypatch):
    monkeypatch.setattr(decode, "MAX_FULL_SCALE_PIXELS", 0)
    content, processor = encoded(photograph, "JPEG", quality=90, **options), PoolFormerImageProcessorPil(size=64)
    reduced = decode_with_notes(content)
    assert reduced.image.size == (400, 300)
    assert len(reduced.notes) == 1
    seen, expected = (
        np.asarray(processor.crop(image, crop_size=64)).astype(int) for image in (reduced.image, photograph)
    )
    assert np.abs(seen - expected).mean() < 1.5
    assert np.abs(seen - expected).max() < 16


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_jpegs_of_all_colours_are_reduced(mode, monkeypatch):
    monkeypatch.setattr(decode, "MAX_FULL_SCALE_PIXELS", 0)
    image = Image.new(mode, (70, 50), 200 if mode == "L" else (55, 55, 55, 0))
    reduced = decode_image(encoded(image, "JPEG"))
    assert reduced.size == (18, 13)
    assert np.abs(np.asarray(reduced).astype(int) - 200).max() <= 2


@pytest.mark.parametrize(
    ("options", "bytes_a_pixel"),
    # Coefficients of 2 bytes; colours at full size, or halved in both directions.
    [({}, 0), (PROGRESSIVE_444, 6), ({"progressive": True, "subsampling": 2}, 3)],
)
def test_what_a_progressive_jpeg_takes_is_known_before(options, bytes_a_pixel):
    assert check_segments(io.BytesIO(jpeg_claiming(5000, 4000, **options))) == bytes_a_pixel * 5000 * 4000


# Shapes


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("size", [(1, 1), (1, 16_000), (16_000, 1)])
def test_any_shape_gives_a_picture_and_a_crop_or_a_sentence(size, file_format):
    image = decode_image(encoded(Image.new("RGB", size, (200, 200, 200)), file_format))
    assert image.size == size
    if size == (1, 1):
        assert PoolFormerImageProcessorPil().crop(image).size == (224, 224)
    else:
        with pytest.raises(ImageError, match="crop it to a less extreme shape"):
            PoolFormerImageProcessorPil().crop(image)


def test_the_sizes_of_tiffs_types_are_those_that_pillow_reads():
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    assert {kind: size for kind, (size, _) in ImageFileDirectory_v2._load_dispatch.items()} == TYPE_SIZES
