"""The code that proves to the set-up page that whoever asks can read this server's console."""

import logging
import re
from base64 import b32encode

from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.utils.crypto import constant_time_compare, salted_hmac

logger = logging.getLogger(__name__)


def is_empty() -> bool:
    """Whether nobody can sign in yet, as on the first start of an installation."""
    return not User.objects.exists()


def setup_code() -> str:
    """Twelve letters and digits that follow from SECRET_KEY, so that every process knows them and none keeps them."""
    digest = salted_hmac("reflow.setup_code", "the first admin", algorithm="sha256").digest()
    text = b32encode(digest).decode()
    return f"{text[:4]}-{text[4:8]}-{text[8:12]}"


def is_right(given: str) -> bool:
    """Typed by hand: case, spaces and dashes do not count."""
    plain = re.sub(r"[\s-]", "", given).upper()
    return constant_time_compare(plain, setup_code().replace("-", ""))


def announcement() -> str:
    return (
        f"Nobody can sign in yet. The page /welcome/ makes the first admin; it asks for the set-up code {setup_code()}"
    )


def announce() -> None:
    """Says so in the server's log; leaves no connection behind that forked processes would share."""
    try:
        if is_empty():
            logger.warning(announcement())
    except DatabaseError:
        logger.warning("Postgres does not answer, or `manage.py migrate` has not been run yet.")
    finally:
        connection.close()
