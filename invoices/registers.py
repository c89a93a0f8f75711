"""Clients, Items and Properties: a list, a form, and an archive from which everything can come back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import Model, Q, QuerySet
from django.forms import ModelForm, modelform_factory
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connectors.models import Connection
from connectors.services import open_connector
from invoices import paging
from invoices.dimensions import show_on, working_connection
from invoices.forms import PropertyForm, codes_per_line
from invoices.models import Client, Item, Property

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What differs between the three: the model, its words, what is searched and what is typed."""

    model: type[Model]
    name: str
    title: str
    icon: str
    teaching: str
    """What it is for, in one sentence, where there is none yet."""
    archiving: str
    searched: tuple[str, ...]
    fields: tuple[str, ...]
    unique: str = ""
    """The field of which no two rows may have the same; what its constraint complains of stands beside it."""
    form_class: "type[ModelForm[Any]]" = ModelForm
    add_to: Callable[[Iterable[Any]], None] = lambda rows: None
    """Puts onto the rows of a page what the list shows besides their own fields."""
    can_import: bool = False
    may_link: Callable[[Connection], bool] = lambda connection: False
    """Whether its rows have counterparts in the connected books."""

    @property
    def list_name(self) -> str:
        return f"{self.name}-list"

    @property
    def rows_template(self) -> str:
        return f"registers/_{self.name}_rows.html"

    def find(self, q: str, *, archived: bool) -> QuerySet[Any]:
        matches = Q()
        for field in self.searched if q else ():
            matches |= Q(**{f"{field}__icontains": q.replace("\x00", "")})
        shown = [field.name for field in self.model._meta.fields if field.is_relation]
        rows = self.model._default_manager.select_related(*shown)
        return rows.filter(matches, archived_at__isnull=not archived)

    def form(self, data: Any, instance: Any) -> Any:
        form = modelform_factory(self.model, form=self.form_class, fields=list(self.fields))(data, instance=instance)
        if "nominal_code" in form.fields and not codes_per_line():
            del form.fields["nominal_code"]
        if "client" in form.fields:
            mine = Q(pk=getattr(form.instance, "client_id", None))
            form.fields["client"].queryset = Client.objects.filter(Q(archived_at=None) | mine)  # type: ignore[attr-defined]
        for message in form.errors.pop(NON_FIELD_ERRORS, ()):
            form.add_error(self.unique or None, message)
        return form


def _sage_url(request: HttpRequest, register: Register, row: Any) -> str:
    """Where it is said which one in Sage this is; "" for what has no counterpart there."""
    connection = working_connection()
    if not row or not connection or not request.user.has_perm("invoices.send_invoice"):
        return ""
    return reverse(f"{register.name}-sage", args=[row.uuid]) if register.may_link(connection) else ""


def _links(request: HttpRequest, register: Register) -> dict[str, Any]:
    """What this person may do here, and where."""
    may_add = request.user.has_perm(f"invoices.add_{register.name}")
    return {
        "may_change": request.user.has_perm(f"invoices.change_{register.name}"),
        "archive_name": f"{register.name}-archive",
        "new_url": reverse(f"{register.name}-new") if may_add else "",
        "import_url": reverse("import-new", args=[register.title.lower()]) if may_add and register.can_import else "",
        "new_label": f"New {register.name}",
        "empty_title": f"No {register.title.lower()} yet",
    }


def views(register: Register) -> dict[str, Any]:
    """The views of one register, by the last part of their URL names."""

    @require_safe
    def listed(request: HttpRequest) -> HttpResponse:
        q, show = request.GET.get("q", "").strip()[:100], request.GET.get("show", "")
        keys = {side: request.GET.get(side, "") for side in ("after", "before")}
        found = register.find(q, archived=show == "archived")
        page = paging.by_name(found, register.searched[0], PAGE_SIZE, **keys)
        register.add_to(page.rows)
        context = {"register": register, "page": page, "q": q, "show": show, **_links(request, register)}
        asked = {name: value for name, value in (("q", q), ("show", show)) if value}
        for side in keys:
            key = getattr(page, side)
            context[side] = f"?{urlencode({**asked, side: key})}" if key else ""
        return render(request, "registers/list.html", context)

    @require_http_methods(["GET", "POST"])
    def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
        row = get_object_or_404(register.model, pk=pk) if pk is not None else None
        form = register.form(request.POST or None, row)
        if request.method == "POST" and form.is_valid():
            messages.success(request, f"Saved {form.save()}.")
            return redirect(register.list_name)
        status = 200 if request.method == "GET" else 422
        context = {"register": register, "form": form, "row": row, "sage_url": _sage_url(request, register, row)}
        context["statement_url"] = reverse("client-statement", args=[row.pk]) if isinstance(row, Client) else ""
        return render(request, "registers/edit.html", context, status=status)

    @require_POST
    def archive(request: HttpRequest, pk: int) -> HttpResponse:
        """Archives what is in use, and takes back what is archived."""
        row: Any = get_object_or_404(register.model, pk=pk)
        row.archived_at = None if row.archived_at else timezone.now()
        row.save(update_fields=["archived_at"])
        kept = "It stays on its invoices and can be taken back under Archived."
        messages.success(request, f"Archived {row}. {kept}" if row.archived_at else f"{row} is back in use.")
        return redirect(register.list_name)

    return {"list": listed, "new": edit, "edit": edit, "archive": archive}


CLIENTS = Register(
    model=Client,
    name="client",
    can_import=True,
    title="Clients",
    icon="people",
    may_link=lambda connection: True,
    teaching="A client is somebody you bill; their reference and e-mail also find them in Sage.",
    archiving="A client you no longer bill can be archived: they leave the choices, and stay on their invoices.",
    searched=("name", "reference", "email", "city", "postal_code"),
    unique="reference",
    fields=(
        "name",
        "reference",
        "email",
        "no_reminders",
        "terms_days",
        "address_line_1",
        "address_line_2",
        "city",
        "postal_code",
        "country",
    ),
)
ITEMS = Register(
    model=Item,
    name="item",
    can_import=True,
    title="Items",
    icon="box-seam",
    may_link=lambda connection: open_connector(connection).items is not None,
    teaching="An item is something you sell again and again; choosing it fills a line of an invoice.",
    archiving="An item you no longer sell can be archived: it leaves the choices, and stays on its invoices.",
    searched=("code", "description"),
    unique="code",
    fields=("code", "description", "sort", "unit_price", "tax_rate", "nominal_code"),
)
PROPERTIES = Register(
    model=Property,
    name="property",
    title="Properties",
    icon="buildings",
    form_class=PropertyForm,
    add_to=show_on,
    teaching="A property is where work is done; an invoice can name one, and Sage gets it in the notes.",
    archiving="A property you no longer look after can be archived: it leaves the choices, and stays on its invoices.",
    searched=("name", "address", "client__name"),
    fields=("name", "client", "address"),
)
ALL = (CLIENTS, ITEMS, PROPERTIES)
