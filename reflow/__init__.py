"""Wiring only: settings, addresses, who may, the queue, the launcher."""

from reflow.celery import app as celery_app

__all__ = ["celery_app"]
