"""What can be done about who may sign in: the first admin, invitations, roles, shutting out, links for a password."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Thread

from axes.utils import reset as forget_wrong_passwords
from django.conf import settings
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Max, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from invoices.models import Company
from settings_ui.models import AccessChange

logger = logging.getLogger(__name__)
ADMIN = "Admin"
LINK_MADE = "Password link made"
FORGOTTEN = "Asked for a password link on the sign-in page"
BETWEEN_MAILS = timedelta(minutes=5)


class Refused(Exception):
    """Why this can't be done, in words for the person who asked."""


def role_of(person: User) -> str:
    if person.is_superuser:
        return ADMIN
    return next((role.name for role in person.groups.all()), "")


@transaction.atomic
def set_up(*, admin: User, company: Company, now: datetime) -> None:
    """The first admin and the company; its one row is the lock, so that of two at once only one can."""
    Company.ours()
    Company.objects.select_for_update().get(pk=1)
    if User.objects.exists():
        raise Refused("Somebody has set Reflow up meanwhile: sign in instead.")
    admin.save()
    admin.groups.add(Role.objects.get(name=ADMIN))
    company.pk = 1
    company.save()
    _record(admin, admin, "Set Reflow up, as its first admin", now)


@transaction.atomic
def invite(*, person: User, role: str, actor: User, now: datetime) -> str:
    """Adds a person, who chooses a password with the link that this gives back."""
    _hold_admins(actor)
    person.set_unusable_password()
    person.save()
    person.groups.set([Role.objects.get(name=role)])
    _record(person, actor, f"Invited as {role}", now)
    return password_link(person)


@transaction.atomic
def change(*, person: User, role: str, actor: User, now: datetime) -> None:
    """Another name, e-mail address or role; raises Refused where an admin would give up their own role."""
    admins = _hold_admins(actor)
    before = User.objects.get(pk=person.pk)
    earlier = role_of(before)
    if role != earlier:
        _refuse_for_oneself(person, actor, admins, "You can't change your own role")
        person.is_superuser = False
        person.groups.set([Role.objects.get(name=role)])
        _record(person, actor, f"Role changed from {earlier or 'none'} to {role}", now)
    if person.get_full_name() != before.get_full_name():
        _record(person, actor, f"Name changed from {before.get_full_name() or 'none'} to {person.get_full_name()}", now)
    if person.email != before.email:
        _record(person, actor, f"E-mail changed from {before.email or 'none'} to {person.email or 'none'}", now)
    person.save(update_fields=["first_name", "last_name", "email", "is_superuser"])


@transaction.atomic
def set_active(*, person: User, active: bool, actor: User, now: datetime) -> None:
    """Shuts a person out at once, or lets them in again; nobody is ever deleted."""
    admins = _hold_admins(actor)
    person = User.objects.select_for_update().get(pk=person.pk)
    if person.is_active == active:
        return
    _refuse_for_oneself(person, actor, admins, "You can't deactivate yourself")
    person.is_active = active
    person.save(update_fields=["is_active"])
    _record(person, actor, "Brought back" if active else "Deactivated", now)


@transaction.atomic
def make_link(*, person: User, actor: User, now: datetime) -> str:
    """A link with which the person chooses a password; wrong passwords typed until now are forgotten."""
    _hold_admins(actor)
    if not person.is_active:
        raise Refused(f"{person.get_full_name()} is deactivated: bring them back first.")
    forget_wrong_passwords(username=person.get_username())
    _record(person, actor, LINK_MADE, now)
    return password_link(person)


def chose_password(*, person: User, now: datetime) -> None:
    forget_wrong_passwords(username=person.get_username())
    _record(person, person, "Chose a password", now)


def mail_forgotten(*, person: User, now: datetime) -> None:
    """Mails a link that was asked for on the sign-in page, not again within minutes.

    In a thread, so that how long the answer takes does not tell whether there is such a person.
    """
    lately = AccessChange.objects.filter(person=person, text=FORGOTTEN, happened_at__gt=now - BETWEEN_MAILS)
    if lately.exists():
        return
    _record(person, None, FORGOTTEN, now)
    Thread(target=mail_link, args=(person, password_link(person)), name="password-mail").start()


def mail_link(person: User, link: str) -> bool:
    """Whether the mail server took it; without mail settings or an address nothing is tried."""
    if not (settings.MAIL_IS_SET_UP and person.email):
        return False
    kind = "invitation" if not person.has_usable_password() else "password"
    about = {"person": person, "link": link, "address": settings.SITE_URL, "days": link_days()}
    body = render_to_string(f"registration/mail_{kind}.txt", about)
    subject = "Your invitation to Reflow" if kind == "invitation" else "A new password for Reflow"
    try:
        return bool(send_mail(subject, body, None, [person.email]))
    except OSError as error:
        logger.warning("The mail server did not take a link for user %s: %s", person.pk, error)
        return False


def password_link(person: User) -> str:
    """Opens once, for some days; its host is from the settings, as a request's could be anybody's."""
    token = default_token_generator.make_token(person)
    return settings.SITE_URL + reverse("password-set", args=[urlsafe_base64_encode(force_bytes(person.pk)), token])


def links_end(people: Iterable[User]) -> dict[int, datetime]:
    """Until when the latest link of each who has not chosen a password yet opens."""
    invited = [person.pk for person in people if not person.has_usable_password()]
    made = AccessChange.objects.filter(Q(text__startswith="Invited") | Q(text=LINK_MADE), person__in=invited)
    latest = made.values("person").annotate(at=Max("happened_at")).values_list("person", "at")
    return {pk: at + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT) for pk, at in latest}


def link_days() -> int:
    days: int = timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT).days
    return days


def _hold_admins(actor: User) -> set[int]:
    """Who is an admin, held until the transaction's end: two can't take each other's role at once."""
    role = Role.objects.select_for_update().get(name=ADMIN)
    admins = set(
        User.objects.filter(Q(groups=role) | Q(is_superuser=True), is_active=True).values_list("pk", flat=True)
    )
    if actor.pk not in admins:
        raise Refused("You are no longer an admin.")
    return admins


def _refuse_for_oneself(person: User, actor: User, admins: set[int], what: str) -> None:
    """As the actor stays an admin, there is always one."""
    if person.pk != actor.pk:
        return
    if admins == {actor.pk}:
        raise Refused(f"{what}: you are the only admin. Make somebody else an admin first.")
    raise Refused(f"{what}: ask another admin to.")


def _record(person: User, actor: User | None, text: str, now: datetime) -> None:
    AccessChange.objects.create(person=person, actor=actor, text=text[:300], happened_at=now)
