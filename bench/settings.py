"""Reflow's settings with Django's admin beside it, which the list is compared with."""

from bench.machine import HOME
from reflow.settings import *  # noqa: F403
from reflow.settings import INSTALLED_APPS, TEMPLATES

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin"]
TEMPLATES = [{**TEMPLATES[0], "APP_DIRS": True}]  # type: ignore[dict-item]  # a flag among lists
STATIC_ROOT = HOME / "static"
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]
