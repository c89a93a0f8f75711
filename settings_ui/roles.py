"""What each role may do, read from the permissions it has: the table on the page of people can't say anything else."""

from dataclasses import dataclass

from django.contrib.auth.models import Group as Role

ROLES = ("Viewer", "Staff", "Admin")
DEEDS = {
    # a permission: what it lets somebody do
    "view_invoice": "Read invoices, clients, items and properties",
    "add_invoice": "Raise and change them",
    "approve_invoice": "Approve invoices",
    "send_invoice": "Send to Sage, and settle what Sage asks back",
    "change_group": "Set how invoices are numbered",
    "change_connection": "Connect Sage, and choose what it receives",
    "change_company": "Change the company's details",
    "change_user": "Invite people, and change their roles",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One row of the table: what is done, and for each role whether it may."""

    text: str
    may: tuple[tuple[str, bool], ...]


def deeds() -> list[Deed]:
    allowed = set(Role.objects.filter(name__in=ROLES).values_list("name", "permissions__codename"))
    return [
        Deed(text, tuple((role, (role, codename) in allowed) for role in ROLES)) for codename, text in DEEDS.items()
    ]
