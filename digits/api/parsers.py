"""Parsers of what programs send as an image: see digits.bodies for the ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, BinaryIO, cast

from django.core.exceptions import BadRequest, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework import exceptions
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request

from digits import bodies


class ImageForm(BaseParser):
    """Reads a form with an image."""

    media_type = bodies.FORM

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles:
        try:
            sent = bodies.read(media_type or "", cast(BinaryIO, stream))
        except BadRequest as error:
            raise exceptions.ParseError(str(error)) from error
        except ValidationError as error:
            raise exceptions.ValidationError({bodies.FIELD: error.messages}) from error
        texts = QueryDict(mutable=True)
        texts.update(sent.texts)
        files: MultiValueDict[str, UploadedFile[bytes]] = MultiValueDict()
        for name, file in sent.files:
            files.appendlist(name, file)
        return DataAndFiles(texts, files)


class ImageTextForm(ImageForm):
    media_type = bodies.TEXT_FORM


class ImageJson(ImageForm):
    media_type = bodies.JSON


class ImageBytes(ImageForm):
    media_type = bodies.BYTES


class ImageItself(ImageForm):
    media_type = f"{bodies.IMAGE}*"


OF_IMAGES = [ImageForm, ImageJson, ImageItself, ImageBytes, ImageTextForm]


def image_of(request: Request) -> UploadedFile[bytes]:
    """Return the image of a request that one of these parsers has read.

    Raises:
        ValidationError: there is none, or there are several.
    """
    files = [(name, file) for name, found in request.FILES.lists() for file in found]
    texts = {name: text for name, text in request.data.items() if isinstance(text, str)}
    try:
        return bodies.Sent(files, texts).image()
    except ValidationError as error:
        raise exceptions.ValidationError({bodies.FIELD: error.messages}) from error
