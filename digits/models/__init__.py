"""What is stored."""

from digits.models.uploads import Digit, Prediction, Upload
from digits.models.versions import ModelVersion

__all__ = ["Digit", "ModelVersion", "Prediction", "Upload"]
