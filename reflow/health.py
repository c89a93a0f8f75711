"""Whether this process lives, and whether it can serve: Postgres, its migrations and the broker."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from redis import Redis
from redis.exceptions import RedisError


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"alive": True})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when all is there, else 503; each part says `ok` or what is missing."""
    parts = {"database": _database(), "broker": _broker()}
    ready = all(part == "ok" for part in parts.values())
    return JsonResponse({"ready": ready, **parts}, status=200 if ready else 503)


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        behind = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "does not answer"
    return f"{len(behind)} migrations are missing: run `manage.py migrate`" if behind else "ok"


def _broker() -> str:
    """Invoices wait safely without it, but nothing is sent at once."""
    url = settings.REDIS_URL.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    try:
        with Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1) as redis:
            redis.ping()
    except (RedisError, OSError):
        return "does not answer"
    return "ok"
