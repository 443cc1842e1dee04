"""What a file is packed in: gzip, bzip2, xz or zip, in one another too; what else it may be is named."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from pipeline.errors import UserError

PARQUET = b"PAR1"
_DEEPEST = 4  # packings inside one another
_GZIP, _ZIP, _BZIP2, _XZ = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06"), b"BZh", b"\xfd7zXZ\x00"
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


def unpack(path: Path) -> bytes:
    """Read a file's bytes, unpacked; raise UserError where it is damaged, locked, or holds no one file."""
    try:
        raw = path.read_bytes()
        for _ in range(_DEEPEST):
            inner = _inner(path, raw)
            if inner is None:
                break
            raw = inner
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged or cut short ({error}): fetch it again.") from error
    except OSError as error:
        why = error.strerror or error
        way = "check its permissions" if error.errno else "fetch it again"
        raise UserError(f"{path} cannot be read ({why}): {way}.") from error
    for magic, what in _OTHERS.items():
        if raw.startswith(magic):
            raise UserError(f"{path} is {what}.")
    if raw[257:262] == b"ustar":
        raise UserError(f"{path} is a tar archive: unpack it and name one of its files.")
    return raw


def _inner(path: Path, raw: bytes) -> bytes | None:
    """Give what is packed in `raw`, or None where nothing is."""
    if raw.startswith(_GZIP):
        return gzip.decompress(raw)
    if raw.startswith(_BZIP2):
        return bz2.decompress(raw)
    if raw.startswith(_XZ):
        return lzma.decompress(raw)
    return _member(path, raw) if raw.startswith(_ZIP) else None


def _member(path: Path, raw: bytes) -> bytes:
    """Read the one file of a zip archive; what systems and authors put beside it does not count."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        if any(info.filename == "[Content_Types].xml" for info in files):
            raise UserError(f"{path} is an Excel workbook: save the sheet as CSV.")
        files = [info for info in files if not _beside(info.filename)]
        if len(files) != 1:
            names = f" ({', '.join(info.filename for info in files[:5])}{', …' if len(files) > 5 else ''})"
            raise UserError(
                f"{path} holds {len(files)} files{names if files else ''}: unpack it and name the one with the clicks."
            )
        info = files[0]
        if info.flag_bits & 1:
            raise UserError(f"{path}: {info.filename} is encrypted: unpack it with its password, and name the file.")
        try:
            return archive.read(info)
        except NotImplementedError as error:
            method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
            raise UserError(
                f"{path}: {info.filename} is packed with {method}, which is not read here: unpack it and name the "
                "file, or zip it again with Deflate."
            ) from error


def _beside(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    return "__MACOSX" in path.parts or path.name.startswith(".") or path.name.lower().startswith(_BESIDES)
