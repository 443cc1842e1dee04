"""The data sets that have a name: made here, or a file in the folder of data sets, which no workspace holds."""

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipeline.clicks.download import Wanted, download, whole
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent

DATA_VARIABLE = "CLICK_ROAD_DATA"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """A data set that has a name."""

    name: str
    title: str
    about: str
    licence: str
    source: str = ""
    """Who made it and where it is published; empty for what is made here."""
    files: tuple[str, ...] = ()
    """What its file may be called in the folder of data sets, the click file itself first."""
    url: str = ""
    """Where its file is downloaded from, without an account."""
    sha256: str = ""
    """Of the click file inside the archive, so that the same clicks packed anew are the same."""
    kaggle: str = ""
    """The handle by which kagglehub downloads it, and after a space the file in it."""

    @property
    def file(self) -> Path | None:
        """Give its file where one is in the folder of data sets, however it came there."""
        return next((path for name in self.files if (path := folder() / name).is_file()), None)

    @property
    def page(self) -> str:
        """Give the address of its page."""
        return self.source.rpartition(" ")[2]

    @property
    def state(self) -> str:
        """Say whether its clicks can be read."""
        if not self.files:
            return "made here"
        return "fetched" if self.file else "not fetched"


SHOP = DataSet(
    "shop",
    "Made-up shop",
    "40,000 visits to a shop of some 10,000 clothes with names, colours, prices, seasons; shop:3000 is a smaller one.",
    "made here",
)
SYNTHETIC = DataSet(
    "synthetic:20000",
    "Made-up clicks",
    "As many sessions as you ask for, with YOOCHOOSE's shape: short sessions, a long tail, latent groups.",
    "made here",
)
ESHOP = DataSet(
    "eshop",
    "E-shop clothing 2008",
    "165,474 real clicks in 24,026 sessions on 217 items of a clothing shop, with colour and price.",
    "CC BY 4.0",
    "Łapczyński M., Białowąs S. (2013), Clickstream data for online shopping, UCI Machine Learning Repository, "
    "data set 553, https://doi.org/10.24432/C5QK7X",
    ("e-shop clothing 2008.csv", "eshop-clothing-2008.zip", "clickstream+data+for+online+shopping.zip"),
    "https://archive.ics.uci.edu/static/public/553/clickstream+data+for+online+shopping.zip",
    "fcc167bbd0badd4c9685bd8543097e318f8228e48075335db7cd781cee88115d",
)
YOOCHOOSE = DataSet(
    "yoochoose",
    "YOOCHOOSE",
    "33 million real clicks in 9.2 million sessions on 52,739 items of a European shop, 2014; not for commercial use.",
    "CC BY-NC-ND 4.0",
    "YOOCHOOSE GmbH, RecSys Challenge 2015, https://www.kaggle.com/datasets/chadgostopp/recsys-challenge-2015",
    ("yoochoose-clicks.dat", "yoochoose-clicks.dat.gz", "yoochoose-clicks.zip"),
    kaggle="chadgostopp/recsys-challenge-2015 yoochoose-clicks.dat",
)
KNOWN = (SHOP, ESHOP, YOOCHOOSE, SYNTHETIC)
_OWN = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SUFFIXES = (".csv", ".tsv", ".dat", ".txt", ".parquet", ".gz", ".zip")


def folder() -> Path:
    """Give the folder of data sets: CLICK_ROAD_DATA, or one in the user's cache; it may not exist."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(DATA_VARIABLE) or cache / "click-road" / "data").expanduser()


def known() -> list[DataSet]:
    """List the data sets that have a name, those that were imported last."""
    return [*KNOWN, *(_own(path) for path in sorted(folder().glob("own-*")) if path.suffix in _SUFFIXES)]


def _own(path: Path) -> DataSet:
    name = path.name.removeprefix("own-").partition(".")[0]
    return DataSet(
        name, name, f"A file of your own, {path.stat().st_size:,} bytes.", "its own", str(path), (path.name,)
    )


def find(name: str) -> DataSet | None:
    """Find a data set that is kept as a file, by its name."""
    return next((d for d in known() if d.name == name and d.files), None)


def needed(data: DataSet) -> Path:
    """Give a data set's file; raise UserError, with what works instead, where it is not there."""
    if (path := data.file) is None:
        raise UserError(f"The data set {data.name} is not fetched: `data fetch {data.name}` gets it, {_instead(data)}")
    return path


def _instead(data: DataSet) -> str:
    return f"a file {data.files[0]} put into {folder()} counts as fetched, and `--clicks shop` needs no network."


