"""The API's addresses."""

from django.urls import include, path

from digits.api.views import batches, digits, docs, models, training, uploads

app_name = "api"
version_1 = [
    path("uploads/", uploads.Uploads.as_view(), name="uploads"),
    path("uploads/<int:id>/", uploads.OneUpload.as_view(), name="upload"),
    path("digits/", digits.Digits.as_view(), name="digits"),
    path("digits/<int:id>/", digits.OneDigit.as_view(), name="digit"),
    path("batches/", batches.Batches.as_view(), name="batches"),
    path("batches/<int:id>/", batches.OneBatch.as_view(), name="batch"),
    path("batches/<int:id>/cancel/", batches.CancelBatch.as_view(), name="cancel-batch"),
    path("batches/<int:id>/results.csv", batches.BatchResults.as_view(), name="batch-results"),
    path("models/", models.Models.as_view(), name="models"),
    path("models/<int:id>/", models.OneModel.as_view(), name="model"),
    path("models/<int:id>/activate/", models.Activate.as_view(), name="activate"),
    path("training-runs/", training.TrainingRuns.as_view(), name="training-runs"),
    path("training-runs/<int:id>/", training.OneTrainingRun.as_view(), name="training-run"),
    path(
        "training-runs/<int:id>/cancel/",
        training.CancelTrainingRun.as_view(),
        name="training-run-cancel",
    ),
]
urlpatterns = [
    path("v1/", include(version_1)),
    path("schema/", docs.Schema.as_view(), name="schema"),
    path("docs/", docs.docs, name="docs"),
]
