"""What is in the program's files, apart from what no run can repeat."""

import hashlib
import json
import re
import struct
import zlib

# What depends on the clock.
TIMES = ("seconds", "train_seconds", "images_per_second", "at", "started", "ended")


def digest(content):
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(held) for name, held in value.items() if name not in TIMES}
    return [without_times(held) for held in value] if isinstance(value, list) else value


def safetensors(path):
    """Metadata, the table of tensors, and their bytes."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    table = json.loads(content[8 : 8 + length])
    return table.pop("__metadata__", {}), table, content[8 + length :]


def tensors(path):
    """A safetensors file without its metadata, in which a checkpoint has times."""
    _, table, numbers = safetensors(path)
    return json.dumps(table, sort_keys=True).encode() + numbers


def png_chunks(path):
    """The parts of a PNG, each with its kind."""
    content, at = path.read_bytes(), 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += length + 12


def pixels(path):
    """A PNG's size and pixels, without the texts that tell of its program."""
    parts = list(png_chunks(path))
    of = lambda wanted: b"".join(part for kind, part in parts if kind == wanted)
    return of(b"IHDR") + zlib.decompress(of(b"IDAT"))


def drawing(path):
    """An SVG without the metadata that tell of its program."""
    return re.sub(r"<metadata>.*?</metadata>", "", path.read_text(), flags=re.DOTALL)
