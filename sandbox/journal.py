"""The list of calls that reached the sandbox, in order, without any token or secret."""

from threading import Lock

from flask import Request

Entry = dict[str, str | int | None]


def idempotency_id(request: Request) -> str | None:
    """The key inside the body's one namespace, such as {"contact": {"idempotency_id": ...}}."""
    body = request.get_json(silent=True)
    inner = next(iter(body.values()), None) if isinstance(body, dict) else None
    key = inner.get("idempotency_id") if isinstance(inner, dict) else None
    return key if isinstance(key, str) else None


class Journal:
    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = Lock()

    def arrived(self, request: Request, *, at: str, request_id: str) -> Entry:
        """The new entry; its status is None until an answer is on its way, and for ever when there is none.

        `metered` is how many transactions a platform that counts them counts for this call.
        """
        entry: Entry = {
            "at": at,
            "method": request.method,
            "path": request.path,
            "query": request.query_string.decode("latin-1"),
            "status": None,
            "business": request.headers.get("X-Business"),
            "idempotency_id": idempotency_id(request),
            "entity": request.headers.get("X-IA-API-Param-Entity"),
            "idempotency_key": request.headers.get("Idempotency-Key"),
            "metered": None,
            "request_id": request_id,
            "fault": None,
        }
        with self._lock:
            self._entries.append({"n": len(self._entries) + 1, **entry})
            return self._entries[-1]

    def entries(self) -> list[Entry]:
        with self._lock:
            return [dict(entry) for entry in self._entries]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
