#!/usr/bin/env python3
"""The one door to Reflow's commands; `up` needs nothing running, all others need the settings."""

import os
import sys


def main() -> None:
    if sys.argv[1:2] == ["up"]:
        from reflow.launcher import main as up

        raise SystemExit(up(sys.argv[2:]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
