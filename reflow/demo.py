"""A believable small business to try Reflow with: Quayside Property Care, its clients, items and invoices."""

import random
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import User
from django.utils.timezone import localdate

from invoices import services
from invoices.models import Client, Company, Invoice, Item, Property, TaxRate
from invoices.services import InvoiceDraft, LineDraft

SIGN_INS = (
    ("admin", "Ada", "Quayle", "Admin", "quayside-admin"),
    ("staff", "Sam", "Fenwick", "Staff", "quayside-staff"),
    ("viewer", "Vera", "Lund", "Viewer", "quayside-viewer"),
)
CLIENTS = (
    # name, reference, e-mail, address, town, postcode, terms in days
    ("Bramley Stores Ltd", "BRAM1", "accounts@bramley.example", "4 Mill Lane", "Leeds", "LS1 4AB", 30),
    ("Castle View Apartments", "CASTLE", "office@castleview.example", "1 Castle Hill", "Lincoln", "LN1 3AA", 14),
    ("Dalesway Housing Association", "DALES", "payables@dalesway.example", "22 Fell Road", "Kendal", "LA9 4DN", 30),
    ("Eastgate Dental Practice", "EASTG", "manager@eastgate.example", "7 Eastgate", "Chester", "CH1 1LE", 30),
    ("Fairhaven Care Homes", "FAIRH", "finance@fairhaven.example", "90 Shore Road", "Southport", "PR8 2QB", 45),
    ("Greenacre Lettings", "GREEN", "hello@greenacre.example", "15 Park Row", "Bristol", "BS1 5LJ", 14),
    ("Hollins & Sons Solicitors", "HOLLI", "accounts@hollins.example", "3 Chancery Court", "York", "YO1 8AQ", 30),
    ("Ivy Court Management", "IVYCT", "board@ivycourt.example", "Ivy Court", "Harrogate", "HG1 2BT", 30),
    ("Jubilee Primary School", "JUBIL", "bursar@jubilee.example", "Jubilee Way", "Sheffield", "S10 2TN", 30),
    ("Kingsway Retail Park", "KINGS", "estates@kingsway.example", "Unit 1, Kingsway", "Derby", "DE22 3FA", 60),
    ("Larkspur Holiday Lets", "LARKS", "bookings@larkspur.example", "The Old Barn", "Keswick", "CA12 5AB", 14),
    ("Millrace Brewery", "MILLR", "brewer@millrace.example", "Millrace Yard", "Masham", "HG4 4EN", 30),
)
ITEMS = (
    # code, description, kind, price, tax rate
    ("GUT-CLEAN", "Gutter clearing, per elevation", "SERVICE", "85.00", "STANDARD"),
    ("GAS-CERT", "Landlord gas safety certificate", "SERVICE", "92.50", "STANDARD"),
    ("EICR", "Electrical installation condition report", "SERVICE", "180.00", "STANDARD"),
    ("BOILER-SVC", "Annual boiler service", "SERVICE", "96.00", "STANDARD"),
    ("CALL-OUT", "Emergency call-out, first hour", "SERVICE", "110.00", "STANDARD"),
    ("LABOUR", "Labour, per hour", "SERVICE", "48.00", "STANDARD"),
    ("JOINERY", "Joinery, per hour", "SERVICE", "52.00", "STANDARD"),
    ("PAINT-ROOM", "Redecorate one room", "SERVICE", "340.00", "STANDARD"),
    ("GROUNDS", "Grounds maintenance, monthly visit", "SERVICE", "145.00", "STANDARD"),
    ("CLEAN-COM", "Communal area cleaning, weekly", "SERVICE", "62.00", "STANDARD"),
    ("WINDOWS", "Window cleaning, per visit", "SERVICE", "38.00", "STANDARD"),
    ("INSPECT", "Property inspection with photographs", "SERVICE", "65.00", "STANDARD"),
    ("MGMT-FEE", "Management fee, monthly", "SERVICE", "250.00", "STANDARD"),
    ("ADAPT", "Mobility adaptations for a resident over 60", "SERVICE", "420.00", "REDUCED"),
    ("RENT-COM", "Rent of commercial unit, monthly", "SERVICE", "1250.00", "EXEMPT"),
    ("SMOKE-AL", "Smoke alarm, mains with battery", "PRODUCT", "24.95", "STANDARD"),
    ("CO-ALARM", "Carbon monoxide alarm", "PRODUCT", "21.50", "STANDARD"),
    ("LOCK-5", "Five-lever mortice lock", "PRODUCT", "39.99", "STANDARD"),
    ("LED-PANEL", "LED ceiling panel", "PRODUCT", "44.00", "STANDARD"),
    ("MANUAL", "Printed tenant's handbook", "PRODUCT", "6.50", "ZERO"),
)
PROPERTIES = (
    # name, client's reference, address
    ("Castle View, Block A", "CASTLE", "1 Castle Hill, Lincoln"),
    ("Castle View, Block B", "CASTLE", "1 Castle Hill, Lincoln"),
    ("Ivy Court", "IVYCT", "Ivy Court, Harrogate"),
    ("12 Fell Road", "DALES", "12 Fell Road, Kendal"),
    ("Kingsway Unit 4", "KINGS", "Unit 4, Kingsway, Derby"),
    ("The Old Barn", "LARKS", "The Old Barn, Keswick"),
)
INVOICES = 60
APPROVED = 45


