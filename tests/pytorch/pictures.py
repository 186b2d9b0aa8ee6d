"""Pictures in every format that is read, and what Pillow decodes them to -> crates/data/tests/pictures/.

`expected.json` names each file with its measures, where in `pixels.bin` its pixels stand (rows of interleaved
channels), and how near ours must come: `exact`, or `near` for lossy formats, whose decoders round differently. Pixels
of 16 bits are scaled to 8 here, as Pillow clips those of grey pictures and cuts off the lower byte of others.
`fitted` holds pictures that Pillow resizes, crops and pads. Needs Pillow 13.0.0 and numpy.
"""

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

FOLDER = Path(__file__).resolve().parents[2] / "crates" / "data" / "tests" / "pictures"
WHITE = 255

# Width x height of the pictures, taken in turn; odd ones, so that padded rows and halved colours are met.
SIZES = [(23, 17), (16, 16), (7, 31), (40, 9), (1, 1), (33, 20), (8, 8), (19, 28), (5, 3), (30, 30),
         (12, 25), (27, 14), (2, 13), (31, 11), (24, 32), (10, 21), (15, 6), (37, 22), (18, 18), (9, 35)]


def draw(width: int, height: int, channels: int = 3) -> np.ndarray:
    """A smooth picture without symmetry, with one sharp edge."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height, 2)
    planes = [0.1 + 0.8 * x, 0.9 - 0.5 * y - 0.3 * x, 0.3 + 0.4 * np.sin(3 * x + 5 * y), 0.15 + 0.8 * y]
    picture = np.stack(planes[:channels], axis=-1)
    picture[(y < 0.3) & (x > 0.6)] *= 0.4
    return np.round(picture * 255).astype(np.uint8)


def wide(picture: np.ndarray) -> np.ndarray:
    """The same with 16 bits, all of them in use."""
    return (picture.astype(np.uint32) * 257 + np.arange(picture.size).reshape(picture.shape) * 7919 % 257 - 128).clip(0, 65535).astype(np.uint16)


def scaled(picture: np.ndarray) -> np.ndarray:
    return ((picture.astype(np.uint64) * 255 + 32767) // 65535).astype(np.uint8)


def png(picture: np.ndarray, interlaced: bool = False) -> bytes:
    """A PNG of 8 or 16 bits, which Pillow cannot write in all of these ways."""
    height, width, channels = picture.shape
    depth = 8 * picture.itemsize

    def rows(part: np.ndarray) -> bytes:
        big = part.astype(part.dtype.newbyteorder(">"))
        return b"".join(b"\0" + row.tobytes() for row in big) if part.size else b""

    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        data = b"".join(rows(picture[top::down, left::right]) for top, left, down, right in passes)
    else:
        data = rows(picture)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, depth, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def save(image: Image.Image, kind: str, **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def opaque(pixels: np.ndarray) -> np.ndarray:
    """Over white, rounded."""
    alpha = pixels[..., -1:].astype(np.uint32)
    return ((pixels[..., :-1] * alpha + WHITE * (255 - alpha) + 127) // 255).astype(np.uint8)


def decoded(content: bytes) -> np.ndarray:
    """What Pillow makes of a file: upright, over white, grey in one channel and all else in three."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if image.mode in ("1", "L") and not transparent:
        return np.asarray(image.convert("L"))[..., None]
    if image.mode == "LA":
        return opaque(np.asarray(image))
    if transparent:
        return opaque(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def with_orientation(upright: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The picture as a camera held that way stores it, and what it says of it."""
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    return (upright.transpose(undo[orientation]) if orientation in undo else upright), exif


def files() -> dict[str, tuple[bytes, np.ndarray | None]]:
    """Name -> content, and the pixels if they are not those of Pillow."""
    sizes = iter(SIZES * 4)

    def rgb() -> Image.Image:
        return Image.fromarray(draw(*next(sizes)))

    def grey() -> Image.Image:
        return Image.fromarray(draw(*next(sizes))[..., 1])

    def rgba() -> Image.Image:
        return Image.fromarray(draw(*next(sizes), channels=4))

    made: dict[str, tuple[bytes, np.ndarray | None]] = {}

    def add(name: str, content: bytes, pixels: np.ndarray | None = None) -> None:
        made[name] = (content, pixels)

    add("rgb.png", save(rgb(), "PNG"))
    add("grey.png", save(grey(), "PNG"))
    add("rgba.png", save(rgba(), "PNG"))
    add("grey-alpha.png", save(rgba().convert("LA"), "PNG"))
    add("one-pixel.png", save(rgb(), "PNG"))
    add("palette.png", save(rgb().quantize(50), "PNG"))
    add("palette-4-bits.png", save(rgb().quantize(11), "PNG", bits=4))
    add("palette-2-bits.png", save(rgb().quantize(4), "PNG", bits=2))
    add("palette-transparent.png", save(rgb().quantize(9), "PNG", transparency=3))
    add("rgb-transparent.png", save(rgb(), "PNG", transparency=tuple(int(v) for v in draw(30, 30)[0, 0])))
    add("black-and-white.png", save(grey().point(lambda v: 255 * (v > 120)).convert("1"), "PNG"))
    picture = draw(*next(sizes))
    add("interlaced.png", png(picture, interlaced=True))
    for channels, name in [(1, "grey"), (3, "rgb")]:
        picture = wide(draw(*next(sizes), channels=channels))
        add(f"{name}-16-bits.png", png(picture), scaled(picture))
    for channels, name in [(2, "grey-alpha"), (4, "rgba")]:
        picture = wide(draw(*next(sizes), channels=channels))
        add(f"{name}-16-bits.png", png(picture, interlaced=channels == 2), opaque(scaled(picture)))

    add("rgb.bmp", save(rgb(), "BMP"))
    add("grey.bmp", save(grey(), "BMP"))
    add("palette.bmp", save(rgb().quantize(40), "BMP"))
    add("black-and-white.bmp", save(grey().convert("1"), "BMP"))

    add("palette.gif", save(rgb().quantize(60), "GIF"))
    add("transparent.gif", save(rgb().quantize(7), "GIF", transparency=2))
    frames = [Image.fromarray(np.roll(draw(14, 11), shift, axis=1)).quantize(30) for shift in (0, 3, 5)]
    add("animated.gif", save(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    add("interlaced.gif", save(grey(), "GIF", interlace=1))

    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        for width, height in [(32, 48), (33, 21)]:
            picture = Image.fromarray(draw(width, height))
            name = f"{subsampling.replace(':', '')}-{picture.width}x{picture.height}.jpg"
            add(name, save(picture, "JPEG", quality=90, subsampling=subsampling))
    for width, height in [(32, 48), (23, 37)]:
        picture = Image.fromarray(draw(width, height))
        add(f"progressive-{width}x{height}.jpg", save(picture, "JPEG", quality=85, progressive=True))
        add(f"restarts-{width}x{height}.jpg", save(picture, "JPEG", quality=90, restart_marker_blocks=1))
    add("progressive-grey.jpg", save(grey(), "JPEG", quality=85, progressive=True))
    add("grey.jpg", save(grey(), "JPEG", quality=90))
    add("inks.jpg", save(rgb().convert("CMYK"), "JPEG", quality=90))

    add("lossy.webp", save(rgb(), "WEBP", quality=90))
    add("lossless.webp", save(rgb(), "WEBP", lossless=True))
    add("lossy-alpha.webp", save(rgba(), "WEBP", quality=90))
    add("lossless-alpha.webp", save(rgba(), "WEBP", lossless=True, exact=True))
    frames = [Image.fromarray(np.roll(draw(16, 12), shift, axis=1)) for shift in (0, 3, 5)]
    add("animated.webp", save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    frames = [Image.fromarray(np.roll(draw(12, 17, channels=4), shift, axis=1)) for shift in (0, 3, 5)]
    add("animated-alpha.webp", save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True, exact=True))

    upright = Image.fromarray(draw(32, 48))
    for orientation in range(1, 9):
        stored, exif = with_orientation(upright, orientation)
        add(f"turned-{orientation}.png", save(stored, "PNG", exif=exif), np.asarray(upright))
        add(f"turned-{orientation}.webp", save(stored, "WEBP", lossless=True, exif=exif), np.asarray(upright))
        add(f"turned-{orientation}.jpg", save(stored, "JPEG", quality=100, subsampling="4:4:4", exif=exif))
    return made


def is_near(name: str) -> bool:
    """Whether a format loses something, so that decoders may differ."""
    return name.endswith(".jpg") or name.startswith("lossy")


def resized(image: Image.Image, width: int, height: int) -> Image.Image:
    """Columns first, then rows, as every version before 13 does; that one takes rows first if the height shrinks by
    more than twice as many pixels as the width, which changes some values by one."""
    image = image.resize((width, image.height), Image.Resampling.BILINEAR)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def torch_crop(image: Image.Image, size: int) -> Image.Image:
    """`Resize(size)` and `CenterCrop(size)` of torchvision 0.29, in its own arithmetic."""
    short, long = sorted(image.size)
    long = int(size * long / short)
    width, height = (size, long) if image.width <= image.height else (long, size)
    top, left = int(round((height - size) / 2.0)), int(round((width - size) / 2.0))
    return resized(image, width, height).crop((left, top, left + size, top + size))


def fitted() -> list[tuple[dict, np.ndarray]]:
    """Pictures brought to a size: what was done -> pixels."""
    found = []
    for name in ["rgb.png", "grey.png", "interlaced.png", "palette.bmp", "turned-1.png", "rgb.bmp"]:
        image = Image.open(FOLDER / name)
        image = image.convert("L" if image.mode == "L" else "RGB")
        for side in (4, 16, 29):
            found.append(({"file": name, "fit": "crop", "height": side, "width": side}, torch_crop(image, side)))
        for height, width in [(11, 20), (20, 11), (40, 40)]:
            measures = {"file": name, "height": height, "width": width}
            found.append((measures | {"fit": "stretch"}, resized(image, width, height)))
            within = ImageOps.contain(image, (width, height)).size
            colour = "#ffffff" if image.mode == "RGB" else 255
            padded = ImageOps.pad(resized(image, *within), (width, height), color=colour)
            found.append((measures | {"fit": "pad"}, padded))
    return [(what, np.asarray(image)) for what, image in found]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pixels = bytearray()

    def put(what: dict, array: np.ndarray) -> dict:
        array = array if array.ndim == 3 else array[..., None]
        height, width, channels = array.shape
        entry = what | {"height": height, "width": width, "channels": channels, "offset": len(pixels)}
        pixels.extend(np.ascontiguousarray(array).tobytes())
        return entry

    expected = {"pictures": [], "fitted": []}
    for name, (content, array) in files().items():
        (FOLDER / name).write_bytes(content)
        array = decoded(content) if array is None else array
        expected["pictures"].append(put({"file": name, "nearness": "near" if is_near(name) else "exact"}, array))
    for what, array in fitted():
        expected["fitted"].append(put(what, array))
    (FOLDER / "pixels.bin").write_bytes(pixels)
    lines = {kind: ",\n".join(json.dumps(entry) for entry in entries) for kind, entries in expected.items()}
    text = ",\n".join(f'"{kind}": [\n{entries}\n]' for kind, entries in lines.items())
    (FOLDER / "expected.json").write_text("{\n" + text + "\n}\n")


if __name__ == "__main__":
    main()
