"""An invoice on paper: what its PDF says, read back, in every state; and that no text of a user is ever code."""

import io
import logging
import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from PIL import Image
from pypdf import PdfReader

from connectors.models import Connection
from invoices import documents, paper, services
from invoices.models import Client, Company, Invoice, InvoiceLine, Property, TaxRate
from tests.conftest import line
from tests.invoices.conftest import remote_of

pytestmark = pytest.mark.django_db
NewInvoice = Callable[..., Invoice]
MINUS = chr(0x2212)


@pytest.fixture(autouse=True)
def company(db: None) -> Company:
    return Company.objects.create(
        pk=1,
        name="Quayside Property Care Ltd",
        address="8 Harbour Street\nWhitby\nYO22 4DB",
        vat_number="GB123456789",
        payment_details="Sort code 20-00-00\nAccount 12345678",
        invoice_terms="We charge interest on what is paid late.",
    )


def read(invoice: Invoice, connection: Connection | None = None) -> PdfReader:
    return PdfReader(io.BytesIO(paper.pdf(invoice, connection)))


def words(invoice: Invoice, connection: Connection | None = None) -> str:
    """All that a reader sees, each run of blanks as one."""
    return " ".join(" ".join(page.extract_text() for page in read(invoice, connection).pages).split())


def rate(code: str) -> TaxRate:
    return TaxRate.objects.get(pk=code)


def approve(invoice: Invoice, staff: User, now: datetime) -> Invoice:
    return services.approve(invoice_id=invoice.pk, actor=staff, now=now)


def test_an_invoice_says_who_whom_what_how_much_and_how_to_pay(
    new_invoice: NewInvoice, client_of_ours: Client, staff: User, now: datetime
) -> None:
    lines = [
        line("Gutter clearing", discount_percent=Decimal("10")),
        line("Mobility rail", quantity=Decimal("1.5"), unit_price=Decimal("1420.00"), tax_rate=rate("REDUCED")),
        line("Tenant's handbook", quantity=Decimal(4), unit_price=Decimal("6.50"), tax_rate=rate("ZERO")),
    ]
    site = Property.objects.create(name="12 Fell Road")
    said = words(approve(new_invoice(*lines, site=site, notes="Key with the caretaker."), staff, now))
    for part in (
        "Quayside Property Care Ltd 8 Harbour Street Whitby YO22 4DB",
        "Invoice INV-00001",
        "Invoice to Bramley Stores Ltd 4 Mill Lane Leeds LS1 4AB",
        "Date 2 November 2026 Due 2 December 2026 Your reference PO-7 Property 12 Fell Road",
        "To pay by 2 December 2026 £2,446.10",
        "Description Quantity Price Discount Tax rate Net",
        "Gutter clearing 2 85.00 10% 20% 153.00",
        "Mobility rail 1.5 1,420.00 5% 2,130.00",
        "Tenant's handbook 4 6.50 Zero rated 26.00",
        "Net £2,309.00 Tax 20% on £153.00 £30.60 Tax 5% on £2,130.00 £106.50 Zero rated on £26.00 £0.00",
        "Total £2,446.10",
        "Notes Key with the caretaker.",
        "How to pay Sort code 20-00-00 Account 12345678",
        "Terms We charge interest on what is paid late.",
        "VAT number GB123456789 INV-00001, page 1 of 1",
    ):
        assert part in said
    assert "DRAFT" not in said and "VOID" not in said


@pytest.mark.parametrize(
    ("status", "outstanding", "there", "missing"),
    [
        (
            "PART_PAID",
            "54.00",
            [f"Total £204.00 Paid {MINUS}£150.00 Outstanding £54.00", "To pay by", "How to pay"],
            ["Paid in"],
        ),
        ("PAID", "0.00", ["Paid in full", f"Paid {MINUS}£204.00 Outstanding £0.00"], ["To pay by", "How to pay"]),
        ("VOID", "0.00", ["VOID", "Void: nothing is to be paid", "Total £204.00"], ["Paid", "To pay by", "How to pay"]),
    ],
)
def test_what_is_paid_or_void_says_so(
    approved: Invoice, status: str, outstanding: str, there: list[str], missing: list[str]
) -> None:
    approved.status, approved.outstanding = status, Decimal(outstanding)
    said = words(approved)
    assert [part for part in there if part not in said] == []
    assert [part for part in missing if part in said] == []


