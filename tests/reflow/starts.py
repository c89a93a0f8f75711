"""Starts Reflow once for each environment asked for, each in a fresh fork that has read no settings yet."""

import io
import json
import os
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import django.core.management  # noqa: F401
import environ  # noqa: F401
from celery import Celery
from cryptography.fernet import Fernet  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


def ask(*starts: tuple[str, dict[str, str]]) -> list[dict[str, Any]]:
    """For each command and its environment what was said, and the code it ended with."""
    command = [sys.executable, "-m", "tests.reflow.starts"]
    ran = subprocess.run(
        command, cwd=ROOT, input=json.dumps(starts), capture_output=True, text=True, timeout=60, check=True
    )
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def run(command: str) -> int:
    """`check` runs `manage.py check`; the others only read the settings, where a wrong one stops; `mail` tells some."""
    try:
        if command == "check":
            import manage

            sys.argv = ["manage.py", "check"]
            manage.main()
        else:
            import reflow.settings as read

            if command == "mail":
                server = (read.EMAIL_HOST, read.EMAIL_PORT, read.EMAIL_USE_TLS, read.EMAIL_HOST_PASSWORD)
                backend = read.EMAIL_BACKEND.rsplit(".", 2)[1]
                sys.stdout.write(" ".join(map(str, (read.MAIL_IS_SET_UP, backend, *server, read.DEFAULT_FROM_EMAIL))))
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code)  # as Python does, and then ends with 1
        return end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # that nobody sees one is what is tested
        traceback.print_exc()
        return 1
    return 0


def start(command: str, environment: dict[str, str]) -> dict[str, object]:
    """What it said, and the code it ended with."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.environ.clear()
        os.environ.update(environment)
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            code = run(command)
        os.write(writer, json.dumps({"code": code, "said": said.getvalue()}).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer: dict[str, object] = json.loads(pipe.read())
    os.wait()
    return answer


if __name__ == "__main__":
    Celery("read once, before the forks")
    print(json.dumps([start(*each) for each in json.load(sys.stdin)]))  # noqa: T201
