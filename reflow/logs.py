"""One readable line a log record, with the request, push and task it belongs to and every secret masked."""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from celery import current_task
from django.http import HttpRequest, HttpResponse

request_id: ContextVar[str] = ContextVar("request_id", default="")

# A bearer or Basic header, a named secret (form or JSON), a JWT, a Fernet token.
SECRETS = re.compile(
    r"(?P<name>\b(?:Bearer|Basic)\s+"
    r"|[\"']?\b(?:access_token|refresh_token|client_secret|code_verifier|code|password|id_token)\b[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'&,}]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bgAAAA[\w=-]+",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """The text with every secret it may hold replaced by three asterisks."""
    return SECRETS.sub(lambda match: (match["name"] or "") + "***", text)


class LineFormatter(logging.Formatter):
    """`12:00:01 INFO connectors.http push=7 task=ab12 POST /sales_invoices 201 in 84 ms`."""

    def format(self, record: logging.LogRecord) -> str:
        task = getattr(current_task, "request", None) if current_task else None
        marks = {
            "request": request_id.get(),
            "push": getattr(record, "push", ""),
            "task": (task.id or "")[:8] if task else "",
        }
        ids = "".join(f"{name}={value} " for name, value in marks.items() if value)
        record.message = record.getMessage()
        line = f"{self.formatTime(record, '%H:%M:%S')} {record.levelname} {record.name} {ids}{record.message}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


class RequestIdMiddleware:
    """Gives each request an id, for the log and for what a person copies to support."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        mark = request_id.set(uuid.uuid4().hex[:12])
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id.get()
            return response
        finally:
            request_id.reset(mark)