def test_a_draft_is_stamped_and_asks_for_no_payment_by_its_name_either(invoice: Invoice) -> None:
    said = words(invoice)
    assert "DRAFT" in said and "Draft: not for payment" in said
    assert paper.file_name(invoice, "INV-00001") == "Draft invoice INV-00001 - Quayside Property Care Ltd.pdf"


def test_from_approval_on_it_is_made_out_to_the_client_as_it_was_then(approved: Invoice) -> None:
    Client.objects.update(name="Bramley Holdings", address_line_1="1 New Street", country="IE")
    approved.refresh_from_db()
    assert "Invoice to Bramley Stores Ltd 4 Mill Lane" in words(approved)


def test_a_country_stands_in_the_address_only_abroad() -> None:
    given = {"name": "x", "city": "Cork", "postal_code": "T12"}
    assert paper.address(documents.client_of(Client(country="IE", **given))) == "Cork\nT12\nIE"
    assert paper.address(documents.client_of(Client(country="GB", **given))) == "Cork\nT12"


def test_it_carries_the_number_that_is_shown_and_ours_after_a_disconnect(
    approved: Invoice, wired: Connection, now: datetime
) -> None:
    remote_of(approved, wired, now, number="SI-1009")
    wired.sync_settings = {"numbers": "PLATFORM"}
    assert "Invoice SI-1009" in words(approved, wired)
    assert str(read(approved, wired).metadata["/Title"]) == "Invoice SI-1009"  # type: ignore[index]
    assert "Invoice INV-00001" in words(approved, None)


def test_an_imported_invoice_has_its_columns_and_its_tax_in_one_sum(
    client_of_ours: Client, wired: Connection, now: datetime
) -> None:
    sums = {"net": Decimal("-100.00"), "tax": Decimal("-20.00"), "total": Decimal("-120.00")}
    invoice = Invoice.objects.create(
        origin="IMPORTED",
        status="SENT",
        number="IMP-00003",
        client=client_of_ours,
        issue_date=now.date(),
        due_date=now.date(),
        currency="USD",
        outstanding=sums["total"],
        created_at=now,
        **sums,
    )
    InvoiceLine.objects.create(
        invoice=invoice, position=1, description="Adjustment", unit_price=Decimal("-100"), discount=0, **sums
    )
    remote_of(invoice, wired, now, number="SI-1009")
    said = words(invoice, wired)
    assert "Invoice SI-1009" in said
    assert f"Description Quantity Price Net Adjustment 1 {MINUS}100.00 {MINUS}100.00" in said.replace(
        f"{MINUS} ", MINUS
    )
    assert f"Net {MINUS}USD 100.00 Tax {MINUS}USD 20.00 Total {MINUS}USD 120.00" in said
    assert "To pay by" not in said


def test_a_hundred_lines_and_long_words_run_over_pages_that_are_counted(
    new_invoice: NewInvoice, staff: User, now: datetime
) -> None:
    lines = [line(f"Visit {n}") for n in range(100)]
    address = "https://quayside.example/" + "photographs/" * 20
    invoice = approve(new_invoice(*lines, line("y" * 1000), line(f"See {address}"), reference="W" * 50), staff, now)
    began = time.perf_counter()
    pages = [page.extract_text() for page in read(invoice).pages]
    assert time.perf_counter() - began < 5, "with reading it back, on a busy machine"
    assert len(pages) == 4
    for n, page in enumerate(pages, start=1):
        assert f"INV-00001, page {n} of 4" in page and "Description" in page
    joined = "".join("".join(pages).split())
    assert joined.count("y" * 50) >= 19 and address in joined and "W" * 50 in joined, (
        "they break, and copy as they were"
    )
    assert "\u200b" not in joined


CODE = '#import "/etc/passwd": * \\ #panic("x") $x$ *b* _c_ `d` <e> @f // g /* h */ ]} #{1+1} "q" \\u{41} = t'


