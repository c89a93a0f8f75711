"""Starts, records and stops the processes of a run; what a killed run leaves behind, the next one ends."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Command = Sequence[str | Path]

TAIL_LINES = 15
STOP_SECONDS = 15


class ProcessFailed(Exception):
    """Says in plain words which process cannot run, why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run; `user` is a numeric id to become (root only), `gentle` the signal that asks it to end."""

    name: str
    command: Command
    env: Mapping[str, str] | None = None
    directory: Path | None = None
    user: int | None = None
    gentle: signal.Signals = signal.SIGTERM


@dataclass(frozen=True)
class Child:
    program: Program
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (it wrote nothing)"


def began(pid: int) -> str | None:
    """When a process started, as its kernel counts it: with the pid its identity. None when it is gone."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    command = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return shown.stdout.strip() or None


def wait_until(done: Callable[[], bool], seconds: int) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Processes:
    """Our children. Each leads a session of its own: a Ctrl-C reaches only us, and we stop them in order."""

    def __init__(self, directory: Path, tick: Callable[[], None] = lambda: None) -> None:
        """`tick` is called again and again while we wait; what it raises ends the waiting."""
        self.tick = tick
        self.children: dict[str, Child] = {}
        self.hurry = False
        self._logs = directory / "logs"
        self._record = directory / "processes.json"
        self._logs.mkdir(parents=True, exist_ok=True)

    def start(self, program: Program) -> Child:
        log = self._logs / f"{program.name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                [os.fspath(part) for part in program.command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=program.env,
                cwd=program.directory,
                start_new_session=True,
                user=program.user,
                group=program.user,
                extra_groups=None if program.user is None else [],
            )
        child = self.children[program.name] = Child(program, process, log)
        self._write_record()
        return child

    def run(self, program: Program) -> str:
        """Runs a program to its end and gives what it wrote; anything but success is raised with its last lines."""
        child = self.start(program)
        while child.process.poll() is None:
            time.sleep(0.02)
            self.tick()
        self.tick()
        del self.children[program.name]
        self._write_record()
        if child.process.returncode:
            raise ProcessFailed(f"{program.name} failed. Its last lines:\n{child.tail()}")
        return child.log.read_text()

    def wait(self, child: Child, answers: Callable[[], bool], seconds: int = 60) -> None:
        """Waits until a child answers, watching all of them: the first that ends meanwhile is raised."""

        def ready() -> bool:
            self.tick()
            self.raise_dead()
            return answers()

        if not wait_until(ready, seconds):
            raise ProcessFailed(f"{child.program.name} does not answer. Its last lines:\n{child.tail()}")

    def raise_dead(self) -> None:
        for child in self.dead():
            raise ProcessFailed(f"{child.program.name} stopped. Its last lines:\n{child.tail()}")

    def dead(self) -> list[Child]:
        return [child for child in self.children.values() if child.process.poll() is not None]

    def stop(self, *names: str) -> None:
        """Asks these to end, all at once, and ends by force what has not after a while."""
        children = [self.children[name] for name in names if name in self.children]
        for child in children:
            if child.process.poll() is None:
                child.process.send_signal(child.program.gentle)
        wait_until(lambda: self.hurry or all(c.process.poll() is not None for c in children), STOP_SECONDS)
        for child in children:
            if child.process.poll() is None:
                _kill_group(child.process.pid)
                child.process.wait()
            del self.children[child.program.name]
        self._write_record()

    def stop_all(self) -> None:
        """In the opposite order of their start, as a later one may need an earlier one to finish its work."""
        for name in reversed(list(self.children)):
            self.stop(name)

    def stop_leftovers(self) -> list[str]:
        """Ends what a killed run left behind: only recorded pids that still began when the record says."""
        try:
            rows = json.loads(self._record.read_text())
        except (FileNotFoundError, ValueError):
            return []
        ours = [row for row in rows if row["began"] and began(row["pid"]) == row["began"]]
        for row in reversed(ours):
            _end(row["pid"], row["began"], row["gentle"])
        self._record.unlink()
        return [row["name"] for row in ours]

    def _write_record(self) -> None:
        rows = [
            {"name": name, "pid": c.process.pid, "began": began(c.process.pid), "gentle": c.program.gentle}
            for name, c in self.children.items()
        ]
        fresh = self._record.with_suffix(".new")
        with contextlib.suppress(OSError):  # on a full disk everything must still be stopped
            fresh.write_text(json.dumps(rows))
            fresh.replace(self._record)


def _end(pid: int, start: str, gentle: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, gentle)
    if not wait_until(lambda: began(pid) != start, STOP_SECONDS):
        _kill_group(pid)
        wait_until(lambda: began(pid) != start, STOP_SECONDS)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
