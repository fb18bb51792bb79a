"""Attachments: any bytes under any name are kept, told by what they are, and never trusted."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hutch.errors import AttachmentTooLargeError, DocumentError
from hutch.logbook import NewFile, shown_name
from hutch.logbook.attachments import receive

LIMIT = 1_000_000


def picture(kind="PNG", size=(640, 480), mode="RGB"):
    out = io.BytesIO()
    Image.new(mode, size, 0).save(out, kind)
    return out.getvalue()


def png_of_size(width, height):
    """A PNG that says it is huge, and has hardly any bytes."""

    def chunk(name, data):  # fmt: skip
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def received(store, content, name="x"):
    found = receive(store, [NewFile(content, name)], LIMIT)
    return found.blobs[0], found.attachments[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("GIF", "image/gif"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
    ],
)
def test_an_image_is_told_by_its_bytes_and_has_a_thumbnail(store, kind, expected):
    blob, attachment = received(store, picture(kind), "notes.txt")

    assert (attachment.type, attachment.has_thumbnail, attachment.name) == (expected, True, "notes.txt")
    with Image.open(io.BytesIO(blob.thumbnail)) as small:
        assert (small.format, small.size) == ("PNG", (320, 240))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "text/plain"),
        (b"<html><script>alert(1)</script>", "text/plain"),
        (b"%PDF-1.7 \0\xff", "application/pdf"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "application/x-hdf5"),
        (b"\x7fELF" + bytes(100), "application/octet-stream"),
        ("größe".encode(), "text/plain"),
        (b"\xff\xfe\xfd", "application/octet-stream"),
        (b"", "text/plain"),
        (b"\x89PNG\r\n\x1a\n damaged", "application/octet-stream"),
    ],
)
def test_what_is_no_image_is_none_whatever_it_is_called(store, content, expected):
    blob, attachment = received(store, content, "picture.png")

    assert (attachment.type, attachment.is_image, blob.thumbnail) == (expected, False, None)


def test_an_image_that_would_fill_the_memory_is_kept_without_a_thumbnail(store):
    bomb = png_of_size(100_000, 100_000)
    blob, attachment = received(store, bomb)

    assert (blob.body, blob.thumbnail, attachment.has_thumbnail) == (bomb, None, False)
    truncated = picture(size=(4000, 3000))[:-200]
    blob, attachment = received(store, truncated)
    assert (attachment.size, blob.thumbnail) == (len(truncated), None)


class Stream:
    """A file that cannot go back, and notes how much is read at once."""

    def __init__(self, size):
        self.left, self.largest = size, 0

    def read(self, size=-1):
        assert size > 0
        self.largest = max(self.largest, size)
        part = b"x" * min(size, self.left)
        self.left -= len(part)
        return part


def test_a_stream_is_taken_in_parts_and_put_under_a_name_made_of_its_bytes(store):
    stream = Stream(900_000)
    blob, attachment = received(store, stream, "../../etc/passwd")

    assert stream.largest <= 2**18
    assert blob.file == f"attachments/{blob.digest[:2]}/{blob.digest}"
    assert (store.files / blob.file).read_bytes() == b"x" * 900_000
    assert blob.body is None
    again, _ = received(store, Stream(900_000))
    assert again.file == blob.file
    assert len([path for path in store.files.rglob("*") if path.is_file()]) == 1
    endless = Stream(10**12)
    with pytest.raises(AttachmentTooLargeError) as raised:
        received(store, endless, "endless")
    assert raised.value.limit_bytes == LIMIT
    assert 10**12 - endless.left <= LIMIT + 2**18
    assert len([path for path in store.files.rglob("*") if path.is_file()]) == 1


def test_what_cannot_be_read_is_told(store, tmp_path):
    for wrong in (tmp_path / "none", tmp_path, "a\0b"):
        with pytest.raises(DocumentError, match="cannot be attached"):
            receive(store, [wrong], LIMIT)
    with pytest.raises(DocumentError, match="Give a path"):
        receive(store, [3], LIMIT)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plot.png", "plot.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\plot.png", "plot.png"),
        ("a\0b\x1b[31m.txt", "ab[31m.txt"),
        ("gnp.\u202eexe.txt", "gnp.exe.txt"),
        ("..", "file"),
        ("", "file"),
        (".bashrc", "bashrc"),
        ("größe ✓.txt", "größe ✓.txt"),
        ("x" * 300 + ".dat", "x" * 251 + ".dat"),
    ],
)
def test_a_name_is_shown_without_what_could_mislead(name, expected):
    assert shown_name(name) == expected


@given(st.text(max_size=400))
def test_a_shown_name_is_always_one_of_a_file(name):
    found = shown_name(name)

    assert 0 < len(found.encode()) <= 255
    assert not set(found) & set("/\\\0\n\r\t\u202e")
    assert found not in (".", "..")
    assert shown_name(found) == found
