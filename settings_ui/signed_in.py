"""Who is signed in: the person, their role and what it lets them do, in one question instead of four on every page."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group as Role
from django.contrib.auth.models import Permission, User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat


class SignedIn(ModelBackend):
    """As Django's own, but that whoever a session names comes with `role` and `granted`, the names of permissions."""

    def get_user(self, user_id: int) -> User | None:
        mine = Permission.objects.filter(Q(group__user=OuterRef("pk")) | Q(user=OuterRef("pk"))).order_by()
        names = mine.values_list(Concat("content_type__app_label", Value("."), "codename"))
        role = Role.objects.filter(user=OuterRef("pk")).order_by("pk").values("name")[:1]
        found = User.objects.annotate(granted=ArraySubquery(names), role=Subquery(role)).filter(pk=user_id).first()
        return found if found and self.user_can_authenticate(found) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = getattr(user_obj, "granted", None)
        if granted is None or obj is not None or user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        return set(granted) if user_obj.is_active else set()