def fetch(name: str, progress: Progress = silent) -> tuple[DataSet, Path]:
    """Bring a data set into the folder, whole and checked, unless it is there; give it and its file."""
    data = find(name)
    if data is not None and (path := data.file) is not None:
        return data, path
    if data is None:
        names = [d.name for d in KNOWN if d.files]
        raise UserError(f"There is nothing to fetch for '{name}': choose {' or '.join(names)}.")
    if data.url:
        target = _made_folder() / data.url.rpartition("/")[2]
        download(Wanted(data.url, target, lambda path: click_sum(path, data), data.sha256), _instead(data), progress)
        if zipfile.is_zipfile(target) and len(zipfile.ZipFile(target).namelist()) > 1:
            with whole(folder() / data.files[0]) as beside, _click_file(target, data) as file, beside.open("wb") as to:
                shutil.copyfileobj(file, to)
    else:
        _from_kaggle(data, _made_folder() / data.files[0], progress)
    return data, needed(data)


def click_sum(path: Path, data: DataSet) -> str:
    """Give the SHA-256 of the click file that a downloaded file is, or holds."""
    found = hashlib.sha256()
    with _click_file(path, data) as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _click_file(path: Path, data: DataSet) -> IO[bytes]:
    if not zipfile.is_zipfile(path):
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    member = next((n for n in archive.namelist() if Path(n).name in data.files), None)
    return path.open("rb") if member is None else archive.open(member)


def _from_kaggle(data: DataSet, target: Path, progress: Progress) -> None:
    """Download by kagglehub, which asks for the person's own account where the data set wants one."""
    try:
        import kagglehub
    except ImportError as error:
        raise UserError(
            f"{data.name} is downloaded by kagglehub, which is not installed: add it with `uv pip install kagglehub`, "
            f"or get {data.files[0]} from {data.page} yourself; {_instead(data)}"
        ) from error
    handle, _, member = data.kaggle.partition(" ")
    progress(0, 1, f"downloading {member} by kagglehub")
    try:
        found = Path(kagglehub.dataset_download(handle, path=member))
    except Exception as error:  # kagglehub's and its transport's errors have no base in common
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        reason = "no connection" if "Max retries exceeded" in first else first[:150]
        raise UserError(
            f"{data.name} could not be downloaded from Kaggle ({reason}): see that this machine reaches it and that "
            f"your account may download it; {_instead(data)}"
        ) from error
    _copy(found, target, os.link)  # no second copy of gigabytes, where that can be


def bring(name: str, path: Path, progress: Progress = silent) -> tuple[DataSet, Path]:
    """Copy a file of clicks into the folder as data set `name`: one that is known, checked, or one of your own."""
    if not path.is_file():
        raise UserError(f"There is no file {path}: name a file of clicks.")
    progress(0, 1, f"copying {path.name}")
    if name in [d.name for d in KNOWN if d.files]:
        data = next(d for d in KNOWN if d.name == name)
        if data.sha256 and (found := click_sum(path, data)) != data.sha256:
            raise UserError(
                f"{path} is not {name}'s file: its clicks have the SHA-256 {found}, not {data.sha256}; "
                f"get it from {data.page}, or import it under another name."
            )
        kind = next((f for f in data.files if f.endswith(path.suffix)), data.files[0])
        return data, _copy(path, _made_folder() / kind, shutil.copyfile)
    suffixes = "".join(s for s in path.suffixes[-2:] if s in _SUFFIXES)
    if not _OWN.fullmatch(name) or name in [d.name for d in KNOWN]:
        raise UserError(f"'{name}' is no name for a data set: use a-z, 0-9, - and _, and none that is taken.")
    if not suffixes:
        raise UserError(f"{path} does not end as a file of clicks does: choose {', '.join(_SUFFIXES)}.")
    for before in folder().glob(f"own-{name}.*"):
        if before.suffix in _SUFFIXES and before.name != f"own-{name}{suffixes}":
            raise UserError(f"There is a data set '{name}' already, {before}: remove it or take another name.")
    copied = _copy(path, _made_folder() / f"own-{name}{suffixes}", shutil.copyfile)
    return _own(copied), copied


def _copy(path: Path, target: Path, by: Callable[[Path, Path], object]) -> Path:
    """Copy a file to its place; a link is for files that nobody changes in place, as a person may do with theirs."""
    with whole(target) as beside:
        try:
            by(path.resolve(), beside)
        except OSError:
            shutil.copyfile(path, beside)
    return target


def _made_folder() -> Path:
    made = folder()
    try:
        made.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder of data sets {made} cannot be made ({error.strerror}): set {DATA_VARIABLE} to another."
        ) from error
    return made
