"""Our number is taken in Sage: what holds it there, and whether it is this very invoice."""

from dataclasses import dataclass

from connectors.interface import PlatformError, RemoteInvoice
from connectors.services import open_connector
from invoices.models import Invoice, Push


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """What Sage holds under our number, and in what it differs from ours; nothing differs when it is the same."""

    remote: RemoteInvoice
    differences: tuple[str, ...]


def rivals(invoice: Invoice, push: Push) -> list[Rival]:
    """Every invoice in Sage with our number, read now. Raises PlatformError when Sage can't be asked."""
    connector = open_connector(push.connection, kind=invoice.kind)
    client_id = _client_id(push)
    found = connector.find_number(invoice.number or "", client_id)
    whole = connector.read_invoices([remote.id for remote in found[:3]])
    return [Rival(remote=remote, differences=_differences(invoice, remote, client_id)) for remote in whole]


def _client_id(push: Push) -> str:
    attempt = push.attempts.exclude(document=None).last()
    return str((attempt.document or {}).get("client_id", "")) if attempt else ""


def _differences(invoice: Invoice, remote: RemoteInvoice, client_id: str) -> tuple[str, ...]:
    """Client, date, lines and total: the same in all four is the same invoice."""
    lines = invoice.lines.count()
    compared = (
        ("client", remote.client_id == client_id, remote.client_name or "another client"),
        ("date", remote.issue_date == invoice.issue_date, f"{remote.issue_date:%d %b %Y}"),
        ("lines", remote.lines in (None, lines), f"{remote.lines}, not {lines}"),
        ("total", remote.total == abs(invoice.total), f"{remote.total:,.2f}, not {abs(invoice.total):,.2f}"),
    )
    return tuple(f"{name}: {theirs}" for name, same, theirs in compared if not same)


def rival_by_id(invoice: Invoice, push: Push, remote_id: str) -> RemoteInvoice | None:
    """The one a person says it is, if Sage still holds it under our number and it still is the same."""
    same = (one.remote for one in rivals(invoice, push) if not one.differences)
    return next((remote for remote in same if remote.id == remote_id), None)


__all__ = ["PlatformError", "Rival", "rival_by_id", "rivals"]
