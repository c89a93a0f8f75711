"""The Celery application: it carries hints, never the record; what is due is always read from Postgres."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")

app = Celery("reflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["invoices"])
