"""Tokens in the form of a JSON Web Token: readable claims, signed with HS256."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any


def signed(claims: Mapping[str, Any], key: str) -> str:
    head = _part(_compact({"alg": "HS256", "typ": "JWT"}))
    unsigned = f"{head}.{_part(_compact(claims))}"
    signature = hmac.digest(key.encode(), unsigned.encode(), "sha256")
    return f"{unsigned}.{_part(signature)}"


def _compact(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
