"""Makes .venv from the hash-pinned lock, needing only Python; with --browser it sees to a Chromium for the tests."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        f"Reflow needs Python 3.11 or newer, and this is {sys.version.split()[0]}. "
        "Name another one, as in: make PYTHON=python3.12 run"
    )

import argparse
import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements-dev.txt"
STAMP = VENV / "installed-lock"
ALMOST_NOTHING = 20_000_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT_CACHES = (".cache/ms-playwright", "Library/Caches/ms-playwright")
PLAYWRIGHT_BINARIES = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")


class Stop(Exception):
    """The one line that says why the set-up cannot go on."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", action="store_true", help="also find or install a Chromium for the browser tests")
    parser.add_argument("--font", action="store_true", help="also the typeface that pictures of pages are taken in")
    wanted = parser.parse_args()
    try:
        with LOCK.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            install()
            if wanted.browser:
                provide_chromium()
            if wanted.font:
                provide_font()
    except Stop as stop:
        return complain(str(stop))
    except OSError as error:
        return complain(explain(error))
    except KeyboardInterrupt:
        return 130
    return 0


def complain(why: str) -> int:
    print(f"Reflow could not be set up. {why}", file=sys.stderr)
    return 1


def explain(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: make some room (about 700 MB) and try again ({error.filename or ROOT})."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.filename or ROOT} cannot be written by this user: take ownership of the folder, or copy it."
    return f"{error}."


def install() -> None:
    """Brings .venv to what the lock says; does nothing when it was brought there already."""
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == digest:
        return
    print("Setting up .venv (once) ...", flush=True)
    make_venv()
    install_packages()
    STAMP.write_text(digest)


def make_venv() -> None:
    if succeeds([str(PYTHON), "-m", "pip", "--version"]):
        return
    if not succeeds([sys.executable, "-c", "import ensurepip"]):
        needed = f"python3.{sys.version_info.minor}-venv"
        raise Stop(f"Python's venv module is missing: install it (on Debian and Ubuntu: apt install {needed}).")
    run([sys.executable, "-m", "venv", "--clear", str(VENV)])


def install_packages() -> None:
    """With uv, as pinned by the lock itself, in seconds; where it cannot be had, with pip."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    uv_only = VENV / "uv.txt"
    uv_only.write_text("".join(lines_of("uv")))
    if uv_only.stat().st_size and succeeds([*pip, "--no-deps", "-r", str(uv_only)]):
        uv = [str(PYTHON), "-m", "uv", "pip", "install", "--quiet", "--python", str(PYTHON), "--require-hashes"]
        if succeeds([*uv, "-r", str(LOCK)]) or succeeds([*uv, "--no-cache", "-r", str(LOCK)]):
            return
    run([*pip, "-r", str(LOCK)])


def lines_of(package: str) -> Iterator[str]:
    """What the lock says of one package: its line and the hashes under it."""
    inside = False
    for line in LOCK.read_text().splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            inside = line.startswith(f"{package}==")
        if inside:
            yield line


def succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, cwd=ROOT).returncode == 0
    except FileNotFoundError:
        return False


def run(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise Stop(blame(done.stdout))


def blame(output: str) -> str:
    """The reason in what pip or venv wrote."""
    full = shutil.disk_usage(ROOT).free < ALMOST_NOTHING
    if full or "No space left on device" in output or "Disk quota exceeded" in output:
        return explain(OSError(errno.ENOSPC, "full"))
    if "Permission denied" in output or "Read-only file system" in output:
        return explain(OSError(errno.EACCES, "denied"))
    if "NewConnectionError" in output or "Could not fetch URL" in output or "Temporary failure in name" in output:
        return "The package index cannot be reached: check the network (or pip's proxy settings) and try again."
    return "The last lines were:\n" + "\n".join(f"    {line}" for line in output.splitlines()[-8:])


def find_chromium() -> str | None:
    """A Chromium that starts: the one in CHROMIUM, an installed one, or one of Playwright's own."""
    return next((path for path in candidates() if starts(path)), None)


def candidates() -> Iterator[str]:
    yield from filter(None, [os.environ.get("CHROMIUM"), *map(shutil.which, BROWSERS)])
    named = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    for cache in [Path(named)] if named else [Path.home() / cache for cache in PLAYWRIGHT_CACHES]:
        for pattern in PLAYWRIGHT_BINARIES:
            yield from map(str, sorted(cache.glob(pattern), reverse=True))


def starts(path: str) -> bool:
    try:
        return subprocess.run([path, "--version"], capture_output=True, check=False, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def apt_install(package: str) -> None:
    """Where that can be done at all: as root on Debian or Ubuntu."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        os.environ["DEBIAN_FRONTEND"] = "noninteractive"
        succeeds(["apt-get", "update"])
        succeeds(["apt-get", "install", "-y", "--no-install-recommends", package])


def provide_font() -> None:
    """Never fails: without it pictures are taken in whatever typeface is there."""
    if not succeeds(["sh", "-c", "fc-list | grep -qi inter"]):
        apt_install("fonts-inter")


def provide_chromium() -> None:
    """Never fails: without a browser the tests that need one are skipped, and say so."""
    if find_chromium():
        return
    print("Installing Chromium for the browser tests (once) ...", flush=True)
    apt_install("chromium")
    if not find_chromium():
        succeeds([str(PYTHON), "-m", "playwright", "install", "chromium"])
    if not find_chromium():
        print("*** NO CHROMIUM: none was found and none could be installed. THE BROWSER TESTS WILL NOT RUN. ***")
        print("*** Install Chromium, or name one: CHROMIUM=/path/to/chromium make test ***", flush=True)


if __name__ == "__main__":
    sys.exit(main())
