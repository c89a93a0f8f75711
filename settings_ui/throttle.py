"""Sign-in is held back after some wrong passwords: whose count it is, what is said, and what an admin is told."""

from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

TOO_MANY_REQUESTS = 429


def client_ip(request: HttpRequest) -> str | None:
    """The peer's address, or that which the outermost of TRUSTED_PROXIES saw; in IPv6 one /64 counts as one."""
    seen = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    hops = [*seen, request.META.get("REMOTE_ADDR", "")]
    try:
        address = ip_address(hops[max(0, len(hops) - 1 - settings.TRUSTED_PROXIES)])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(ip_network(f"{address}/64", strict=False).network_address)
    return str(address)


def held_back(request: HttpRequest, _response: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """The page in place of another try; the same for a user name that nobody has."""
    counted = AccessAttempt.objects.filter(
        username=(credentials or {}).get("username"), ip_address=client_ip(request)
    ).aggregate(last=Max("attempt_time"))
    until = (counted["last"] or timezone.now()) + settings.AXES_COOLOFF_TIME
    seconds = max(1, ceil((until - timezone.now()).total_seconds()))
    page = render(request, "registration/held_back.html", {"minutes": ceil(seconds / 60)}, status=TOO_MANY_REQUESTS)
    page["Retry-After"] = str(seconds)
    return page


def is_held_back(person: User, now: datetime) -> bool:
    """Whether this user name can't be tried from somewhere."""
    recent = AccessAttempt.objects.filter(
        username=person.get_username(), attempt_time__gte=now - settings.AXES_COOLOFF_TIME
    )
    counts = recent.order_by().values("ip_address").annotate(failures=Sum("failures_since_start"))
    return bool(counts.filter(failures__gte=settings.AXES_FAILURE_LIMIT).exists())
