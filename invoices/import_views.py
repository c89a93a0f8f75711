"""The pages of an import: a file is brought, its columns matched, what would come of it shown, and then done."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from invoices import import_columns, import_services
from invoices.csv_reading import Unreadable
from invoices.drafts import Refused
from invoices.models import Import
from invoices.push_views import person

PAGE_SIZE = 50
SHOWN = 200  # errors, or things made, that a page names
NOUNS = {Import.Kind.CLIENTS: "client", Import.Kind.ITEMS: "item", Import.Kind.INVOICES: "invoice"}


def _kind(word: str) -> Import.Kind:
    """As an address has it, such as clients."""
    try:
        return Import.Kind(word.upper())
    except ValueError:
        raise Http404 from None


@require_safe
def import_list(request: HttpRequest) -> HttpResponse:
    jobs = Import.objects.defer("content", "found").select_related("uploaded_by").order_by("-uploaded_at", "-pk")
    page = Paginator(jobs, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "imports/list.html", {"page": page, "kinds": Import.Kind.choices})


@require_http_methods(["GET", "POST"])
def import_new(request: HttpRequest, kind: str) -> HttpResponse:
    chosen, error = _kind(kind), ""
    if request.method == "POST":
        file = request.FILES.get("file")
        try:
            if file is None:
                raise Refused("Choose a file first.")
            import_services.must_fit(file.size or 0)
            job = import_services.upload(
                kind=chosen, name=file.name or "", content=file.read(), actor=person(request), now=timezone.now()
            )
        except Refused as refused:
            error = str(refused)
        else:
            return redirect("import-detail", job.pk)
    context = {
        "kind": chosen,
        "noun": NOUNS[chosen],
        "columns": import_columns.COLUMNS[chosen],
        "error": error,
        "list_name": f"{NOUNS[chosen]}-list",
    }
    return render(request, "imports/new.html", context, status=422 if error else 200)


@require_safe
def import_template(request: HttpRequest, kind: str) -> HttpResponse:
    chosen = _kind(kind)
    return _file(import_columns.template(chosen), f"{chosen.lower()}-template.csv")


def _file(text: str, name: str) -> HttpResponse:
    said = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    return HttpResponse(text, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": said})


@require_safe
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Import.objects.defer("content"), pk=pk)
    return render(request, "imports/detail.html", _context(job))


def _context(job: Import) -> dict[str, Any]:
    errors, notices = job.found.get("errors", []), job.found.get("notices", [])
    made = job.made.select_related("client", "item", "invoice__client").order_by("pk")
    noun = NOUNS[Import.Kind(job.kind)]
    return {
        "job": job,
        "noun": noun,
        "list_name": f"{noun}-list",
        "errors": errors[:SHOWN],
        "more_errors": max(0, len(errors) - SHOWN),
        "notices": notices[:SHOWN],
        "more_notices": max(0, len(notices) - SHOWN),
        "fields": import_columns.COLUMNS[job.kind],
        "made": list(made[:SHOWN]),
        "more_made": max(0, made.count() - SHOWN),
    }


@require_safe
def import_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The bar while a worker is at it; then the page is loaded again, as all of it is different."""
    job = get_object_or_404(Import.objects.defer("content", "found"), pk=pk)
    if not job.is_moving:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "imports/_progress.html", {"job": job})


@require_POST
def import_columns_choose(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Import.objects.defer("content"), pk=pk)
    known = {column.name for column in import_columns.COLUMNS[job.kind]}
    posted = [request.POST.get(f"column-{place}", "") for place in range(len(job.columns))]
    fields = [field if field in known else "" for field in posted]
    return _do(request, pk, lambda: import_services.choose_columns(import_id=pk, fields=fields, now=timezone.now()))


@require_POST
def import_confirm(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, lambda: import_services.confirm(import_id=pk, actor=person(request), now=timezone.now()))


@require_POST
def import_undo(request: HttpRequest, pk: int) -> HttpResponse:
    return _do(request, pk, lambda: import_services.undo(import_id=pk, actor=person(request), now=timezone.now()))


def _do(request: HttpRequest, pk: int, deed: Any) -> HttpResponse:
    get_object_or_404(Import.objects.defer("content"), pk=pk)
    try:
        deed()
    except Refused as refused:
        messages.error(request, str(refused))
    return redirect("import-detail", pk)


@require_safe
def import_bad_rows(request: HttpRequest, pk: int) -> HttpResponse:
    job = get_object_or_404(Import, pk=pk)
    try:
        text = import_services.bad_rows(job)
    except Unreadable:
        raise Http404 from None
    return _file(text, import_services.name_of_file(job, "to-mend"))
