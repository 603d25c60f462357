"""The site's addresses."""

from django.contrib.auth import views as auth
from django.urls import include, path

from digits.views import (
    corrections,
    deletion,
    health,
    program,
    rereading,
    review,
    site,
    start,
    tokens,
    training,
    versions,
)

urlpatterns = [
    path("", start.index, name="index"),
    path("favicon.ico", site.favicon, name="favicon"),
    path("examples/", start.read_example, name="read-example"),
    path("examples/<slug:name>.png", start.example, name="example"),
    path("uploads/", site.history, name="history"),
    path("uploads/<int:pk>/", site.upload, name="upload"),
    path("uploads/<int:pk>/preview", site.preview, name="preview"),
    path("uploads/<int:pk>/file", site.original, name="original"),
    path("uploads/<int:pk>/reading.txt", site.reading_text, name="reading-text"),
    path("uploads/<int:pk>/delete", deletion.delete, name="delete-upload"),
    path("uploads/<int:pk>/again", rereading.read_again, name="read-again"),
    path("digits/<int:pk>.png", site.digit_pixels, name="digit-pixels"),
    path("digits/<int:pk>/label", corrections.label, name="digit-label"),
    path("review/", review.review, name="review"),
    path("models/", versions.models, name="models"),
    path("models/compare", versions.compare, name="compare-versions"),
    path("models/<int:pk>/", versions.version, name="model-version"),
    path("models/<int:pk>/activate", versions.activate, name="activate-version"),
    path("training/", training.training_runs, name="training-runs"),
    path("training/new", training.retrain, name="training-run-new"),
    path("training/<int:pk>/", training.training_run, name="training-run"),
    path("training/<int:pk>/cancel", training.cancel, name="training-run-cancel"),
    path("mnist/classify", program.classify, name="mnist-classify"),
    path("api/", include("digits.api.urls")),
    path("account/tokens/", tokens.tokens, name="tokens"),
    path("account/tokens/<int:pk>/revoke", tokens.revoke, name="token-revoke"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("accounts/login/", auth.LoginView.as_view(), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
]
