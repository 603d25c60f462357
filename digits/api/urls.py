"""The API's addresses."""

from django.urls import include, path

from digits.api.views import digits, docs, uploads

app_name = "api"
version_1 = [
    path("uploads/", uploads.Uploads.as_view(), name="uploads"),
    path("uploads/<int:id>/", uploads.OneUpload.as_view(), name="upload"),
    path("digits/", digits.Digits.as_view(), name="digits"),
    path("digits/<int:id>/", digits.OneDigit.as_view(), name="digit"),
]
urlpatterns = [
    path("v1/", include(version_1)),
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.docs, name="docs"),
    path("docs/<str:version>/<str:name>", docs.swagger_file, name="swagger-file"),
]
