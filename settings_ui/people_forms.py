"""Who a person is: their name, user name, e-mail address and role."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User

from settings_ui.accounts import role_of
from settings_ui.setup_code import is_right

ROLES = [
    ("Viewer", "Viewer: sees everything in Accounts, changes nothing"),
    ("Staff", "Staff: raises, approves and sends invoices"),
    ("Admin", "Admin: also settings, people and the connection to Sage"),
]


class PersonForm(forms.ModelForm):
    first_name = forms.CharField(max_length=150)
    role = forms.ChoiceField(choices=ROLES, widget=forms.RadioSelect, initial="Staff")

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email"]
        labels = {"email": "E-mail"}
        widgets = {"email": forms.EmailInput(attrs={"autocomplete": "off"})}

    def __init__(self, *args: Any, is_oneself: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["role"] = role_of(self.instance)
        if is_oneself:
            self.fields["role"].disabled = True
            self.fields["role"].help_text = "You can't change your own role: ask another admin to."
        if not settings.MAIL_IS_SET_UP:
            self.fields["email"].help_text = "Reflow sends no mail here (EMAIL_URL is not set)."

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if email and User.objects.filter(email__iexact=email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Somebody else has this address.")
        return email


class InvitationForm(PersonForm):
    class Meta(PersonForm.Meta):
        fields = ["first_name", "last_name", "username", "email"]
        labels = {"username": "User name", "email": "E-mail"}
        help_texts = {"username": "What they sign in with. It can't be changed later."}

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("Somebody has this user name, or had it.")
        return username


class FirstAdminForm(UserCreationForm):
    setup_code = forms.CharField(
        label="Set-up code", max_length=40, widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True})
    )
    first_name = forms.CharField(max_length=150)
    email = forms.EmailField(label="E-mail", max_length=254)

    class Meta:
        model = User
        fields = ["first_name", "last_name", "username", "email"]
        labels = {"username": "User name"}
        help_texts = {"username": "What you sign in with."}

    field_order = ["setup_code", "first_name", "last_name", "username", "email", "password1", "password2"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].widget.attrs.pop("autofocus", None)

    def clean_setup_code(self) -> str:
        code: str = self.cleaned_data["setup_code"]
        if not is_right(code):
            raise forms.ValidationError("This is not the set-up code of this server.")
        return code