def load(*, now: datetime) -> None:
    """Fills an empty installation; the same business at every first start."""
    people = [_person(*sign_in) for sign_in in SIGN_INS]
    Company.objects.update_or_create(
        pk=1,
        defaults={
            "name": "Quayside Property Care Ltd",
            "address": "8 Harbour Street\nWhitby\nYO22 4DB",
            "vat_number": "GB123456789",
        },
    )
    for name, reference, email, address, city, postal_code, terms in CLIENTS:
        where = {"address_line_1": address, "city": city, "postal_code": postal_code}
        Client.objects.create(name=name, reference=reference, email=email, terms_days=terms, **where)
    for code, description, sort, price, rate in ITEMS:
        Item.objects.create(code=code, description=description, sort=sort, unit_price=Decimal(price), tax_rate_id=rate)
    for name, reference, address in PROPERTIES:
        Property.objects.create(name=name, client=Client.objects.get(reference=reference), address=address)
    _raise_invoices(people[1], now)


def _person(username: str, first: str, last: str, role: str, password: str) -> User:
    person = User.objects.create_user(username, password=password, first_name=first, last_name=last)
    person.groups.add(Role.objects.get(name=role))
    return person


def _raise_invoices(staff: User, now: datetime) -> None:
    dice = random.Random(20261121)  # noqa: S311  # a story, not a secret
    clients, items = list(Client.objects.all()), list(Item.objects.select_related("tax_rate"))
    rates = {rate.pk: rate for rate in TaxRate.objects.all()}
    for n in range(INVOICES):
        client = dice.choice(clients)
        issued = localdate(now) - timedelta(days=INVOICES - n)
        draft = InvoiceDraft(
            client=client,
            site=client.properties.order_by("pk").first() if n % 3 == 0 else None,
            issue_date=issued,
            due_date=issued + timedelta(days=client.terms_days or 30),
            reference=f"PO-{7000 + n}" if n % 2 else "",
            notes="",
            lines=[_line(item, rates, dice) for item in dice.sample(items, dice.randint(1, 5))],
        )
        invoice = services.create_invoice(draft=draft, actor=staff, now=now)
        if n < APPROVED:
            services.approve(invoice_id=invoice.pk, actor=staff, now=now)


def _line(item: Item, rates: dict[str, TaxRate], dice: random.Random) -> LineDraft:
    return LineDraft(
        item=item,
        description=item.description,
        quantity=Decimal(dice.choice(("1", "1", "2", "3", "4.5"))),
        unit_price=item.unit_price,
        discount_percent=Decimal(dice.choice(("0", "0", "0", "5", "10"))),
        tax_rate=rates[item.tax_rate_id],
    )


def to_send(count: int) -> list[Invoice]:
    """The oldest invoices that have not been sent."""
    waiting = Invoice.objects.filter(status__in=[Invoice.Status.DRAFT, Invoice.Status.APPROVED], pushes=None)
    return list(waiting.order_by("issue_date", "pk")[:count])
