"""What a page costs at 10,000, 100,000 and 1,000,000 invoices, asked for by a signed-in admin through all layers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from bench import books, rounds
from bench.goals import Figure
from bench.rounds import MIDDLING, SMALL
from incrementors.models import Number
from invoices.filtering import SORTS
from invoices.listing import FIELDS
from invoices.models import Client, Invoice, Push

Address = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the databases, and somebody who is signed in there."""

    name: str
    browser: Browser

    @classmethod
    def of(cls, count: int) -> "Side":
        name, browser = books.opened(count), Browser()
        browser.force_login(User.objects.get(username="ada"))
        return cls(name, browser)

    def get(self, address: str) -> bytes:
        answer = self.browser.get(address)
        if answer.status_code != 200:
            raise AssertionError(f"{address} answers {answer.status_code}")
        return bytes(answer.getvalue())


def _list(**asked: str) -> Address:
    return lambda: f"/invoices/?{urlencode(asked)}"


def _middle(sort: str, **asked: str) -> Address:
    """The page that begins in the middle of the list in this order."""

    def address() -> str:
        field, sign = FIELDS[sort.removeprefix("-")], sort[: sort.startswith("-")]
        rows = Invoice.objects.order_by(f"{sign}{field}", f"{sign}pk").values_list(field, "pk")
        value, pk = rows[Invoice.objects.count() // 2]
        return f"/invoices/?{urlencode({**asked, 'sort': sort, 'after': f'{value}.{pk}'})}"

    return address


def _of_many_clients() -> str:
    """Filtered by a word that a client's name shares with many."""
    return f"/invoices/?{urlencode({'client': Client.objects.get(pk=77).name.split()[0]})}"


def _of_one_client() -> str:
    """A search for all of a name, by a figure that no other name has in it: it is among the last."""
    one = Client.objects.filter(name__contains=" Ltd ").order_by("-pk")[0]
    return f"/invoices/?{urlencode({'q': one.name})}"


def _first_figures(words: str) -> Address:
    """A search for one with five figures at a million invoices, with three at 10,000: about as many are found."""

    def address() -> str:
        known = max(3, len(str(Invoice.objects.count())) - 2)
        return f"/invoices/?{urlencode({'q': words[: len(words) - 5 + known]})}"

    return address


def lists() -> Iterator[tuple[str, Address]]:
    """The invoice list in every order it offers, at its beginning and in the middle, by each filter, and searched."""
    for sort, words in SORTS.items():
        yield f"list, {words.lower()}", _list(sort=sort)
        yield f"list, {words.lower()}, middle", _middle(sort)
    for status in ("DRAFT", "ASKED", "APPROVED", "AWAITING", "SENT", "PART_PAID", "PAID", "VOID"):
        yield f"list of {status}", _list(status=status)
    for state in ("NOT_SENT", "MOVING", "ATTENTION", "PARKED", "SENT"):
        yield f"list, in Sage {state}", _list(sage=state)
    yield "list of credit notes", _list(kind="CREDIT_NOTE")
    yield "list of imported", _list(origin="IMPORTED")
    yield "list of one currency", _list(currency="GBP")
    yield "list of overdue", _list(overdue="1")
    yield "list of overdue, the largest first", _list(overdue="1", sort="-total")
    yield "list of overdue, the oldest first", _list(overdue="1", sort="due")
    yield "list of PAID, the largest first", _list(status="PAID", sort="-total")
    yield "list of PAID, by number", _list(status="PAID", sort="number")
    yield "list of SENT, by due date", _list(status="SENT", sort="due")
    yield "list of VOID, by number", _list(status="VOID", sort="-number")
    yield "list of credit notes, by due date", _list(kind="CREDIT_NOTE", sort="due")
    yield "list of one month", _list(since="2024-03-01", until="2024-03-31")
    yield "list of one month, the largest first", _list(since="2024-03-01", until="2024-03-31", sort="-total")
    yield "list of one month, by due date", _list(since="2024-03-01", until="2024-03-31", sort="-due")
    yield "list of one month, by number", _list(since="2024-03-01", until="2024-03-31", sort="-number")
    yield "list of credit notes, the largest first", _list(kind="CREDIT_NOTE", sort="-total")
    yield "list of SENT, by number", _list(status="SENT", sort="number")
    yield "list of imported, by number", _list(origin="IMPORTED", sort="-number")
    yield "list of a currency that nobody has", _list(currency="EUR")
    yield "list of one client", _list(client="C77")
    yield "list of many clients", _of_many_clients
    yield "list of many clients, PAID, the largest first", lambda: f"{_of_many_clients()}&status=PAID&sort=-total"
    yield "search for a number", _list(q="INV-0004321")
    yield "search for what each number has", _list(q="inv")
    yield "search for three figures", _list(q="219")
    yield "search for three figures, among few", _list(q="219", status="ASKED")
    yield "search for a client", _of_one_client
    yield "search for a word of many clients", _list(q="bramley")
    yield "search for a word of many lines", _list(q="boiler")
    yield "search for a job", _first_figures("job 21987")
    yield "search for a reference", _first_figures("PO-30030")
    yield "search for nothing that is there", _list(q="zeppelin")
    yield "search, filtered", _list(q="bramley", status="PAID", sort="-total")


def _invoice(**which: str) -> Address:
    return lambda: f"/invoices/{_one(**which)}/"


def _one(**which: str) -> int:
    found = Invoice.objects.filter(**which).order_by("-pk").first()
    assert found
    return found.pk


def _at(address: str) -> Address:
    return lambda: address


def _largest(address: str) -> Address:
    return lambda: address.format(1)


def _typical(address: str) -> Address:
    return lambda: address.format(77)


def _register_middle() -> str:
    found = Number.objects.filter(group="INVOICES").order_by("-value")[
        Number.objects.filter(group="INVOICES").count() // 2
    ]
    return f"/numbers/?{urlencode({'p': found.prefix, 's': found.suffix, 'v': found.value})}"


def others() -> Iterator[tuple[str, Address]]:
    """All other pages that a person waits for."""
    for status in ("DRAFT", "APPROVED", "SENT", "PAID", "VOID"):
        yield f"an invoice, {status}", _invoice(status=status)
    yield "an imported invoice", _invoice(origin="IMPORTED")
    yield "a credit note", _invoice(kind="CREDIT_NOTE")
    yield "an invoice that is held", lambda: f"/invoices/{_held()}/"
    yield "the card of an invoice", lambda: f"/invoices/{_one(status='SENT')}/push/"
    yield "the checks of an invoice", lambda: f"/invoices/{_one(status='DRAFT')}/checks/"
    yield "an invoice being edited", lambda: f"/invoices/{_one(status='DRAFT')}/edit/"
    yield "a new invoice", _at("/invoices/new/")
    yield "a credit note being raised", lambda: f"/invoices/{_one(status='SENT', origin='OWN')}/credit/"
    yield "voiding an invoice", lambda: f"/invoices/{_one(status='SENT', origin='OWN')}/void/"
    yield "all drafts chosen", _at("/invoices/chosen/?status=DRAFT")
    yield "all paid chosen", _at("/invoices/chosen/?status=PAID")
    yield (
        "rows that move",
        lambda: "/invoices/moving/?" + urlencode({"seen": [f"{n}.SENT.0" for n in range(1, 51)]}, doseq=True),
    )
    yield "dashboard", _at("/")
    yield "clients", _at("/clients/")
    yield "clients, the last page", lambda: f"/clients/?after={Client.objects.order_by('-name', '-pk')[50].pk}"
    yield "clients, searched", lambda: f"/clients/?{urlencode({'q': 'bramley'})}"
    yield "client, being typed", lambda: f"/clients/choices/?{urlencode({'q': 'bram'})}"
    yield "item, being typed", lambda: f"/items/choices/?{urlencode({'q': 'boiler'})}"
    yield "a client", _typical("/clients/{}/")
    yield "items", _at("/items/")
    yield "properties", _at("/properties/")
    yield "debtors", _at("/debtors/")
    yield "debtors, a month ago", _at("/debtors/?as_of=2026-10-20")
    yield "debtors, searched", lambda: f"/debtors/?{urlencode({'q': 'bramley'})}"
    yield "reminders", _at("/debtors/reminders/")
    yield "statement of a client", _typical("/clients/{}/statement/")
    yield "statement of a client, its year", _typical("/clients/{}/statement/?kind=activity&since=2026-01-01")
    yield "statement of the largest client", _largest("/clients/{}/statement/")
    yield (
        "statement of the largest client, its month",
        _largest("/clients/{}/statement/?kind=activity&since=2026-11-01"),
    )
    yield "number register", _at("/numbers/")
    yield "number register, middle", _register_middle
    yield "number register, a month", _at("/numbers/?since=2026-10-01&until=2026-10-31")
    for part in ("attention", "waiting", "processing", "successful", "parked"):
        yield f"sync centre, {part}", _at(f"/sync/?show={part}")
    yield "sync centre, searched", lambda: f"/sync/?{urlencode({'show': 'successful', 'q': 'INV-0004321'})}"
    yield "a push", lambda: f"/sync/pushes/{Push.objects.filter(state='ATTENTION').order_by('-pk')[0].pk}/"
    yield "sends", _at("/invoices/sends/")
    yield "a send of 5,000", _at("/invoices/sends/1/")
    yield "checks before a send of 300", _at("/invoices/sends/32/")
    yield "imports", _at("/imports/")
    yield "an import", _at("/imports/60/")
    yield "a new import", _at("/imports/new/invoices/")
    yield "company", _at("/settings/company/")
    yield "connector", _at("/settings/connector/")
    yield "health of the connection", _at("/settings/connector/health/")
    yield "sync settings", _at("/settings/connector/sync/")
    yield "incrementor groups", _at("/settings/incrementors/")
    yield "an incrementor group", _at("/settings/incrementors/INVOICES/")
    yield "people", _at("/settings/people/")


def _held() -> int:
    return Push.objects.filter(state="ATTENTION").order_by("-pk")[0].invoice_id


def run(large: int) -> Iterator[Figure]:
    """Every page at each size, by turns; the list is held to more."""
    sides = {count: Side.of(count) for count in sorted({SMALL, MIDDLING, large})}
    for what, address in [*lists(), *others()]:
        yield from _figures(what, address, sides)


def _figures(what: str, address: Address, sides: Mapping[int, Side]) -> Iterator[Figure]:
    small, large = min(sides), max(sides)
    there, statements, blocks, rows = {}, {}, {}, {}
    for count, side in sides.items():
        books.use(side.name)
        there[count] = address()
        with CaptureQueriesContext(connection) as captured:
            rows[count] = side.get(there[count]).count(b"<tr")
        statements[count] = len(captured)
        blocks[count] = _blocks(side, there[count])
    took = rounds.measure({str(count): _asking(side, there[count]) for count, side in sides.items()})
    times = ", ".join(f"{took.milliseconds(str(count)):.1f}" for count in sides)
    looked, shown = (", ".join(f"{found[count]:,}" for count in sides) for found in (blocks, rows))
    told = f"{times} ms; {looked} blocks; {shown} rows; {statements[large]} SQL"
    ratios = took.ratios(str(large), str(small))
    if what.startswith(("list", "search")):
        yield Figure(goal="9", what=what, samples=ratios, plain=told)
        yield Figure(goal="9b", what=what, samples=tuple(Fraction(each) for each in statements.values()))
    grown = tuple(Fraction(rounds.exponent(ratio, large // small)) for ratio in ratios)
    yield Figure(goal="14", what=what, samples=grown, plain=told)


def _blocks(side: Side, address: str) -> int:
    """How many blocks of 8 KB Postgres looks at for it: the same however busy the machine is."""
    counted = []
    for asked in (False, True, False):
        if asked:
            side.get(address)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(
                "SELECT pg_stat_get_db_blocks_fetched(oid) FROM pg_database WHERE datname = current_database()"
            )
            counted.append(int(cursor.fetchone()[0]))
    return counted[1] - counted[0] - (counted[2] - counted[1])


def _asking(side: Side, address: str) -> Callable[[], None]:
    def ask() -> None:
        side.get(address)

    def here() -> None:
        books.use(side.name)
        ask()

    return here
