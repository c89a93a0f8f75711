"""`python -m bench`: builds what is not there, measures part by part, prints the table, and ends with 1 for a miss."""

import os
import signal
import subprocess
import sys

from bench import machine
from bench.rounds import LARGE, MIDDLING

PARTS = ("pages", "admin", "browser", "numbers", "flush", "imports", "peers", "sends")
LONG = ("peers", "sends")  # not in a quick run


def main() -> int:
    """Each part is a process of its own; that of ONLY is this one."""
    only = os.environ.get("ONLY", "")
    if not only:
        left_out = LONG if os.environ.get("QUICK") else ()
        parts = ({**os.environ, "ONLY": part} for part in PARTS if part not in left_out)
        return max(
            [subprocess.run([sys.executable, "-m", "bench"], env=part, check=False).returncode for part in parts]
        )
    if only not in PARTS:
        sys.stdout.write(f"There is no part {only}. ONLY can be one of {', '.join(PARTS)}.\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine.set_environment()
    with machine.servers(slow_flush=only == "flush"):
        return int(_missed(only, quick=bool(os.environ.get("QUICK"))))


def _missed(part: str, *, quick: bool) -> bool:
    """Whether a goal was."""
    import django
    from django.core.management import call_command
    from django.utils import timezone

    django.setup()
    call_command("collectstatic", interactive=False, verbosity=0)
    from bench import admin, books, browser, imports, numbers, pages, peers, report, sends

    timezone.now = lambda: books.NOW
    measured = {
        "pages": lambda: pages.run(MIDDLING if quick else LARGE),
        "admin": lambda: admin.run(MIDDLING),
        "browser": lambda: browser.run(MIDDLING),
        "numbers": lambda: numbers.run(MIDDLING),
        "flush": lambda: numbers.run_slowly(MIDDLING),
        "imports": lambda: imports.run(MIDDLING),
        "peers": lambda: peers.run(MIDDLING),
        "sends": sends.run,
    }
    figures = []
    for figure in measured[part]():
        books.say(f"{figure.goal:>4} {figure.value:>9}  {figure.what}  {figure.plain}")
        figures.append(figure)
    books.say("\n".join(report.lines(figures)))
    if not quick:
        report.keep(part, figures)
        if part == "pages":
            report.plot(figures)
    return any(not figure.is_met for figure in figures)


if __name__ == "__main__":
    sys.exit(main())
