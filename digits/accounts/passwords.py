"""Passwords that are refused because anybody who knows the site would try them."""

import re

from django.core.exceptions import ValidationError

# docs/security.md lists them.
WORDS = {
    "admin",
    "administrator",
    "classify",
    "digit",
    "digits",
    "handwriting",
    "handwritten",
    "mnist",
    "number",
    "numbers",
    "operator",
    "password",
    "reviewer",
    "staff",
    "trainer",
}
NO_LETTERS = re.compile(r"[\W\d_]+")


class NoWordsOfTheSite:
    """Refuses a password that is made of words of this site, with digits and signs around them."""

    def validate(self, password: str, user: object = None) -> None:
        """Raise ValidationError where that is all there is in a password."""
        words = [word for word in NO_LETTERS.split(password.lower()) if word]
        if words and WORDS.issuperset(words):
            raise ValidationError(
                "This password is made of words of this site.", code="words_of_the_site"
            )

    def get_help_text(self) -> str:
        return "It may not be made of words of this site, such as digits or admin."
