"""The company's logo: read with care, kept in Postgres as a PNG that we wrote ourselves, shown to people signed in."""

import io
import struct
import zlib
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import condition, require_POST, require_safe
from PIL import Image, ImageOps

from invoices.models import Company
from settings_ui.forms import CompanyForm

LARGEST_FILE = 500_000
MOST_PIXELS = 12_000_000
SIDE = 600
ACCEPTED = {"accept": "image/png,image/jpeg"}
# What Pillow raises over files that are broken, by accident or on purpose.
BROKEN = (OSError, SyntaxError, ValueError, LookupError, ArithmeticError, EOFError, struct.error, zlib.error)


class NotALogo(Exception):
    """Why a file can't be taken, in words for the person who chose it."""


def as_png(data: bytes) -> bytes:
    """The picture alone, at most 600 pixels wide and high: nothing else that a file can carry is kept."""
    if len(data) > LARGEST_FILE:
        raise NotALogo("This file is larger than 500 KB.")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotALogo(f"This picture has {image.width} by {image.height} pixels: make it smaller first.")
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((SIDE, SIDE))
            picture = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except (*BROKEN, Image.DecompressionBombError):
        raise NotALogo("This is not a PNG or JPEG picture, or it is damaged.") from None
    picture.info.clear()
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return written.getvalue()


class LogoField(forms.FileField):
    """Its cleaned value is the PNG to keep, or None."""

    widget = forms.FileInput(attrs=ACCEPTED)
    default_error_messages = {"required": "Choose a PNG or JPEG file first."}

    def to_python(self, data: Any) -> Any:
        file = super().to_python(data)
        if file is None:
            return None
        if file.size > LARGEST_FILE:
            raise forms.ValidationError("This file is larger than 500 KB.")
        try:
            return as_png(file.read())
        except NotALogo as why:
            raise forms.ValidationError(str(why)) from None


class LogoForm(forms.Form):
    logo = LogoField(help_text="PNG or JPEG, up to 500 KB.")


def _stored() -> bytes:
    return bytes(Company.objects.filter(pk=1).values_list("logo", flat=True).first() or b"")


def _etag(_request: HttpRequest) -> str:
    return f'"{sha256(_stored()).hexdigest()[:32]}"'


@require_safe
@cache_control(private=True, no_cache=True)
@condition(etag_func=_etag)
def show(request: HttpRequest) -> HttpResponse:
    logo = _stored()
    if not logo:
        raise Http404("There is no logo.")
    headers = {"Content-Disposition": 'inline; filename="logo.png"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(logo, content_type="image/png", headers=headers)


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """A new logo in place of the old one, or none; what is wrong with it is said on the company's page."""
    company, form = Company.ours(), LogoForm(request.POST, request.FILES)
    if "remove" in request.POST:
        company.logo = b""
    elif form.is_valid():
        company.logo = form.cleaned_data["logo"]
    else:
        context = {"form": CompanyForm(instance=company), "logo_form": form}
        return render(request, "settings/company.html", context, status=422)
    company.save(update_fields=["logo"])
    messages.success(request, "The logo is saved." if company.logo else "The logo is removed.")
    return redirect("company")
