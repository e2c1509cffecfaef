"""Opening files: every format and colour mode gives the picture that a person sees; all else gives a sentence."""

from __future__ import annotations

import io
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, jpeg_segment, jpeg_with, png_claiming
from PIL import Image

from poolformer.errors import ImageError
from poolformer.images import decode
from poolformer.images.decode import MAX_PIXELS, decode_image, decode_with_notes
from poolformer.images.formats import FORMATS

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)
# Blocks of four colours: whichever way the picture is turned, its corners tell, and lossy formats keep them.
CORNERS = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
BLOCKS = Image.fromarray(CORNERS.repeat(24, axis=0).repeat(32, axis=1))
LOSSY_LEVELS = 16
ORIENTATION = 0x0112


def corners(image: Image.Image) -> np.ndarray:
    """(2, 2, 3): a pixel inside each corner, away from where lossy formats blur."""
    assert image.mode == "RGB"
    return np.asarray(image)[[8, -8]][:, [8, -8]].astype(int)


def same(image: Image.Image, expected: Image.Image) -> bool:
    return image.mode == expected.mode == "RGB" and np.array_equal(np.asarray(image), np.asarray(expected))


# --- formats


@pytest.mark.parametrize("extension", ["", ".txt", ".jpg"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format_opens_whatever_the_file_is_called(file_format: str, extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture{extension}"
    path.write_bytes(encoded(BLOCKS, file_format))
    image = decode_image(path)
    assert image.size == BLOCKS.size
    assert np.abs(corners(image) - CORNERS).max() <= LOSSY_LEVELS
    assert same(image, BLOCKS) or file_format in ("JPEG", "WEBP", "AVIF")
    assert same(decode_image(str(path)), image)
    assert same(decode_image(path.read_bytes()), image)


OTHERS = {
    file_format: encoded(BLOCKS, file_format) for file_format in ("PPM", "PDF", "EPS", "ICO", "TGA", "PCX", "JPEG2000")
} | {
    "HTML": b"<!DOCTYPE html><p>cat</p>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "PSD": b"8BPS\0\1" + bytes(200),
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "HEIC of another brand": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(200),
    "JXL": b"\xff\x0a" + bytes(200),
    "JXL in a container": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200),
    "a text that begins as BMP does": b"BMW has no pixels" * 20,
    "one byte": b"\0",
}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_file_of_any_other_format_is_refused_with_the_list_and_reaches_no_codec(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("Pillow was asked")

    monkeypatch.setattr(Image, "open", opened)
    path = tmp_path / "cat.jpg"
    path.write_bytes(OTHERS[kind])
    with pytest.raises(
        ImageError, match=r"^cat\.jpg is no picture .* JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF"
    ) as caught:
        decode_image(path)
    assert str(tmp_path) not in str(caught.value)


# --- colours


def test_transparency_goes_on_white() -> None:
    image = Image.fromarray(np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8))
    pixels = np.asarray(decode_image(encoded(image, "PNG")))[0]
    assert pixels.tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127]]


def test_grey_with_transparency_goes_on_white() -> None:
    image = Image.fromarray(np.array([[[0, 0], [0, 255], [100, 255]]], np.uint8))
    assert image.mode == "LA"
    assert np.asarray(decode_image(encoded(image, "PNG")))[0].tolist() == [[255] * 3, [0] * 3, [100] * 3]


@pytest.mark.parametrize("file_format", ["PNG", "GIF"])
def test_a_transparent_palette_entry_goes_on_white(file_format: str) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putpixel((1, 0), 1)
    assert np.asarray(decode_image(encoded(image, file_format)))[0].tolist() == [[*RED], [*BLUE]]
    assert np.asarray(decode_image(encoded(image, file_format, transparency=0)))[0].tolist() == [[*WHITE], [*BLUE]]


def test_palette_entries_of_different_opacity_go_on_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*BLACK, *BLUE])
    image.putpixel((1, 0), 1)
    assert np.asarray(decode_image(encoded(image, "PNG", transparency=bytes([128, 0]))))[0].tolist() == [
        [127] * 3,
        [*WHITE],
    ]


def test_one_bit_pictures_are_black_and_white() -> None:
    image = Image.fromarray(np.array([[True, False]]))
    assert np.asarray(decode_image(encoded(image, "PNG")))[0].tolist() == [[*WHITE], [*BLACK]]


