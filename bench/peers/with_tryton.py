"""Tryton: an invoice of five lines created and posted by a caller who knows the locks it takes, and a page of its list.

Started with the URL of an empty database or of one that an earlier run has filled, and how many invoices it holds.
"""

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from turns import copies, take

URL, COUNT = urlsplit(sys.argv[1]), int(sys.argv[2])
NAME = URL.path[1:]
HOME = tempfile.TemporaryDirectory(prefix="peer-tryton-")
CONFIG, PASSWORD = Path(HOME.name) / "trytond.conf", Path(HOME.name) / "password"
CONFIG.write_text(f"[database]\nuri = postgresql://{URL.netloc}/\n")
PASSWORD.write_text("only-for-a-bench")
os.environ.update(TRYTOND_CONFIG=str(CONFIG), TRYTONPASSFILE=str(PASSWORD), DB_NAME=NAME)

import proteus.config  # noqa: E402
from proteus import Model  # noqa: E402
from trytond.pool import Pool  # noqa: E402
from trytond.transaction import Transaction, TransactionError  # noqa: E402

PAGE = 50
FIELDS = (  # that its own list of invoices shows
    *("type", "number", "reference", "invoice_date", "party.rec_name", "untaxed_amount"),
    *("tax_amount", "total_amount", "state", "amount_to_pay_today"),
)


def build():
    """The modules, a company with its chart of accounts and this year, a client; one invoice, and copies of it."""
    admin = Path(sys.executable).with_name("trytond-admin")
    given = ["-c", CONFIG, "-d", NAME, "-l", "en", "--email", "ada@quayside.example", "-p"]
    subprocess.run([admin, *given, "-u", "account_invoice", "--activate-dependencies"], check=True)
    proteus.config.set_trytond(NAME)
    from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, create_tax, get_accounts
    from trytond.modules.account_invoice.tests.tools import create_payment_term, set_fiscalyear_invoice_sequences
    from trytond.modules.company.tests.tools import create_company

    create_company()
    create_chart()
    year = set_fiscalyear_invoice_sequences(create_fiscalyear())
    year.click("create_period")
    create_tax(Decimal("0.2")).save()
    create_payment_term().save()
    Model.get("party.party")(name="Bramley Court Residents").save()
    get_accounts()
    creating()()
    grow()


def grow():
    """Copies of the one invoice that is posted, with its lines and taxes."""
    own = "was.id + n"
    fresh = {
        "account_invoice": {"id": own, "number": "'C' || n", "move": "NULL"},
        "account_invoice_line": {"id": "was.id + n * 5", "invoice": "was.invoice + n"},
        "account_invoice_tax": {"id": own, "invoice": "was.invoice + n"},
    }
    with Transaction().start(NAME, 0) as transaction, transaction.connection.cursor() as on:
        for table, changed in fresh.items():
            on.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
                [table],
            )
            columns = [name for (name,) in on.fetchall()]
            on.execute(copies(columns, table, changed, COUNT))
            on.execute(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")  # noqa: S608  # one of ours
            on.execute(f"ANALYZE {table}")
        transaction.commit()


def opened():
    """The pool of models, and the key and the context of who works in it."""
    Pool.start()
    pool = Pool(NAME)
    pool.init()
    with Transaction().start(NAME, 0, readonly=True):
        (admin,) = (user.id for user in pool.get("res.user").search([("login", "=", "admin")]))
    with Transaction().start(NAME, admin, readonly=True):
        return pool, admin, pool.get("res.user").get_preferences(True)


def creating():
    pool, admin, context = opened()
    with Transaction().start(NAME, admin, context=context, readonly=True):
        accounts = pool.get("account.account")
        revenue, receivable = (
            accounts.search([(f"type.{kind}", "=", True), ("closed", "!=", True)], limit=1)[0].id
            for kind in ("revenue", "receivable")
        )
        (tax,) = (each.id for each in pool.get("account.tax").search([], limit=1))
        (party,) = (each for each in pool.get("party.party").search([("name", "=", "Bramley Court Residents")]))
        given = {
            "type": "out",
            "company": context["company"],
            "currency": pool.get("company.company")(context["company"]).currency.id,
            "party": party.id,
            "invoice_address": party.addresses[0].id if party.addresses else None,
            "journal": pool.get("account.journal").search([("type", "=", "revenue")])[0].id,
            "account": receivable,
            "payment_term": pool.get("account.invoice.payment_term").search([])[0].id,
            "invoice_date": datetime.now(UTC).date(),
        }
    line = {"type": "line", "account": revenue, "quantity": 2, "unit_price": Decimal(50), "taxes": [("add", [tax])]}
    lines = [{**line, "description": f"Visit {place}"} for place in range(1, 6)]
    known = {}

    def create():
        while True:
            with Transaction().start(NAME, admin, context=context, **known) as transaction:
                invoice = pool.get("account.invoice")
                try:
                    made = invoice.create([{**given, "lines": [("create", lines)]}])
                    invoice.post(made)
                    transaction.commit()
                    return
                except TransactionError as unlocked:
                    transaction.rollback()
                    unlocked.fix(known)

    return create


def listing():
    pool, admin, context = opened()

    def ask():
        with Transaction().start(NAME, admin, context=context, readonly=True):
            found = pool.get("account.invoice").search_read(
                [("type", "=", "out")], limit=PAGE, fields_names=list(FIELDS)
            )
            if len(found) != PAGE:
                raise AssertionError(len(found))

    return ask


if sys.argv[3:] == ["build"]:
    build()
else:
    take({"create": creating(), "list": listing()})
