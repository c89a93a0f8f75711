"""Who can sign in to which company, and the Web Services users that an application may act as."""

import re
from dataclasses import dataclass

from sandbox.intacct.grants import Grant

USERNAME = re.compile(r"(?P<user_id>[^@|]+)@(?P<company_id>[^@|]+)(?:\|(?P<entity_id>[^@|]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    company_id: str
    user_id: str
    name: str
    receivables: bool = True  # whether they may work in Accounts Receivable

    @property
    def password(self) -> str:
        return "harbour"


PEOPLE = (
    Person(company_id="HARBOUR", user_id="bookkeeper", name="Robin Ash"),
    Person(company_id="HARBOUR", user_id="clerk", name="Kit Lowe", receivables=False),
    Person(company_id="QUAY", user_id="bookkeeper", name="Robin Ash"),
)
# Web Services users whom an administrator has paired with the application, at a company or one of its entities.
PAIRED = frozenset({"xml_reflow@HARBOUR", "xml_reflow@HARBOUR|LDN", "xml_reflow@HARBOUR|NTH", "xml_reflow@QUAY"})


def sign_in(company_id: str, user_id: str, password: str) -> Person | None:
    given = (company_id.strip(), user_id.strip(), password)
    return next((each for each in PEOPLE if (each.company_id, each.user_id, each.password) == given), None)


def may_use_receivables(grant: Grant) -> bool:
    """Whether the grant's user may; a Web Services user may."""
    denied = {(each.company_id, each.user_id) for each in PEOPLE if not each.receivables}
    return (grant.company_id, grant.user_id) not in denied


def read_username(username: str) -> Grant | None:
    """`user@company`, or `user@company|entity`, in exactly these letters; None for any other form."""
    found = USERNAME.fullmatch(username)
    return Grant(**found.groupdict("")) if found else None
