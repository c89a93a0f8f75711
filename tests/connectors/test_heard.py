"""What is kept of an answer: figure for figure, bounded, and without a secret, wherever that stands."""

import json

import pytest

from connectors.heard import KEPT, hear, pretty, without_secrets

TOKEN = "opaque-token-4711-of-the-call"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "said",
    [
        f'{{"echo": "{TOKEN}"}}',
        f"<html>{TOKEN}</html>",
        '{"access_token": "secret-1"}',
        '{"a": {"Refresh-Token" : "secret-1"}}',
        '{"client_secret": "secret-1", "x": 1}',
        '{"password":"secret-1 with \\" a quote"}',
        '{"headers": {"Authorization": "Bearer secret-1-and-more"}}',
        "Authorization: Bearer secret-1.and-more",
        f"a token {JWT} in words",
        '{"X-API-Key": "secret-1',
    ],
)
def test_no_secret_is_left(said: str) -> None:
    kept = hear(400, said.encode(), TOKEN).part(0, 1)
    assert "[hidden]" in kept
    for secret in (TOKEN, "secret-1", JWT, "a quote"):
        assert secret not in kept


def test_figures_stay_as_they_were() -> None:
    said = '{"total": 170.00, "count": 3, "name": "Ünder £5", "none": null}'
    assert pretty(said).splitlines()[1:3] == ['  "total": 170.00,', '  "count": 3,']
    assert "Ünder £5" in pretty(said)
    assert pretty("no JSON <at all>") == "no JSON <at all>"


def test_of_several_in_one_call_each_is_told_its_part() -> None:
    said = hear(207, b'{"ia::result": [{"key": "1"}, {"key": "2", "x": 1.50}]}', TOKEN)
    assert said.part(1, 2) == '{"key": "2", "x": 1.50}'
    assert '"1"' in said.part(0, 3), "where it can't be told, the whole"


def test_it_is_bounded_and_can_be_kept_whatever_it_is() -> None:
    for said in (b"x" * 3_000_000, b"\x00\xff\xfe" * 9000, json.dumps("\ud800" * 9000).encode(), b"[" * 100_000):
        kept = hear(200, said, TOKEN).part(0, 1)
        assert len(kept) <= KEPT and "\x00" not in kept
        pretty(kept).encode()


def test_what_is_no_secret_is_kept() -> None:
    said = '[{"$message": "is not a tax rate", "$dataCode": "RecordInvalid", "$source": "tax_rate_id"}]'
    assert without_secrets(said) == said
