"""Picture files of every kind that the C++ library reads, with what makes them odd in their names."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image


def drawn(width: int = 61, height: int = 47, seed: int = 0) -> np.ndarray:
    """A smooth picture with some noise, uint8 [H, W, 3]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1)
    return np.clip(smooth + random.normal(0, 12, smooth.shape), 0, 255).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def odd_files() -> dict[str, bytes]:
    """Files by name; those whose names hold `bad` are refused by Python."""
    files: dict[str, bytes] = {}
    for name, content in _files():
        assert name not in files
        files[name] = content
    return files


def _files() -> Iterator[tuple[str, bytes]]:
    picture = Image.fromarray(drawn())
    yield from _jpegs(picture)
    yield from _pngs(picture)
    yield from _others(picture)
    yield from _bad(picture)


def _jpegs(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            name = f"jpeg_{subsampling}_{'progressive' if progressive else 'baseline'}.jpg"
            yield name, saved(picture, "JPEG", quality=90, subsampling=subsampling, progressive=progressive)
    yield "jpeg_gray.jpg", saved(picture.convert("L"), "JPEG")
    yield "jpeg_cmyk.jpg", saved(picture.convert("CMYK"), "JPEG")
    yield "jpeg_restart.jpg", saved(picture, "JPEG", restart_marker_blocks=2)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f"jpeg_turned_{orientation}.jpg", saved(picture, "JPEG", exif=exif)
        yield f"png_turned_{orientation}.png", saved(picture, "PNG", exif=exif)
        yield f"webp_turned_{orientation}.webp", saved(picture, "WEBP", lossless=True, exif=exif)
        yield f"tiff_turned_{orientation}.tif", saved(picture, "TIFF", tiffinfo={0x0112: orientation})
    content = saved(picture, "JPEG")
    yield "jpeg_trailing_bytes.jpg", content + b"a film follows" * 9
    yield "jpeg_padded.jpg", content[:-2] + b"\0\0\0" + content[-2:]
    yield "jpeg_damaged_exif.jpg", saved(picture, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")


def _pngs(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    gray = picture.convert("L")
    alpha = picture.convert("RGBA")
    alpha.putalpha(gray)
    yield "png_rgb.png", saved(picture, "PNG")
    yield "png_rgba.png", saved(alpha, "PNG")
    yield "png_gray.png", saved(gray, "PNG")
    yield "png_gray_alpha.png", saved(alpha.convert("LA"), "PNG")
    yield "png_bits.png", saved(picture.convert("1"), "PNG")
    palette = picture.quantize(200)
    yield "png_palette.png", saved(palette, "PNG")
    yield "png_palette_small.png", saved(picture.quantize(3), "PNG", bits=2)
    yield "png_palette_transparent.png", saved(palette, "PNG", transparency=3)
    yield "png_palette_alpha.png", saved(palette, "PNG", transparency=bytes(range(200)))
    yield "png_transparent_colour.png", saved(picture, "PNG", transparency=(1, 2, 3))
    deep = (np.asarray(gray).astype(np.uint16) << 8) + 131
    yield "png_16_gray.png", saved(Image.fromarray(deep), "PNG")


def _others(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    gray = picture.convert("L")
    alpha = picture.convert("RGBA")
    alpha.putalpha(gray.point(lambda value: 40 + value // 2))
    for mode in ("RGB", "L", "1", "P", "RGBA"):
        yield f"bmp_{mode}.bmp", saved(alpha.convert(mode) if mode == "RGBA" else picture.convert(mode), "BMP")
    yield "webp_lossless.webp", saved(picture, "WEBP", lossless=True)
    yield "webp_lossy.webp", saved(picture, "WEBP", quality=80)
    yield "webp_alpha.webp", saved(alpha, "WEBP", lossless=True, exact=True)
    for mode in ("RGB", "L", "1", "P", "RGBA", "CMYK"):
        image = alpha if mode == "RGBA" else picture.convert(mode)
        yield f"tiff_{mode}.tif", saved(image, "TIFF")
        if mode != "CMYK":
            yield f"tiff_{mode}_lzw.tif", saved(image, "TIFF", compression="tiff_lzw")
    deep = (np.asarray(gray).astype(np.uint16) << 8) + 131
    yield "tiff_16_gray.tif", saved(Image.fromarray(deep), "TIFF")
    yield "tiff_jpeg.tif", saved(picture, "TIFF", compression="jpeg")
    yield "tiff_deflate.tif", saved(picture, "TIFF", compression="tiff_adobe_deflate")
    yield "tiff_fax.tif", saved(picture.convert("1"), "TIFF", compression="group4")
    for white in (0, 1):
        yield f"tiff_16_from_{white}.tif", raw_tiff(deep.tobytes(), 16, white)
        yield f"tiff_12_from_{white}.tif", raw_tiff(packed_12(np.asarray(gray)), 12, white)
    yield from _gifs(picture)
    for mode in ("RGB", "L", "1"):
        yield f"ppm_{mode}.ppm", saved(picture.convert(mode), "PPM")
    yield "ppm_text.ppm", b"P3 # of three colours\n3 1 200\n0 100 200 1 2 3 9 9 9\n"
    yield "ppm_deep.pgm", b"P5 3 1 1000\n" + bytes([0, 5, 1, 200, 3, 232])


def raw_tiff(strip: bytes, bits: int, photometric: int, width: int = 61, height: int = 47) -> bytes:
    """A grey TIFF that is not compressed; of `photometric` 0 counts from white."""
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: height, 279: len(strip)}
    directory = struct.pack("<H", len(tags))
    for number, value in tags.items():
        directory += struct.pack("<HHII", number, 4, 1, value)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory + bytes(4)


def packed_12(gray: np.ndarray) -> bytes:
    """Rows of values of 12 bits, two in three bytes."""
    rows = b""
    for row in gray.astype(int) * 16 + 7:
        digits = "".join(f"{value:03x}" for value in row)
        rows += bytes.fromhex(digits + "0" * (len(digits) % 2))
    return rows


def _gifs(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    other = Image.fromarray(drawn(seed=1))
    for colors in (2, 3, 17, 256):
        yield f"gif_{colors}.gif", saved(picture.quantize(colors), "GIF", interlace=colors % 2)
    yield "gif_gray.gif", saved(picture.convert("L"), "GIF")
    frames = {"save_all": True, "append_images": [other.quantize(9)]}
    yield "gif_animated.gif", saved(picture.quantize(50), "GIF", transparency=3, **frames)
    content = bytearray(saved(picture.quantize(16), "GIF"))
    content[6:10] = struct.pack("<HH", 100, 90)
    frame = content.index(b",", 13 + 48)
    content[frame + 1], content[frame + 3] = 7, 5
    yield "gif_within_a_canvas.gif", bytes(content)
    yield "webp_animated.webp", saved(picture, "WEBP", save_all=True, append_images=[other], lossless=True)
    small, canvas = picture.crop((0, 0, 40, 30)), Image.new("RGBA", picture.size)
    canvas.paste(small, (12, 8))
    frames = {"save_all": True, "append_images": [other.convert("RGBA")], "minimize_size": True}
    yield "webp_within_a_canvas.webp", saved(canvas, "WEBP", lossless=True, **frames)


def _bad(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    kinds: dict[str, Callable[[], bytes]] = {
        "jpg": lambda: saved(picture, "JPEG"),
        "progressive.jpg": lambda: saved(picture, "JPEG", progressive=True),
        "png": lambda: saved(picture, "PNG"),
        "bmp": lambda: saved(picture, "BMP"),
        "webp": lambda: saved(picture, "WEBP"),
        "tif": lambda: saved(picture, "TIFF"),
        "lzw.tif": lambda: saved(picture, "TIFF", compression="tiff_lzw"),
        "gif": lambda: saved(picture.quantize(200), "GIF"),
        "ppm": lambda: saved(picture, "PPM"),
    }
    for suffix, make in kinds.items():
        content = make()
        for share in (10, 50, 90):
            yield f"bad_cut_{share}.{suffix}", content[: len(content) * share // 100]
    content = saved(picture, "JPEG")
    for share in (50, 90):
        yield f"bad_cut_with_end_{share}.jpg", content[: len(content) * share // 100] + b"\xff\xd9"
    middle = len(content) * 2 // 3
    yield "bad_hole.jpg", content[:middle] + bytes(200) + content[middle + 200 :]
    yield "bad_empty.jpg", b""
    yield "bad_text.jpg", b"this is no picture"
    yield "bad_float.tif", saved(Image.fromarray(np.zeros((4, 5), np.float32)), "TIFF")
    yield "bad_32_bits.tif", saved(Image.fromarray(np.zeros((4, 5), np.int32)), "TIFF")
    yield "bad_large.png", saved(Image.new("1", (20000, 20000)), "PNG")