def test_cmyk_becomes_rgb() -> None:
    # In percent: no ink, all cyan, all black.
    image = Image.fromarray(np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8), "CMYK")
    assert np.asarray(decode_image(encoded(image, "TIFF")))[0].tolist() == [[*WHITE], [0, 255, 255], [*BLACK]]


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_16_bit_greys_are_scaled_not_clipped(file_format: str) -> None:
    image = Image.fromarray(np.array([[0, 257, 32896, 65535, 128]], np.uint16))
    greys = np.asarray(decode_image(encoded(image, file_format)))[0, :, 0]
    assert greys.tolist() == [0, 1, 128, 255, 0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.25, 0.5], [0, 64, 128]),  # within 0 to 1: a share of white
        ([-100.0, 60.0, 100.0], [0, 204, 255]),  # else the smallest is black, the largest white
        ([5.0, 5.0, 5.0], [0, 0, 0]),
        ([float("nan"), 0.0, float("inf"), 1.0], [0, 0, 255, 255]),
        ([float("nan"), float("nan")], [0, 0]),
    ],
)
def test_float_greys_are_scaled(values: list[float], expected: list[int]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    assert np.asarray(decode_image(encoded(image, "TIFF")))[0, :, 0].tolist() == expected


def test_32_bit_greys_are_scaled() -> None:
    image = Image.fromarray(np.array([[-1000, 600, 1000]], np.int32))
    assert np.asarray(decode_image(encoded(image, "TIFF")))[0, :, 0].tolist() == [0, 204, 255]


def test_lab_becomes_rgb() -> None:
    image = Image.new("LAB", (2, 1), (255, 128, 128))
    image.putpixel((1, 0), (0, 128, 128))
    pixels = np.asarray(decode_image(encoded(image, "TIFF")))[0].astype(int)
    assert np.abs(pixels - [WHITE, BLACK]).max() <= 1


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(file_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    options = {"lossless": True} if file_format == "WEBP" else {}
    content = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(content)).n_frames == 2  # type: ignore[attr-defined]
    decoded = decode_with_notes(content)
    assert same(decoded.image, frames[0])
    assert decoded.notes == ("This is an animation: only its first frame was used.",)


def test_the_first_page_of_a_tiff_counts() -> None:
    content = encoded(BLOCKS, "TIFF", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    decoded = decode_with_notes(content)
    assert same(decoded.image, BLOCKS)
    assert decoded.notes == ("This TIFF has several pages: only the first was used.",)


@pytest.mark.parametrize("file_format", FORMATS)
def test_there_is_nothing_to_note_of_an_ordinary_picture(file_format: str) -> None:
    assert decode_with_notes(encoded(BLOCKS, file_format)).notes == ()


# --- orientation

# By hand, from the definition: the orientation says where row 0 and column 0 of the stored picture belong.
UPRIGHT = {
    1: [[RED, GREEN], [BLUE, WHITE]],
    2: [[GREEN, RED], [WHITE, BLUE]],  # column 0 is the right-hand side
    3: [[WHITE, BLUE], [GREEN, RED]],  # row 0 at the bottom, column 0 at the right
    4: [[BLUE, WHITE], [RED, GREEN]],  # row 0 at the bottom
    5: [[RED, BLUE], [GREEN, WHITE]],  # row 0 is the left-hand side, column 0 the top
    6: [[BLUE, RED], [WHITE, GREEN]],  # row 0 is the right-hand side, column 0 the top
    7: [[WHITE, GREEN], [BLUE, RED]],  # row 0 is the right-hand side, column 0 the bottom
    8: [[GREEN, WHITE], [RED, BLUE]],  # row 0 is the left-hand side, column 0 the bottom
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_picture_is_turned_upright(file_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    content = encoded(BLOCKS, file_format, exif=exif.tobytes())
    image = decode_image(content)
    assert image.size == (BLOCKS.size if orientation < 5 else BLOCKS.size[::-1])
    assert np.abs(corners(image) - np.array(UPRIGHT[orientation])).max() <= LOSSY_LEVELS
    assert image.getexif().get(ORIENTATION, 1) == 1  # so that nobody turns it again


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0garbage that is no TIFF header",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0",  # more entries than there are bytes
        b"Exif\0\0II*\0\xff\xff\xff\xff",  # a directory beyond the end
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0\0\0\0\0",  # orientation 9
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0six\0\0\0\0\0",  # orientation 'six'
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_is_ignored(file_format: str, exif: bytes) -> None:
    image = decode_image(encoded(BLOCKS, file_format, exif=exif))
    assert image.size == BLOCKS.size
    assert np.abs(corners(image) - CORNERS).max() <= LOSSY_LEVELS


# --- refusals


def test_missing_files_folders_and_empty_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for path, message in (
        (tmp_path / "gone.png", r"^There is no file gone\.png"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.png", r"^empty\.png is empty \(0 bytes\)"),
        ("bad\0name.png", "There is no file"),
    ):
        with pytest.raises(ImageError, match=message) as caught:
            decode_image(path)
        assert str(tmp_path.parent) not in str(caught.value)
    with pytest.raises(ImageError, match="empty"):
        decode_image(b"")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>.png", "🐈.png", "{{ cat }} ${cat}.png", "..png"])
def test_a_name_is_text_and_only_its_last_part_is_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / "folder" / ".." / name
    (tmp_path / "folder").mkdir()
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError) as caught:
        decode_image(path)
    assert str(caught.value).startswith(f"{name} is no picture")


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "x" * 100_000, "../../no/such.png", "\ud800.png"])
def test_a_name_that_no_file_can_have_is_a_sentence(name: str) -> None:
    with pytest.raises(ImageError, match=r"^There is no file"):
        decode_image(name)


def test_a_long_name_is_shortened(tmp_path: Path) -> None:
    path = tmp_path / ("<b>" + "x" * 200)
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"^<b>x{56}… is no picture"):
        decode_image(path)


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_truncated_picture_is_refused(file_format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    content = encoded(noise, file_format)
    for length in (len(content) // 2, len(content) * 3 // 4):
        with pytest.raises(ImageError, match=r"truncated or damaged|no picture"):
            decode_image(content[:length])


def test_a_picture_damaged_in_the_middle_is_refused() -> None:
    content = bytearray(encoded(BLOCKS, "PNG"))
    content[content.index(b"IDAT") + 6] ^= 0xFF
    with pytest.raises(ImageError, match="truncated or damaged"):
        decode_image(bytes(content))


@pytest.mark.parametrize("offset", [20, -13, -1], ids=["pixels", "checksum of the pixels", "checksum of the end"])
def test_a_png_with_a_checksum_that_does_not_fit_is_refused(offset: int) -> None:
    content = bytearray(encoded(BLOCKS, "PNG"))
    content[offset if offset < 0 else content.index(b"IDAT") + offset] ^= 1
    with pytest.raises(ImageError, match="truncated or damaged"):
        decode_image(bytes(content))


@pytest.mark.parametrize("kind", [b"IDAT", b"IEND"])
def test_a_png_without_its_last_chunks_is_refused(kind: bytes) -> None:
    content = encoded(BLOCKS, "PNG")
    with pytest.raises(ImageError, match="truncated or damaged"):
        decode_image(content[: content.rindex(kind) - 4])


def test_what_follows_the_end_of_a_file_is_not_part_of_the_picture() -> None:
    for file_format in ("PNG", "JPEG", "GIF"):
        content = encoded(BLOCKS, file_format)
        assert same(decode_image(content + b"more\xff\xd8\xff\x01"), decode_image(content))


@pytest.mark.parametrize("position", [10, -10])
def test_a_marker_that_cannot_be_in_a_jpeg_is_damage(position: int) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))
    content = bytearray(encoded(noise, "JPEG"))
    start = content.index(b"\xff\xda") + 14 if position > 0 else len(content)
    content[start + position : start + position + 2] = b"\xff\x42"
    with pytest.raises(ImageError, match="truncated or damaged"):
        decode_image(bytes(content))


@pytest.mark.parametrize("early", [b"\xff\xd9", jpeg_segment(0xDA, bytes(10)), jpeg_segment(0xC0, bytes(17))])
def test_a_jpeg_that_is_not_one_frame_and_then_its_scans_is_refused(early: bytes) -> None:
    # Pillow and libjpeg read such a file in different ways, and may take it to have different sizes.
    with pytest.raises(ImageError, match="truncated or damaged"):
        decode_image(jpeg_with(early))


@pytest.mark.parametrize(
    "stray",
    [b"\0\0\0", b"\xff\xff\xff", b"\xff\0", jpeg_segment(0xFE, b"a comment"), jpeg_segment(0xED, bytes(60_000))],
)
def test_what_cameras_leave_between_the_segments_of_a_jpeg_is_no_damage(stray: bytes) -> None:
    content = jpeg_with(jpeg_segment(0xFE, b"") + stray)
    assert same(decode_image(content), decode_image(jpeg_with(b"")))


@pytest.mark.parametrize("width", [MAX_PIXELS // 1024 + 1, 100_000, 1_000_000])
def test_more_pixels_than_the_limit_are_refused_before_decoding(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(*_: object) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with pytest.raises(ImageError, match=f"more than {MAX_PIXELS} pixels"):
            decode_image(png_claiming(width, 1024))
    assert seen == []


def test_a_picture_of_as_many_pixels_as_the_limit_is_not_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", BLOCKS.width * BLOCKS.height)
    assert same(decode_image(encoded(BLOCKS, "PNG")), BLOCKS)


def test_the_file_is_closed_after_success_and_after_failure(tmp_path: Path) -> None:
    # An open file would be reported as a ResourceWarning, which is an error here.
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encoded(BLOCKS, "PNG"))
    bad.write_bytes(encoded(BLOCKS, "PNG")[:60])
    assert decode_image(good).getpixel((0, 0)) == RED
    with pytest.raises(ImageError):
        decode_image(bad)


def test_overlapping_decodes_leave_the_warning_filters_as_they_were() -> None:
    before = list(warnings.filters)
    first_in, second_in, first_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with decode._quiet_pillow():
            first_in.set()
            second_in.wait(10)
        first_out.set()

    def second() -> None:
        first_in.wait(10)
        with decode._quiet_pillow():
            second_in.set()
            first_out.wait(10)

    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert list(warnings.filters) == before