def test_no_text_of_a_user_is_ever_code(
    company: Company, new_invoice: NewInvoice, client_of_ours: Client, staff: User, now: datetime
) -> None:
    """Every text that gets onto paper is such a text; each is printed as it was typed."""
    Client.objects.update(name=CODE[:100], address_line_1=CODE[:100], city=CODE[:60], postal_code="#x[]")
    client_of_ours.refresh_from_db()
    everywhere = dict.fromkeys(("address", "payment_details", "invoice_terms"), CODE)
    Company.objects.update(name=CODE[:100], vat_number="#v$*[", **everywhere)
    site = Property.objects.create(name=CODE[:100])
    given = new_invoice(line(CODE), site=site, reference=CODE[:50], notes=CODE, client=client_of_ours)
    Invoice.objects.filter(pk=given.pk).update(number='#num("x")')
    given.refresh_from_db()
    said = "".join(words(given).split())
    code = "".join(CODE.split())
    assert said.count(code) == 10  # our name twice, address, how to pay, terms; theirs; property, line and notes
    assert '#num("x")' in said and "#x[]" in said and "#v$*[" in said


def test_letters_from_elsewhere_are_printed_and_those_in_no_font_leave_the_rest_standing(
    new_invoice: NewInvoice, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    european = "Αθήνα, Łódź, Прага, Ærø, Ðakovo, Ġgantija, ṫ, €, ½, “q”"
    assert european in words(new_invoice(line(european)))
    monkeypatch.setattr(paper, "_fonts", lambda: paper.typst.Fonts(include_system_fonts=False))
    with caplog.at_level(logging.WARNING, "invoices.paper"):
        said = words(new_invoice(line("Tower 中文 block \u0007\ue000 end"), line("Gutter clearing")))
    assert "Gutter clearing 2 85.00" in said and "Tower" in said and "end 2 85.00" in said
    assert "printed with boxes" in caplog.text


def test_it_is_tagged_for_readers_titled_and_in_british_english(company: Company, approved: Invoice) -> None:
    company.logo = a_logo()
    company.save()
    made = paper.pdf(approved, None)
    pdf = PdfReader(io.BytesIO(made))
    root: Any = pdf.trailer["/Root"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in made
    assert (root["/Lang"], root["/MarkInfo"]["/Marked"]) == ("en-GB", True)
    assert pdf.metadata is not None and pdf.metadata.title == "Invoice INV-00001"
    assert pdf.metadata.author == "Quayside Property Care Ltd"
    (logo,) = pdf.pages[0].images
    assert logo.image is not None and logo.image.size == (60, 20)


def test_the_same_data_gives_the_same_bytes(approved: Invoice) -> None:
    assert paper.pdf(approved, None) == paper.pdf(approved, None)


def test_it_opens_in_the_browser_under_a_good_name(desk: Browser, approved: Invoice) -> None:
    Company.objects.update(name="Łukasz & Söhne / Co")
    answer = desk.get(f"/invoices/{approved.pk}/pdf/")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    name = "Invoice%20INV-00001%20-%20%C5%81ukasz%20%26%20S%C3%B6hne%20-%20Co.pdf"
    assert answer.headers["Content-Disposition"] == f"inline; filename*=utf-8''{name}"
    assert answer.content.startswith(b"%PDF")


def test_terms_and_how_to_pay_are_set_with_the_company(client: Browser, admin: User, approved: Invoice) -> None:
    client.force_login(admin)
    typed = {"name": "Quayside", "currency": "GBP", "terms_days": "14"}
    paper_of = {"payment_details": "IBAN GB00 TEST", "invoice_terms": "Goods remain ours until paid for."}
    assert client.post("/settings/company/", {**typed, **paper_of}).status_code == 302
    said = words(approved)
    assert "How to pay IBAN GB00 TEST" in said and "Terms Goods remain ours until paid for." in said


def a_logo() -> bytes:
    written = io.BytesIO()
    Image.new("RGBA", (60, 20), (22, 90, 110, 128)).save(written, "PNG")
    return written.getvalue()
