"""Pages for those alone who may do something."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponseBase
from django.shortcuts import resolve_url

from digits.accounts.permissions import Act

View = Callable[..., HttpResponseBase]


def needs(act: Act) -> Callable[[View], View]:
    """Return a decorator of pages for those who may do an act: others are asked to sign in first,
    or told what they lack."""

    def decorated(view: View) -> View:
        @wraps(view)
        def checked(request: Any, *words: Any, **names: Any) -> HttpResponseBase:
            if request.owner.user is None and request.method in ("GET", "HEAD"):
                return redirect_to_login(request.get_full_path(), resolve_url("login"))
            request.owner.must(act)
            return view(request, *words, **names)

        return checked

    return decorated
