"""Undoes encodings in place: escapes, base64, hex and rot13, nested a few levels deep, in linear time."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from urllib.parse import unquote

from guard.english import rot13, undo_rot13
from guard.normalise import visible
from guard.traced import Edit, Traced

DEPTH = 3

# Tag characters mirror ASCII: invisible to people, read by some models.
_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_ESCAPES: tuple[tuple[re.Pattern[str], Callable[[str], str]], ...] = (
    (re.compile(r"(?:%[0-9a-fA-F]{2})+"), lambda run: unquote(run, errors="strict")),
    (re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"), html.unescape),
    (re.compile(r"(?:\\x[0-9a-fA-F]{2})+"), lambda run: bytes.fromhex(run.replace("\\x", "")).decode()),
    (re.compile(r"(?:\\u[0-9a-fA-F]{4}|\\u\{[0-9a-fA-F]{1,6}\}|\\U[0-9a-fA-F]{8})+"), lambda run: _points(run)),
    (re.compile(r"(?:\bU\+[0-9a-fA-F]{4,6}\b[ ,]?)+"), lambda run: _points(run)),
)
# A form's blank; undone last, for + is a letter of base64.
_PLUS = re.compile(r"(?<=[^\W\d_]{2})\+(?=[^\W\d_]{2})")
_POINT = re.compile(r"[0-9a-fA-F]{2,8}")

_BASE64 = re.compile(
    r"(?<![\w+/-])[A-Za-z0-9+/_-]{40,80}(?:\r?\n[A-Za-z0-9+/_-]{40,80})*(?:\r?\n[A-Za-z0-9+/_-]{1,80})?={0,2}(?![\w+/-])"
    r"|(?<![\w+/-])[A-Za-z0-9+/_-]{8,}={0,2}"
)
_PIECE = re.compile(r"[A-Za-z0-9]{8,}={0,2}")
# Words of a language have none of these; base64 of text nearly always.
_MIXED = re.compile(r"[a-z0-9][A-Z]|[0-9]")
# Of the digits, and of the digits under rot13; what stands between two bytes stands between all.
_HEX = tuple(
    re.compile(
        rf"(?<![0-9A-Za-z])(?:0x)?{byte}(?P<gap>[\s:,;-]{{0,2}})(?:0x)?{byte}(?:(?P=gap)(?:0x)?{byte}){{2,}}(?![0-9A-Za-z])"
    )
    for byte in ("[0-9a-fA-F]{2}", "[0-9n-sN-S]{2}")
)


def decoded(text: Traced) -> Traced:
    """`text` with everything undone that is encoded and holds text, without invisible characters.

    A run of base64 or hex is traced as a whole, and so is every escape.
    """
    shown = visible(_apply(text, _TAGS, lambda run: "".join(chr(ord(char) - 0xE0000) for char in run)))
    for _ in range(DEPTH):
        before = shown.text
        shown = _unwrapped(shown)
        if shown.text == before:
            break
    # Not before: what is still encoded has stretches that look better under rot13 by luck.
    turned = undo_rot13(shown)
    shown = shown if turned.text == shown.text else _unwrapped(turned)
    return _apply(shown, _PLUS, lambda _: " ")


def _unwrapped(text: Traced) -> Traced:
    for pattern, undo in _ESCAPES:
        text = _apply(text, pattern, undo)
    return visible(_runs(text))


def _apply(text: Traced, pattern: re.Pattern[str], undo: Callable[[str], str]) -> Traced:
    edits: list[Edit] = []
    for run in pattern.finditer(text.text):
        try:
            edits.append((run.start(), run.end(), undo(run[0])))
        except (ValueError, OverflowError):  # no such character, or bytes that are no UTF-8
            continue
    return text.edited(edits)


def _points(run: str) -> str:
    made = "".join(chr(int(point, 16)) for point in _POINT.findall(run.replace("U+", " ")))
    # JSON writes characters beyond the first plane as two halves.
    return made.encode("utf-16", "surrogatepass").decode("utf-16")


def _runs(text: Traced) -> Traced:
    """Base64 and hex, each also under rot13."""
    edits: list[Edit] = []
    for run in _BASE64.finditer(text.text):
        edits += _base64_edits(run)
    text = text.edited(edits)
    for pattern in _HEX:
        text = text.edited(
            [(run.start(), run.end(), made) for run in pattern.finditer(text.text) if (made := _either(run[0], _hex))]
        )
    return text


def _base64_edits(run: re.Match[str]) -> list[Edit]:
    if made := _either(run[0], _base64):
        return [(run.start(), run.end(), made)]
    # Part of a path, or the last line of a wrapped block was a word of the text: then its pieces, each alone.
    pieces = [piece for piece in _PIECE.finditer(run[0]) if len(piece[0]) < len(run[0])]
    return [
        (run.start() + piece.start(), run.start() + piece.end(), made)
        for piece in pieces
        if (made := _either(piece[0], _base64))
    ]


def _either(run: str, decode: Callable[[str], str | None]) -> str | None:
    return decode(run) or decode(rot13(run)) if _MIXED.search(run) else None


def _base64(run: str) -> str | None:
    body = "".join(run.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return _text(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except binascii.Error:
        return None


def _hex(run: str) -> str | None:
    try:
        return _text(bytes.fromhex(re.sub(r"[^0-9a-zA-Z]|0x", "", run)))
    except ValueError:
        return None


def _text(data: bytes) -> str | None:
    """The bytes as text if they look like some: UTF-8, printable, mostly letters, digits and blanks."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if len(text) < 3 or (len(text) < 12 and not text.isascii()):
        return None
    if not all(char.isprintable() or char.isspace() for char in text) or not any(char.isalnum() for char in text):
        return None
    plain = sum(char.isalnum() or char == " " for char in text)
    return text if plain >= 0.6 * len(text) else None
