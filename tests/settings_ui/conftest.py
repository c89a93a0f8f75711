"""Pages in these tests are made without `collectstatic`."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def static_files_as_they_are(settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
