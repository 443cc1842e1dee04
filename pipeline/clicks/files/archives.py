"""What a file is packed in: gzip, bzip2, xz or zip, in one another too; what else it may be is named."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import psutil

from pipeline.core.errors import UserError

PARQUET = b"PAR1"
MOST_VARIABLE = "CLICK_ROAD_MOST_MB"
_TIMES = 3  # the memory that reading takes, of the unpacked bytes
_DEEPEST = 4  # packings inside one another
_BLOCK = 1 << 24
_MAGIC = 16  # bytes that tell a packing
_GZIP, _ZIP, _XZ = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"\xfd7zXZ\x00"
_BZIP2 = tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90"))
_METHODS = {9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES encryption"}
_OTHERS = {
    b"\x28\xb5\x2f\xfd": "Zstandard: unpack it with zstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"Rar!": "a RAR archive: unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"ARROW1": "an Arrow (Feather) file: write it as Parquet",
    b"FEA1": "a Feather file: write it as Parquet",
    b"ORC": "an ORC file: write it as Parquet",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"\x89HDF": "an HDF5 file: write the clicks as CSV or Parquet",
    b"SQLite format 3": "an SQLite database: write the clicks as CSV or Parquet",
}
_BESIDES = ("readme", "license", "licence", "thumbs.db", "desktop.ini")


def unpack(path: Path, most: int | None = None) -> bytes:
    """Read a file's bytes, unpacked; raise UserError where it is damaged, locked, too large, or holds no one file.

    `most` bounds the unpacked bytes; by default the variable CLICK_ROAD_MOST_MB does, or else the free memory.
    """
    most = most_bytes() if most is None else most
    with _sentences(path):
        if path.stat().st_size > most:
            raise too_large(path, "holds", most)
        raw = path.read_bytes()
        for _ in range(_DEEPEST):
            inner = _opened(path, io.BytesIO(raw), raw[:_MAGIC], most)
            if inner is None:
                break
            raw = _bounded(path, inner, most)
    for magic, what in _OTHERS.items():
        if raw.startswith(magic):
            raise UserError(f"{path} is {what}.")
    if raw[257:262] == b"ustar":
        raise UserError(f"{path} is a tar archive: unpack it and name one of its files.")
    return raw


def beginning(path: Path, size: int) -> bytes:
    """Read the first `size` of the bytes that `unpack` gives, and no more of the file than they take."""
    with _sentences(path), contextlib.ExitStack() as held:
        file: IO[bytes] = held.enter_context(path.open("rb"))
        for _ in range(_DEEPEST):
            magic = file.read(_MAGIC)
            file.seek(0)
            inner = _opened(path, file, magic, None)
            if inner is None:
                break
            file = held.enter_context(inner)
        return file.read(size)


@contextlib.contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Turn what reading a packed file raises into a sentence."""
    try:
        yield
    except (
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        struct.error,
        ValueError,
        NotImplementedError,
    ) as e:
        raise UserError(f"{path} is damaged or cut short ({e}): fetch it again.") from e
    except OSError as error:  # of the file, or of what is packed in it
        if error.errno is None:
            raise UserError(f"{path} is damaged or cut short ({error}): fetch it again.") from error
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error


def most_bytes() -> int:
    """Give how many unpacked bytes are read at most; raise UserError where the variable is no number."""
    said = os.environ.get(MOST_VARIABLE, "")
    if not said:
        return int(psutil.virtual_memory().available) // _TIMES
    if not said.isdecimal() or not int(said):
        raise UserError(f"{MOST_VARIABLE} is '{said}': set it to a whole number of megabytes.")
    return int(said) * 1_000_000


def _opened(path: Path, packed: IO[bytes], magic: bytes, most: int | None) -> IO[bytes] | None:
    """Open what is packed in `packed`, whose first bytes are `magic`; None where nothing is."""
    if magic.startswith(_ZIP):
        return _member(path, packed, most)
    packings: list[tuple[Any, Any]] = [(_GZIP, gzip.open), (_BZIP2, bz2.open), (_XZ, lzma.open)]
    return next((opened(packed) for begins, opened in packings if magic.startswith(begins)), None)


def _bounded(path: Path, opened: IO[bytes], most: int) -> bytes:
    """Read to the end; raise UserError before more than `most` bytes are there."""
    with opened, io.BytesIO() as whole:
        while block := opened.read(_BLOCK):
            if whole.tell() + len(block) > most:
                raise too_large(path, "unpacks to", most)
            whole.write(block)
        return whole.getvalue()


def too_large(path: Path, verb: str, most: int) -> UserError:
    """Say that a file has more unpacked bytes than are read here; `verb` is how it has them."""
    return UserError(
        f"{path} {verb} more than {most / 1e6:,.0f} MB, the most that is read here with the memory that is free: "
        f"bring a part of it, free memory, or set {MOST_VARIABLE}."
    )


def _member(path: Path, packed: IO[bytes], most: int | None) -> IO[bytes]:
    """Open the one file of a zip archive; what systems and authors put beside it does not count."""
    archive = zipfile.ZipFile(packed)
    files = [info for info in archive.infolist() if not info.is_dir()]
    if any(info.filename == "[Content_Types].xml" for info in files):
        raise UserError(f"{path} is an Excel workbook: save the sheet as CSV.")
    files = [info for info in files if not _hidden(info.filename)]
    files = [info for info in files if not _about(info.filename)] or files
    if len(files) != 1:
        names = f" ({', '.join(info.filename for info in files[:5])}{', …' if len(files) > 5 else ''})"
        raise UserError(
            f"{path} holds {len(files)} files{names if files else ''}: unpack it and name the one with the clicks."
        )
    info = files[0]
    if info.flag_bits & 1:
        raise UserError(f"{path}: {info.filename} is encrypted: unpack it with its password, and name the file.")
    if most is not None and info.file_size > most:
        raise too_large(path, "unpacks to", most)
    try:
        return archive.open(info)
    except NotImplementedError as error:
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise UserError(
            f"{path}: {info.filename} is packed with {method}, which is not read here: unpack it and name the "
            "file, or zip it again with Deflate."
        ) from error


def _hidden(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return "__MACOSX" in path.parts or path.name.startswith(".")


def _about(name: str) -> bool:
    """Tell whether a file says something of the others; where there is no other, it may hold the clicks."""
    return PurePosixPath(name.replace("\\", "/")).name.lower().startswith(_BESIDES)
