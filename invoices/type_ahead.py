"""What the editor's boxes ask while one types: the rows that fit, and a client or an item created in place."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from invoices.fields import AN_ID, shown
from invoices.models import Client, Company, Item, Property
from invoices.registers import CLIENTS, ITEMS, Register

MOST_ROWS = 20
ADDRESS = ("address_line_1", "city", "postal_code")
CLIENT_HERE = replace(CLIENTS, fields=("name", "reference", "email", "terms_days", *ADDRESS))
ITEM_HERE = replace(ITEMS, fields=("code", "description", "unit_price", "tax_rate"))


@require_safe
def client_choices(request: HttpRequest) -> JsonResponse:
    found = _fitting(Client.objects.all(), _asked(request), names=("name", "reference"), others=("city",))
    company_terms = Company.ours().terms_days
    return _rows(_client(client, company_terms) for client in found.order_by("rank", "name", "pk")[:MOST_ROWS])


@require_safe
def property_choices(request: HttpRequest) -> JsonResponse:
    """The client's own first, then the others."""
    client = request.GET.get("client", "")
    found = _fitting(Property.objects.select_related("client"), _asked(request), names=("name",), others=("address",))
    theirs = Q(client=client) if AN_ID.fullmatch(client) else Q(pk=None)
    found = found.annotate(others=_first(theirs)).order_by("others", "rank", "name", "pk")
    return _rows(_property(site) for site in found[:MOST_ROWS])


@require_safe
def item_choices(request: HttpRequest) -> JsonResponse:
    found = _fitting(Item.objects.all(), _asked(request), names=("code", "description"))
    return _rows(_item(item) for item in found.order_by("rank", "code")[:MOST_ROWS])


@require_http_methods(["GET", "POST"])
def client_create(request: HttpRequest) -> HttpResponse:
    return _create(request, CLIENT_HERE, lambda client: _client(client, Company.ours().terms_days))


@require_http_methods(["GET", "POST"])
def item_create(request: HttpRequest) -> HttpResponse:
    return _create(request, ITEM_HERE, _item)


def _create(request: HttpRequest, register: Register, told: Any) -> HttpResponse:
    """The essential fields as a fragment for the dialog; once they are right, the row as the list would offer it."""
    data = request.POST if request.method == "POST" else None
    form = register.form(data, None)
    form.auto_id = "id_created_%s"
    if "tax_rate" in form.fields:
        form.fields["tax_rate"].empty_label = None  # the first rate, as on a fresh line
    if data is not None and form.is_valid():
        return JsonResponse(told(form.save()), status=201)
    form.initial[register.fields[0]] = request.GET.get("q", "")[: form.fields[register.fields[0]].max_length]
    context = {"form": form, "noun": register.name, "action": reverse(f"{register.name}-create")}
    return render(request, "invoices/_create.html", context)


def _asked(request: HttpRequest) -> list[str]:
    return request.GET.get("q", "").replace("\x00", "")[:100].split()


def _fitting(rows: QuerySet[Any], words: list[str], *, names: tuple[str, ...], others: tuple[str, ...] = ()) -> Any:
    """Those in use that hold every word; `rank` puts first those of which a name begins as asked."""
    for word in words:
        holds = Q()
        for name in (*names, *others):
            holds |= Q(**{f"{name}__icontains": word})
        rows = rows.filter(holds)
    begins = Q(pk=None)
    for name in names if words else ():
        begins |= Q(**{f"{name}__istartswith": " ".join(words)})
    return rows.filter(archived_at=None).annotate(rank=_first(begins))


def _first(condition: Q) -> Case:
    return Case(When(condition, then=Value(0)), default=Value(1), output_field=IntegerField())


def _rows(rows: Iterable[dict[str, Any]]) -> JsonResponse:
    return JsonResponse({"rows": list(rows)})


def _row(row: Client | Property | Item, *, label: str, note: str, **more: Any) -> dict[str, Any]:
    return {"id": row.pk, "text": shown(row), "label": label, "note": note, **more}


def _client(client: Client, company_terms: int) -> dict[str, Any]:
    note = " · ".join(filter(None, (client.reference, client.city)))
    terms = company_terms if client.terms_days is None else client.terms_days
    return _row(client, label=client.name, note=note, terms=terms)


def _property(site: Property) -> dict[str, Any]:
    return _row(site, label=site.name, note=site.client.name if site.client else "")


def _item(item: Item) -> dict[str, Any]:
    filled = {"description": item.description, "price": str(item.unit_price), "tax": item.tax_rate_id}
    return _row(item, label=item.code, note=item.description, **filled)
