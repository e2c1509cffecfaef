"""Colours: what a person sees is what is classified, whatever colours a file has, and how many bits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradio.media import get_image
from pictures import cmyk_profile, encoded, grey_profile, icc_profile, png_with, rgb_profile
from PIL import Image

from poolformer.images import colour
from poolformer.images.colour import MAX_PROFILE_BYTES
from poolformer.images.decode import UNUSED_PROFILE, decode_image, decode_with_notes

GAMMA = 2.19921875  # 563 / 256: that of Adobe RGB (1998), and one that profiles have exactly
# Red, green and blue in XYZ, adapted to D50 (B. Lindbloom, RGB/XYZ matrices; Display P3 from its profile).
SRGB = np.array(
    [(0.4360747, 0.2225045, 0.0139322), (0.3850649, 0.7168786, 0.0971045), (0.1430804, 0.0606169, 0.7141733)]
)
ADOBE = np.array(
    [(0.6097559, 0.3111242, 0.0194811), (0.2052401, 0.6256560, 0.0608902), (0.1492240, 0.0632197, 0.7448387)]
)
DISPLAY_P3 = np.array([(0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841)])
COLOURS = np.array(
    [[(200, 100, 50), (30, 160, 90), (90, 60, 180), (128, 128, 128), (255, 255, 255), (0, 0, 0)]], np.uint8
)
PICTURE = Image.fromarray(COLOURS.repeat(16, axis=0).repeat(16, axis=1))  # in blocks that lossy formats keep
LOSSY_LEVELS = 6


def srgb_bytes(linear):
    """IEC 61966-2-1: from shares of light to 8 bits."""
    linear = np.clip(linear, 0, 1)
    return np.rint(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)).astype(int)


def by_hand(colours, columns):
    """RGB of a screen with these columns, in sRGB."""
    return srgb_bytes((colours / 255.0) ** GAMMA @ columns @ np.linalg.inv(SRGB))


def centres(image):
    """A pixel inside each block."""
    return np.asarray(image)[8:9, 8::16].astype(int)


@pytest.mark.parametrize("columns", [DISPLAY_P3, ADOBE], ids=["Display P3", "Adobe RGB"])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_colours_of_a_screen_become_srgb(file_format, columns):
    options = {"quality": 100} if file_format in ("JPEG", "WEBP", "AVIF") else {}
    decoded = decode_with_notes(encoded(PICTURE, file_format, icc_profile=rgb_profile(columns, GAMMA), **options))
    expected = by_hand(COLOURS, columns)
    assert np.abs(expected - COLOURS).max() > 20
    assert np.abs(centres(decoded.image) - expected).max() <= (1 if file_format in ("PNG", "TIFF") else LOSSY_LEVELS)
    assert decoded.notes == ()


def test_a_profile_of_srgb_changes_no_pixel():
    # The profile of sRGB that most programs embed, in a photograph that the gradio package ships.
    photograph = get_image("cheetah.jpg")
    with Image.open(photograph) as image:
        assert len(image.info["icc_profile"]) == 3144
        assert np.array_equal(np.asarray(decode_image(photograph)), np.asarray(image))


def test_greys_have_profiles_too():
    ramp = np.arange(0, 256, 5, dtype=np.uint8)[None]
    decoded = decode_image(encoded(Image.fromarray(ramp), "PNG", icc_profile=grey_profile(1.0)))
    assert np.abs(np.asarray(decoded) - srgb_bytes(ramp / 255)[..., None]).max() <= 1


def test_a_profile_for_grey_applies_to_16_bits_as_well():
    image = Image.fromarray(np.array([[0, 6554, 32768, 65535]], np.uint16))
    decoded = np.asarray(decode_image(encoded(image, "PNG", icc_profile=grey_profile(1.0))))[0, :, 0]
    assert np.abs(decoded - srgb_bytes(np.array([0, 0.1, 0.5, 1]))).max() <= 1


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_inks_are_converted_by_their_profile(file_format):
    # A press whose cyan is a dull blue: Lab 50, 0, -30.
    def lab(cyan, magenta, yellow, black):
        return (100 - 50 * cyan - 20 * magenta - 5 * yellow) * (1 - black), 0, -30 * cyan * (1 - black)

    inks = np.array([[(0, 0, 0, 0), (255, 0, 0, 0), (0, 0, 0, 255)]], np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    content = encoded(Image.fromarray(inks, "CMYK"), file_format, icc_profile=cmyk_profile(lab))
    decoded = decode_with_notes(content)
    # CIE 1976: Lab to XYZ under D50, then the inverse of sRGB's matrix.
    lightness, b = np.array([100.0, 50, 0]), np.array([0.0, -30, 0])
    f = (lightness + 16) / 116
    z = f - b / 200

    def cube(t):
        return np.where(t > 6 / 29, t**3, 3 * (6 / 29) ** 2 * (t - 4 / 29))

    xyz = np.stack([0.9642 * cube(f), cube(f), 0.8249 * cube(z)], axis=-1)
    expected = srgb_bytes(xyz @ np.linalg.inv(SRGB))
    assert np.abs(centres(decoded.image)[0] - expected).max() <= LOSSY_LEVELS
    assert decoded.notes == ()


def test_transparency_goes_on_a_white_that_no_profile_changes():
    image = Image.fromarray(np.array([[(200, 100, 50, 255), (200, 100, 50, 0)]], np.uint8))
    pixels = np.asarray(decode_image(encoded(image, "PNG", icc_profile=rgb_profile(DISPLAY_P3, GAMMA))))[0]
    assert np.abs(pixels[0] - by_hand(np.array([200, 100, 50]), DISPLAY_P3)).max() <= 1
    assert pixels[1].tolist() == [255, 255, 255]


def test_grey_with_opacity_keeps_it_under_a_profile():
    image = Image.fromarray(np.array([[(128, 255), (128, 0)]], np.uint8))
    pixels = np.asarray(decode_image(encoded(image, "PNG", icc_profile=grey_profile(1.0))))[0]
    assert pixels.tolist() == [[188, 188, 188], [255, 255, 255]]  # half the light, in sRGB


def damaged(profile):
    """What a profile can be that no picture should be converted by."""
    swapped = bytearray(profile)
    swapped[12:16] = b"link"
    return {
        "no profile": b"not a colour profile",
        "cut off": profile[:200],
        "longer than it is": (len(profile) + 1).to_bytes(4) + profile[4:],
        "not for a device": bytes(swapped),
        "without tags": icc_profile(b"RGB ", b"XYZ ", {}),
        "for inks": cmyk_profile(lambda *_: (50, 0, 0)),
        "for greys": grey_profile(1.0),
        "far too large": profile + bytes(MAX_PROFILE_BYTES),
    }


@pytest.mark.parametrize("kind", damaged(rgb_profile(ADOBE, GAMMA)))
def test_a_profile_that_cannot_be_used_is_ignored_and_it_is_said(kind):
    profile = damaged(rgb_profile(ADOBE, GAMMA))[kind]
    decoded = decode_with_notes(encoded(PICTURE, "TIFF", icc_profile=profile))
    assert np.array_equal(np.asarray(decoded.image), np.asarray(PICTURE))
    assert decoded.notes == (UNUSED_PROFILE,)


def test_every_byte_of_a_profile_may_be_wrong():
    profile, random = rgb_profile(ADOBE, GAMMA), np.random.default_rng(0)
    for _ in range(100):
        changed = bytearray(profile)
        for position in random.integers(0, len(profile), 3):
            changed[position] = random.integers(256)
        assert decode_image(encoded(Image.new("RGB", (2, 1)), "TIFF", icc_profile=bytes(changed))).size == (2, 1)


@pytest.mark.parametrize("band_pixels", [1, 7, 48, 10_000])
@pytest.mark.parametrize("mode", ["F", "RGBA", "P", "CMYK"])
def test_a_picture_that_is_converted_piece_by_piece_is_the_same(mode, band_pixels, monkeypatch):
    random = np.random.default_rng(0)
    shape = (12, 16) if mode in ("F", "P") else (12, 16, 4)
    values = random.random(shape, np.float32) * 300 - 20 if mode == "F" else random.integers(0, 256, shape, np.uint8)
    image = Image.fromarray(values) if mode in ("F", "RGBA") else Image.frombytes(mode, (16, 12), values.tobytes())
    if mode == "P":
        image.putpalette(random.integers(0, 256, 768, np.uint8).tobytes())
    profile = (
        cmyk_profile(lambda c, m, y, k: (100 - 30 * c - 30 * m - 10 * y - 30 * k, 0, 0)) if mode == "CMYK" else None
    )
    content = encoded(image, "TIFF", icc_profile=profile)
    whole = decode_image(content)
    monkeypatch.setattr(colour, "BAND_PIXELS", band_pixels)
    assert decode_image(content).tobytes() == whole.tobytes()


def test_many_threads_may_decode_with_one_profile():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    content = encoded(noise, "TIFF", icc_profile=rgb_profile(DISPLAY_P3, GAMMA))
    with ThreadPoolExecutor(4) as pool:
        decoded = list(pool.map(decode_image, [content] * 12))
    assert {image.tobytes() for image in decoded} == {decoded[0].tobytes()}
    assert np.abs(np.asarray(decoded[0]).astype(int) - by_hand(np.asarray(noise), DISPLAY_P3)).max() <= 1


def test_a_text_that_calls_itself_a_profile_is_none():
    decoded = decode_with_notes(png_with([(b"tEXt", b"icc_profile\0" + bytes(200)), (b"tEXt", b"exif\0II*\0")]))
    assert decoded.notes == (UNUSED_PROFILE,)


def test_a_grey_of_16_bits_that_stands_for_transparent_goes_on_white():
    image = Image.fromarray(np.array([[1000, 30000]], np.uint16))
    pixels = np.asarray(decode_image(encoded(image, "PNG", transparency=1000)))[0, :, 0]
    assert pixels.tolist() == [255, 117]


def test_what_a_gif_leaves_uncovered_is_white():
    # A screen of 4 x 1 pixels, of which the only picture covers the second and third.
    image = Image.new("P", (2, 1), 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    content = bytearray(encoded(image, "GIF"))
    content[6:8] = (4).to_bytes(2, "little")
    start = content.index(b",")
    content[start + 1 : start + 3] = (1).to_bytes(2, "little")
    assert np.asarray(decode_image(bytes(content)))[0].tolist() == [[255] * 3, [200, 0, 0], [200, 0, 0], [255] * 3]
