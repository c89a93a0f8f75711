"""The sync centre with a real worker over the sandbox: six causes, six mends, and all of it in Sage once."""

from collections import Counter
from datetime import datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser

from connectors.models import Connection
from invoices import trouble
from invoices.models import Push
from tests.books import Sandbox
from tests.journeys.mended import CAUSES, Day, work_off

pytestmark = pytest.mark.django_db
MANY = pytest.param(5, 968, marks=pytest.mark.prove, id="1,000 with 30 bad")


@pytest.mark.parametrize(("bad", "good"), [pytest.param(5, 28, id="60 with 30 bad"), MANY])
def test_six_causes_are_six_groups_and_six_mends_send_everything_once(
    connection: Connection,
    sandbox: Sandbox,
    staff: User,
    admin: User,
    client: Browser,
    now: datetime,
    bad: int,
    good: int,
) -> None:
    day = Day(sandbox=sandbox, connection=connection, staff=staff, now=now, bad=bad, good=good)
    day.send()
    found = trouble.groups(connection)
    assert Counter({group.kind: group.count for group in found}) == dict.fromkeys(CAUSES, bad)
    client.force_login(admin)
    page = client.get("/sync/").text
    assert page.count('class="card sync-group"') == 6
    for kind in CAUSES:
        day.mend(client, kind)
        work_off(seconds=120)
    assert {*Push.objects.values_list("state", flat=True)} == {"SENT"}
    assert Push.objects.count() == 6 * bad + good + 2
    held = Counter(day.in_sage())
    assert {*held.values()} == {1}, "each once"
    assert len(held) == 6 * bad + good + 2
    assert "Nothing needs you" in client.get("/sync/").text
