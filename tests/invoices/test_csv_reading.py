"""A CSV file however a spreadsheet wrote it: its letters, its separators, its quotes, and never an accident."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoices.csv_reading import Table, Unreadable, read
from invoices.import_columns import COLUMNS, matched, wrong_with

TEXT = "Name,Town\r\nZoë Müller,“Köln”\r\n"


def rows(content: bytes) -> list[tuple[int, tuple[str, ...]]]:
    return list(read(content, most_rows=100).rows)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "UTF-8, separated by commas"),
        ("utf-8-sig", "UTF-8, separated by commas"),
        ("utf-16", "UTF-16, separated by commas"),
        ("utf-16-le", "UTF-16 (it doesn't say so itself), separated by commas"),
        ("utf-16-be", "UTF-16 (it doesn't say so itself), separated by commas"),
        ("cp1252", "Windows-1252 (it isn't UTF-8; look at names with accents), separated by commas"),
    ],
)
def test_letters_are_read_as_they_were_written_and_it_says_how(encoding: str, said: str) -> None:
    table = read(TEXT.encode(encoding), most_rows=100)
    assert table == Table(heading=("Name", "Town"), rows=((2, ("Zoë Müller", "“Köln”")),), wide=(), read_as=said)


@pytest.mark.parametrize("text", ["a;b\n1,5;2\n", "a\tb\n1,5\t2\n", "a|b\n1,5|2\n", "sep=;\r\na;b\r\n1,5;2\r\n"])
def test_cells_are_separated_by_what_the_heading_is(text: str) -> None:
    assert [cells for _, cells in rows(text.encode())] == [("1,5", "2")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n\n \n1,2\n,,\n3\n", [(4, ("1", "2")), (6, ("3", ""))]),
        ('a,b\n"x, ""y""\nz",2\n3,4\n', [(2, ('x, "y"\nz', "2")), (3, ("3", "4"))]),
        ("a,b\r1,2\r3,4\r", [(2, ("1", "2")), (3, ("3", "4"))]),
        ("a,b,,\n1,2,,\n", [(2, ("1", "2"))]),
        ("a\n'=1+1\n=2\n'quoted'\n", [(2, ("=1+1",)), (3, ("=2",)), (4, ("'quoted'",))]),
        ("a,b\n 1 ,\u00a02\n", [(2, ("1", "2"))]),
    ],
)
def test_rows_have_the_numbers_that_a_spreadsheet_shows(text: str, found: list[tuple[int, tuple[str, ...]]]) -> None:
    assert rows(text.encode()) == found


def test_a_row_that_is_wider_than_the_heading_is_told() -> None:
    assert read(b"a,b\n1,2,3\n1,2,,\n", most_rows=9).wide == (2,)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "The file is empty"),
        (b"\n , ,\n", "The file is empty"),
        (b"PK\x03\x04xl", "This is an Excel workbook"),
        (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook"),
        (b"%PDF-1.7", "This is a PDF"),
        (b"a,b\n\x81\x8d\xff\n", "Its letters can't be read"),
        (b"\xff\xfea", "Its letters can't be read"),
        (b'a,b\n1,2\n"x,2\n', "Row 3 can't be read: a quotation mark"),
        (b'a,b\n"x"y,2\n', "Row 2 can't be read: a quotation mark"),
        (b"a\n" + b"1\n" * 101, "It has more than 100 rows"),
    ],
)
def test_what_is_no_csv_is_refused_in_words(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why.replace("(", r"\(")):
        read(content, most_rows=100)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-16")))
def test_no_bytes_make_it_fall_over(content: bytes) -> None:
    with suppress(Unreadable):
        table = read(content, most_rows=50)
        assert all(len(cells) == len(table.heading) for _, cells in table.rows)
        assert len(matched(table.heading, "INVOICES")) == len(table.heading)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=2, max_size=2)))
def test_what_a_program_wrote_is_read_as_it_was(cells: list[list[str]]) -> None:
    file = io.StringIO()
    csv.writer(file).writerows([["a", "b"], *cells])
    plain = [
        tuple(text[1:] if text[:1] == "'" and text[1:2] in "=+-@" and text[1:2] else text for text in row)
        for row in cells
    ]
    assert [row for _, row in read(file.getvalue().encode(), most_rows=100).rows] == plain


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        (
            ["Invoice No.", "CUSTOMER", "invoice_date", "Qty", "VAT"],
            ["invoice", "client", "issue_date", "quantity", "tax_rate"],
        ),
        (["Date", "Invoice date", "Due Date"], ["issue_date", "", "due_date"]),
        (["Row", "What to mend", "", "Foo"], ["", "", "", ""]),
        (["Reference", "Number", "Amount"], ["reference", "invoice", "unit_price"]),
    ],
)
def test_headings_are_known_however_they_are_written(heading: list[str], fields: list[str]) -> None:
    assert matched(heading, "INVOICES") == fields


def test_columns_that_lack_are_named() -> None:
    assert wrong_with(["invoice", "client"], "INVOICES").startswith("No column of the file is read as “Date”.")
    assert wrong_with([column.name for column in COLUMNS["INVOICES"]], "INVOICES") == ""
