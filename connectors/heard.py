"""What a platform answered to a call that writes, fit to be kept and shown: without secrets, and bounded."""

import json
import re
from dataclasses import dataclass
from typing import Any

KEPT = 20_000  # characters of an answer: far more than an invoice needs
READ = 2_000_000
HIDDEN = "[hidden]"
# By the name that it goes under, by the word before it, and by its shape (a JSON Web Token).
NAMED = re.compile(
    r'("[^"]{0,60}?(?:token|secret|password|authorization|cookie|api[-_]?key|credential)[^"]{0,60}"\s*:\s*)'
    r'"(?:[^"\\]|\\.)*"?',
    re.IGNORECASE,
)
SPOKEN = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
SIGNED = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
CUT = f"\n[cut here: Reflow keeps {KEPT:,} characters of an answer]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer: its status, and its text with nothing secret in it."""

    status: int
    text: str

    def part(self, position: int, of: int) -> str:
        """What it says of one of several things asked for in one call, where it says it of each; bounded."""
        whole = _read(self.text)
        told = whole.get("ia::result", whole) if isinstance(whole, dict) else whole
        if of > 1 and isinstance(told, list) and len(told) == of:
            return bounded(_written(told[position]))
        return bounded(self.text)


def hear(status: int, content: bytes, token: str) -> Said:
    """An answer to a call that was made with this access token."""
    text = content[:READ].decode("utf-8", "replace").replace("\x00", "")
    return Said(status=status, text=without_secrets(text, token))


def without_secrets(text: str, token: str = "") -> str:  # the token of the call may stand anywhere in it
    text = text.replace(token, HIDDEN) if token else text
    text = NAMED.sub(rf'\1"{HIDDEN}"', text)
    return SIGNED.sub(HIDDEN, SPOKEN.sub(rf"\1 {HIDDEN}", text))


def bounded(text: str) -> str:
    return text if len(text) <= KEPT else text[: KEPT - len(CUT)] + CUT


def pretty(text: str) -> str:
    """As people read it, figure for figure as it was; what is no JSON stays as it is."""
    read = _read(text)
    return text if read is None else _written(read, indent=2)


def _read(text: str) -> Any:
    """None where it is no JSON. A decimal keeps its digits: 170.00 is not to become 170.0."""
    try:
        return json.loads(text, parse_float=lambda digits: f"\x00{digits}\x00")
    except (ValueError, RecursionError):
        return None


def _written(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return re.sub(r'"\\u0000([^"\\]*)\\u0000"', r"\1", text).encode("utf-8", "replace").decode()
