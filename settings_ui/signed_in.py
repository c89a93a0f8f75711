"""Who is signed in: the person, their role and what it lets them do, in one question instead of four on every page."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

COLUMNS = ", ".join(f"auth_user.{field.column}" for field in User._meta.concrete_fields)
FOUND = f"""/* planned: signed_in */
SELECT {COLUMNS}, array(
    SELECT app_label || '.' || codename FROM auth_permission
    JOIN django_content_type ON django_content_type.id = content_type_id
    WHERE auth_permission.id IN (
        SELECT permission_id FROM auth_user_user_permissions WHERE user_id = auth_user.id
        UNION SELECT permission_id FROM auth_group_permissions JOIN auth_user_groups USING (group_id)
            WHERE user_id = auth_user.id)
) AS granted, (
    SELECT name FROM auth_group JOIN auth_user_groups ON group_id = auth_group.id
    WHERE user_id = auth_user.id ORDER BY auth_group.id LIMIT 1
) AS role FROM auth_user WHERE id = %s"""  # noqa: S608  # our own names


class SignedIn(ModelBackend):
    """As Django's own, but that whoever a session names comes with `role` and `granted`, the names of permissions."""

    def get_user(self, user_id: int) -> User | None:
        found = next(iter(User.objects.raw(FOUND, [user_id])), None)
        return found if found and self.user_can_authenticate(found) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        granted = getattr(user_obj, "granted", None)
        if granted is None or obj is not None or user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        return set(granted) if user_obj.is_active else set()
