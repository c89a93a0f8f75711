"""Clients, items and invoices from CSV: checked by row, imported whole or not at all, once, and undone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from incrementors.models import Number
from invoices import import_columns, import_services, importing, number_register, registers, services
from invoices.drafts import Refused
from invoices.finding import find
from invoices.models import Client, Import, ImportedRow, Invoice, Item, Property
from invoices.models.importing import LARGEST_FILE

pytestmark = pytest.mark.django_db
Bring = Callable[..., Import]
HEADING = "Invoice,Client,Date,Due,Client's reference,Item,Description,Quantity,Price,Discount %,Tax rate\n"


@pytest.fixture
def bring(staff: User, now: datetime) -> Bring:
    """Brings a file and has it checked."""

    def brought(kind: str, text: str | bytes, name: str = "file.csv") -> Import:
        content = text.encode() if isinstance(text, str) else text
        job = import_services.upload(kind=kind, name=name, content=content, actor=staff, now=now)
        return worked(job)

    return brought


def worked(job: Import) -> Import:
    importing.work(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def imported(bring: Bring, staff: User, now: datetime) -> Bring:
    """And has it imported."""

    def done(kind: str, text: str | bytes, name: str = "file.csv") -> Import:
        job = bring(kind, text, name)
        assert job.may_confirm, (job.trouble, job.found)
        import_services.confirm(import_id=job.pk, actor=staff, now=now)
        return worked(job)

    return done


def errors(job: Import) -> list[tuple[int, str, str]]:
    return [(row, column, message) for row, column, message in job.found["errors"]]


def test_the_columns_are_those_of_the_forms() -> None:
    for register, columns in ((registers.CLIENTS, import_columns.CLIENTS), (registers.ITEMS, import_columns.ITEMS)):
        assert [column.name for column in columns] == [name for name in register.fields if name != "no_reminders"]


@pytest.mark.parametrize("kind", ["CLIENTS", "ITEMS"])
def test_the_template_itself_can_be_imported(imported: Bring, kind: str) -> None:
    job = imported(kind, import_columns.template(kind))
    assert (job.state, job.to_create, job.content) == ("DONE", 1, b"")
    made = Client.objects.get() if kind == "CLIENTS" else Item.objects.get()
    assert str(made) == ("Bramley Stores Ltd (BRAM1)" if kind == "CLIENTS" else "LABOUR Labour, per hour")


def test_the_template_of_invoices_makes_a_draft(imported: Bring, client_of_ours: Client, staff: User) -> None:
    job = imported("INVOICES", import_columns.template("INVOICES"), "old.csv")
    made = Invoice.objects.get()
    assert (made.number, made.status, made.client, made.total) == ("INV-00001", "DRAFT", client_of_ours, Decimal(204))
    assert (made.reference, str(made.due_date), made.created_by) == ("PO-7", "2026-12-02", staff)
    assert [event.text for event in made.events.all()] == ["Created from old.csv, where it is A-1001."]
    assert find(Invoice.objects.all(), "A-1001") == [made.pk], "found by the file's own reference"
    assert find(Invoice.objects.all(), "A-1001 bramley") == [made.pk]
    assert job.made.get().invoice == made


def test_rows_of_one_reference_are_one_invoice_and_numbers_go_by_the_file(
    imported: Bring, client_of_ours: Client, item: Item
) -> None:
    rows = (
        "B-2,bram1,02/11/2026,,,,First,1,10,,20%\n"
        "B-1,Bramley Stores Ltd,2026-11-03,,,LABOUR,,2,,50,\n"
        'b-2,,,,,,Second,1,"£1,000.50",,Standard\n'
    )
    imported("INVOICES", HEADING + rows)
    first, second = Invoice.objects.order_by("number")
    assert (first.reference, first.number, str(first.due_date)) == ("B-2", "INV-00001", "2026-12-02")
    assert [(line.description, line.unit_price) for line in first.lines.all()] == [
        ("First", Decimal("10.00")),
        ("Second", Decimal("1000.50")),
    ]
    line = second.lines.get()
    assert (line.item, line.description, line.unit_price, line.net) == (item, item.description, item.unit_price, 48)
    assert second.number == "INV-00002"


WRONG: list[tuple[str, str, str]] = [
    ("A-1,NOBODY,2026-11-02,,,,Work,1,10,,20", "Client", "“NOBODY”: No client is called so. Import"),
    ("A-1,BRAM1,31/02/2026,,,,Work,1,10,,20", "Date", "“31/02/2026”: That is no date. Write it as 2026-11-30"),
    ("A-1,BRAM1,0026-11-02,,,,Work,1,10,,20", "Date", "Check the year of this date."),
    ("A-1,BRAM1,,,,,Work,1,10,,20", "Date", "It is empty."),
    ("A-1,BRAM1,2026-11-02,2026-11-01,,,Work,1,10,,20", "Due", "“2026-11-01”: This is before the invoice's date."),
    ("A-1,BRAM1,2026-11-02,,<b>,,Work,1,10,,20", "Client's reference", "The signs < and > can't be used here"),
    ("A-1,BRAM1,2026-11-02,,,GONE,Work,1,10,,20", "Item", "“GONE” is none of the items"),
    ("A-1,BRAM1,2026-11-02,,,,,1,10,,20", "Description", "It is empty. Describe the line, or name an item."),
    ("A-1,BRAM1,2026-11-02,,,,Work,0,10,,20", "Quantity", "At least 0.01."),
    ("A-1,BRAM1,2026-11-02,,,,Work,many,10,,20", "Quantity", "“many”: Enter a number."),
    ('A-1,BRAM1,2026-11-02,,,,Work,1,"12,50",,20', "Price", "“12,50”: A comma may only stand before three digits"),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,NaN,,20", "Price", "“NaN”: Enter a number."),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,-5,,20", "Price", "“-5”"),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,10,101,20", "Discount %", "At most 100."),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,10,,17.5", "Tax rate", "“17.5”: There is no such tax rate. Write one of: "),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,10,,0%", "Tax rate", "have that percentage: write which."),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,10,,", "Tax rate", "It is empty."),
    ("A-1,BRAM1,2026-11-02,,,,Work,9999999,999999999999,,20", "Price", "The line comes to more than"),
    (",BRAM1,2026-11-02,,,,Work,1,10,,20", "Invoice", "It is empty: rows of one invoice have the same."),
    (f"{'A' * 51},BRAM1,2026-11-02,,,,Work,1,10,,20", "Invoice", "It is longer than 50 characters."),
    ("A-1,BRAM1,2026-11-02,,,,Work,1,10,,20,more", "", "It has more cells than the heading."),
    ("A-1,BR\x00AM1,2026-11-02,,,,Work,1,10,,20", "Client", "“BR␀AM1”: No client is called so."),
    ("A-1,BRAM1,2026-11-02,,,,Wo\x00rk,1,10,,20", "Description", "“Wo␀rk”: Null characters are not allowed."),
]


@pytest.mark.parametrize(("row", "column", "message"), WRONG)
def test_what_is_wrong_is_named_by_row_and_column(
    bring: Bring, client_of_ours: Client, row: str, column: str, message: str
) -> None:
    job = bring("INVOICES", f"{HEADING}\n{row}\n")
    assert not job.may_confirm and job.bad_rows == 1
    said = [text for number, where, text in errors(job) if (number, where) == (3, column)]
    assert said and message in said[0], errors(job)


def test_an_archived_client_is_named(bring: Bring, client_of_ours: Client, now: datetime) -> None:
    Client.objects.update(archived_at=now)
    job = bring("INVOICES", HEADING + "A-1,BRAM1,2026-11-02,,,,Work,1,10,,20\n")
    assert "“BRAM1”: It is archived: take it back first." in errors(job)[0][2]


def test_several_of_a_name_are_told_apart_by_their_reference(bring: Bring, client_of_ours: Client) -> None:
    Client.objects.create(name=client_of_ours.name)
    job = bring("INVOICES", HEADING + "A-1,bramley stores ltd,2026-11-02,,,,Work,1,10,,20\n")
    assert "More than one client is called so." in errors(job)[0][2]


def test_rows_of_one_invoice_must_agree(bring: Bring, client_of_ours: Client) -> None:
    Property.objects.create(name="Ivy Court")
    rows = "A-1,BRAM1,2026-11-02,,,,Work,1,10,,20\nA-1,BRAM1,2026-11-03,,PO-1,,More,1,10,,20\n"
    job = bring("INVOICES", HEADING + rows)
    assert errors(job) == [
        (3, "Date", "“2026-11-03”: row 2 says “2026-11-02” for the same invoice. Make them the same."),
        (3, "Client's reference", "“PO-1”: row 2 has none for the same invoice. Make them the same."),
    ]


def test_an_invoice_of_too_many_lines_is_named(bring: Bring, client_of_ours: Client) -> None:
    job = bring("INVOICES", HEADING + "A-1,BRAM1,2026-11-02,,,,Work,1,10,,20\n" * 201)
    assert errors(job) == [(2, "Invoice", "An invoice takes at most 200 lines; it has 201.")]


def thousand(bad: int, count: int = 1000) -> str:
    """Rows of one invoice each, of which every so many-th is wrong."""
    step = count // bad if bad else count + 1
    rows = [
        f"A-{n},BRAM1,2026-11-02,,,,Work,{'none' if bad and n % step == 0 else 1},10,,20" for n in range(1, count + 1)
    ]
    return HEADING + "\n".join(rows)


def test_of_a_thousand_rows_with_fifty_bad_ones_nothing_is_imported_and_all_fifty_are_named(
    bring: Bring, client_of_ours: Client, staff: User, now: datetime
) -> None:
    job = bring("INVOICES", thousand(50))
    assert (job.rows, job.bad_rows, job.to_create, job.may_confirm) == (1000, 50, 950, False)
    assert [row for row, *_ in errors(job)] == [1 + n for n in range(20, 1001, 20)]
    with pytest.raises(Refused):
        import_services.confirm(import_id=job.pk, actor=staff, now=now)
    assert (Invoice.objects.count(), Number.objects.count(), ImportedRow.objects.count()) == (0, 0, 0)
    file = import_services.bad_rows(job).splitlines()
    assert len(file) == 51
    assert file[1].startswith("21,Quantity: “none”: Enter a number. Write a number such as 2.5.,A-20,BRAM1,")


def test_a_mended_file_of_bad_rows_can_be_brought_again(bring: Bring, client_of_ours: Client) -> None:
    file = import_services.bad_rows(bring("INVOICES", thousand(5, 10)))
    again = bring("INVOICES", file.replace(",none,", ",2,"))
    assert (again.rows, again.to_create, again.bad_rows) == (5, 5, 0)


def test_as_many_queries_for_many_rows_as_for_few(bring: Bring, client_of_ours: Client, item: Item) -> None:
    counts = []
    for rows in (10, 300):
        with CaptureQueriesContext(connection) as queries:
            bring("INVOICES", thousand(0, rows))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 30


def test_the_same_file_twice_creates_nothing_twice(imported: Bring, bring: Bring, client_of_ours: Client) -> None:
    imported("INVOICES", thousand(0, 3))
    again = bring("INVOICES", thousand(0, 4))
    assert (again.to_create, again.already_here) == (1, 3)
    assert (again.found["errors"], Invoice.objects.count()) == ([], 3)
    for text in ("Name,E-mail\nIvy Ltd,a@ivy.example\n", "Name,Reference\nIvy Ltd,IVY\n"):
        imported("CLIENTS", text)
        assert not bring("CLIENTS", text).to_create


def test_an_item_that_costs_more_by_now_makes_no_other_content(
    imported: Bring, bring: Bring, client_of_ours: Client, item: Item
) -> None:
    text = HEADING + "A-1,BRAM1,2026-11-02,,,LABOUR,,1,,,\n"
    imported("INVOICES", text)
    Item.objects.update(unit_price=60)
    again = bring("INVOICES", text)
    assert (again.already_here, again.bad_rows) == (1, 0)


def test_another_content_under_a_reference_imported_before_is_named(
    imported: Bring, bring: Bring, client_of_ours: Client
) -> None:
    imported("INVOICES", HEADING + "A-1,BRAM1,2026-11-02,,,,Work,1,10,,20\n", "old.csv")
    job = bring("INVOICES", HEADING + "A-1,BRAM1,2026-11-02,,,,Work,1,11,,20\n")
    assert "It was imported from old.csv" in errors(job)[0][2] and "as INV-00001" in errors(job)[0][2]


def test_what_is_here_already_stays_and_what_differs_is_told(bring: Bring, client_of_ours: Client, item: Item) -> None:
    job = bring("CLIENTS", "Reference,Name,Town\nbram1,Bramley Stores Ltd,York\n")
    assert (job.to_create, job.already_here) == (0, 1)
    told = "Bramley Stores Ltd (BRAM1) is here already, with another Reference, Town. What is here stays."
    assert job.found["notices"] == [[2, "", told]]
    items = bring("ITEMS", 'Code,Description,Price,VAT\nlabour,"Labour, per hour",49,20\n')
    assert "with another" in items.found["notices"][0][2]
    assert Client.objects.get().city == "Leeds"


def test_duplicates_inside_a_file_are_named(bring: Bring) -> None:
    job = bring("ITEMS", "Code,Description,Price,VAT\nA,One,1,20\nB,Two,1,20\na,One,1,20\n")
    assert errors(job) == [(4, "", "This is the same as row 2. Take one of the two out.")]


def test_columns_that_are_not_known_are_chosen_by_a_person(bring: Bring, staff: User, now: datetime) -> None:
    job = bring("CLIENTS", "Firma;Ort\nMüller GmbH;Köln\n".encode("cp1252"))
    assert job.read_as.startswith("Windows-1252") and job.read_as.endswith("semicolons")
    assert job.trouble.startswith("No column of the file is read as “Name”.") and not job.may_confirm
    import_services.choose_columns(import_id=job.pk, fields=["name", "city"], now=now)
    worked(job)
    assert (job.to_create, job.found["examples"]) == (1, [["Müller GmbH", "Köln, GB", ""]])
    import_services.choose_columns(import_id=job.pk, fields=["name", "name"], now=now)
    assert worked(job).trouble == "Two columns are read as Name. Leave one of them out."


def test_a_formula_stays_text(imported: Bring, bring: Bring) -> None:
    imported("CLIENTS", 'Name\n"=HYPERLINK(""x"")"\n+44 Taxis\n-Minus\n\'@Home\n')
    assert sorted(Client.objects.values_list("name", flat=True)) == ["+44 Taxis", "-Minus", '=HYPERLINK("x")', "@Home"]
    bad = bring("CLIENTS", "Name,Terms\n=1+1,many\n")
    assert "'=1+1" in import_services.bad_rows(bad)


def test_a_file_that_is_none_says_so(bring: Bring, staff: User, now: datetime) -> None:
    job = bring("CLIENTS", b"PK\x03\x04and so on")
    assert (job.state, job.trouble.split(".")[0]) == ("FAILED", "This is an Excel workbook, not a CSV file")
    for content, why in ((b"", "The file is empty."), (b"x" * (LARGEST_FILE + 1), "The file is larger than 20 MB.")):
        with pytest.raises(Refused, match=why):
            import_services.upload(kind="CLIENTS", name="x.csv", content=content, actor=staff, now=now)


def test_a_world_that_changed_since_the_check_is_seen(
    bring: Bring, client_of_ours: Client, staff: User, now: datetime
) -> None:
    job = bring("INVOICES", thousand(0, 3))
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    Client.objects.update(archived_at=now)
    assert worked(job).state == "CHECKED"
    assert (job.bad_rows, Invoice.objects.count()) == (3, 0)


def test_confirming_twice_is_one_import(bring: Bring, client_of_ours: Client, staff: User, now: datetime) -> None:
    job = bring("INVOICES", thousand(0, 3))
    for _ in range(2):
        import_services.confirm(import_id=job.pk, actor=staff, now=now)
    worked(job)
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    assert worked(job).state == "DONE"
    assert Invoice.objects.count() == 3


def test_a_worker_that_dies_halfway_leaves_nothing_half(
    bring: Bring, client_of_ours: Client, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bring("INVOICES", thousand(0, 3))
    import_services.confirm(import_id=job.pk, actor=staff, now=now)

    def dies(*_: Any, **__: Any) -> None:
        raise SystemExit

    end = importing._end
    monkeypatch.setattr(importing, "_end", dies)
    with pytest.raises(SystemExit):
        importing.work(job.pk)
    monkeypatch.setattr(importing, "_end", end)
    assert (Invoice.objects.count(), ImportedRow.objects.count()) == (0, 0)
    kept = dict(Number.objects.values_list("text", "holder"))
    assert set(Number.objects.values_list("outcome", "reason")) == {("DISCARDED", "Kept for file.csv, and not used.")}
    importing.work(job.pk)
    assert Invoice.objects.count() == 0, "it is still held by the one that died"
    assert importing.due(now=now) == []
    assert importing.due(now=now + timedelta(minutes=10)) == [job.pk]
    importing.work(job.pk, now=now + timedelta(minutes=10))
    job.refresh_from_db()
    assert (job.state, dict(Invoice.objects.values_list("number", "uuid"))) == ("DONE", kept)
    assert set(Number.objects.values_list("outcome", "reason")) == {("GIVEN", "")}


def test_a_worker_that_was_overtaken_writes_nothing(
    bring: Bring, client_of_ours: Client, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bring("INVOICES", thousand(0, 3))
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    create = importing._create

    def slowly(*given: Any) -> None:
        create(*given)
        monkeypatch.setattr(importing, "_create", create)
        Import.objects.update(fence=9)

    monkeypatch.setattr(importing, "_create", slowly)
    assert worked(job).state == "IMPORTING"
    assert Invoice.objects.count() == 0


def test_numbers_kept_for_what_is_not_imported_after_all_say_so(
    bring: Bring, client_of_ours: Client, staff: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = bring("INVOICES", thousand(0, 3), "old.csv")
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    create = importing._create

    def archived_meanwhile(*_: Any) -> None:
        Client.objects.update(archived_at=now)
        raise IntegrityError

    monkeypatch.setattr(importing, "_create", archived_meanwhile)
    assert worked(job).state == "IMPORTING"
    monkeypatch.setattr(importing, "_create", create)
    Client.objects.update(archived_at=now)
    assert (worked(job).state, job.bad_rows) == ("CHECKED", 3)
    shown = [(gap.first, gap.kind, gap.reason) for gap in number_register.pages("INVOICES")]
    assert shown == [(f"INV-0000{n}", "DISCARDED", "Kept for old.csv, and not used.") for n in (1, 2, 3)]
    Client.objects.update(archived_at=None)
    import_services.choose_columns(import_id=job.pk, fields=[field for *_, field in job.columns], now=now)
    worked(job)
    import_services.confirm(import_id=job.pk, actor=staff, now=now)
    assert worked(job).state == "DONE"
    assert sorted(Invoice.objects.values_list("number", flat=True)) == ["INV-00001", "INV-00002", "INV-00003"]
    assert not list(number_register.pages("INVOICES"))


def test_a_file_that_no_worker_survives_is_given_up(bring: Bring, client_of_ours: Client, now: datetime) -> None:
    job = bring("CLIENTS", "Name\nIvy\n")
    Import.objects.update(state="CHECKING", tries=importing.MOST_TRIES)
    assert (worked(job).state, job.trouble[:29]) == ("FAILED", "Reflow could not read it. Con")


def test_an_import_of_invoices_is_undone_while_all_are_drafts(
    imported: Bring, client_of_ours: Client, staff: User, now: datetime
) -> None:
    job = imported("INVOICES", thousand(0, 3), "old.csv")
    approved = Invoice.objects.all()[0]
    services.approve(invoice_id=approved.pk, actor=staff, now=now)
    with pytest.raises(Refused, match=f"{approved.number} is no draft any more"):
        import_services.undo(import_id=job.pk, actor=staff, now=now)
    assert Invoice.objects.filter(status="DRAFT").count() == 2
    services.return_to_draft(invoice_id=approved.pk, actor=staff, now=now)
    import_services.undo(import_id=job.pk, actor=staff, now=now)
    assert set(Invoice.objects.values_list("status", "outstanding")) == {("VOID", Decimal(0))}
    reasons = set(Number.objects.values_list("outcome", "reason"))
    assert reasons == {("DISCARDED", "The import of old.csv was undone.")}
    assert imported("INVOICES", thousand(0, 3)).to_create == 3, "it can be imported again"


def test_an_import_of_clients_is_undone_while_none_is_in_use(
    imported: Bring, staff: User, now: datetime, client_of_ours: Client
) -> None:
    job = imported("CLIENTS", "Name\nIvy\nOak\n")
    site = Property.objects.create(name="Ivy Court", client=Client.objects.get(name="Ivy"))
    with pytest.raises(Refused, match="in use already"):
        import_services.undo(import_id=job.pk, actor=staff, now=now)
    assert (Client.objects.count(), ImportedRow.objects.count()) == (3, 2)
    site.delete()
    import_services.undo(import_id=job.pk, actor=staff, now=now)
    assert list(Client.objects.all()) == [client_of_ours]
    items = imported("ITEMS", "Code,Description,Price,VAT\nA,One,1,20\n")
    import_services.undo(import_id=items.pk, actor=staff, now=now)
    assert not Item.objects.exists()


def test_files_nobody_came_back_to_are_emptied(bring: Bring, now: datetime) -> None:
    old, new = (bring("CLIENTS", "Name\nIvy\n") for _ in range(2))
    Import.objects.filter(pk=old.pk).update(uploaded_at=now - timedelta(days=31))
    assert importing.forget_old(now=now) == 1
    old.refresh_from_db()
    assert (old.state, old.content, old.trouble[:20]) == ("FAILED", b"", "Nobody came back to ")
    assert Import.objects.get(pk=new.pk).may_confirm


def test_the_pages_take_a_file_and_give_the_template_and_the_rows_to_mend(
    desk: Browser, client_of_ours: Client, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invoices.tasks.hint_import", importing.work)
    new = reverse("import-new", args=["invoices"])
    for nothing, why in (({}, "Choose a file first."), ({"file": ContentFile(b"", "x.csv")}, "The file is empty.")):
        answer = desk.post(new, nothing)
        assert answer.status_code == 422 and why in answer.content.decode()
    template = desk.get(reverse("import-template", args=["invoices"]))
    assert template.headers["Content-Disposition"] == 'attachment; filename="invoices-template.csv"'
    assert desk.get("/imports/new/people/").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        there = desk.post(new, {"file": ContentFile(thousand(1, 2).encode(), "old/Ä & b.csv")}).headers["Location"]
    page = desk.get(there).content.decode()
    assert "1 row has errors" in page and "“none”: Enter a number." in page
    bad = desk.get(there + "to-mend/")
    assert "-to-mend.csv" in bad.headers["Content-Disposition"]
    assert desk.get(there + "progress/").headers["HX-Refresh"] == "true"
    with django_capture_on_commit_callbacks(execute=True):
        there = desk.post(new, {"file": ContentFile(thousand(0, 2).encode(), "old.csv")}).headers["Location"]
        desk.get(there + "progress/")
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(there + "confirm/")
    assert "2 invoices imported" in desk.get(there).content.decode()
    assert desk.get(there + "to-mend/").status_code == 404
    desk.post(there + "undo/")
    assert "Undone" in desk.get(there).content.decode()


def test_no_cell_makes_a_page_fall_over(desk: Browser, bring: Bring, client_of_ours: Client) -> None:
    for text in (thousand(5, 10), thousand(0, 3), "Firma\nX\n", "PK\x03\x04", HEADING):
        job = bring("INVOICES", text)
        with CaptureQueriesContext(connection) as queries:
            assert desk.get(reverse("import-detail", args=[job.pk])).status_code == 200
        assert len(queries) <= 16
    assert desk.get(reverse("import-list")).status_code == 200
