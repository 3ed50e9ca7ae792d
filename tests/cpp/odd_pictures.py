"""Picture files of every kind that the C++ library reads, with what makes them odd in their names."""

from __future__ import annotations

import io
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


def _bad(picture: Image.Image) -> Iterator[tuple[str, bytes]]:
    kinds: dict[str, Callable[[], bytes]] = {
        "jpg": lambda: saved(picture, "JPEG"),
        "progressive.jpg": lambda: saved(picture, "JPEG", progressive=True),
        "png": lambda: saved(picture, "PNG"),
        "bmp": lambda: saved(picture, "BMP"),
        "webp": lambda: saved(picture, "WEBP"),
        "tif": lambda: saved(picture, "TIFF"),
        "lzw.tif": lambda: saved(picture, "TIFF", compression="tiff_lzw"),
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
