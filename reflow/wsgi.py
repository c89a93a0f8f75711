"""The door gunicorn comes in by."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "reflow.settings")
application = get_wsgi_application()

from settings_ui.setup_code import announce  # noqa: E402  # needs Django to be set up

announce()
