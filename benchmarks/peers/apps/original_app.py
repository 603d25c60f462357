"""The original: Flask, which loads the model in each request."""

import model
from flask import Flask, request

app = Flask(__name__)


@app.post("/predict")
def predict() -> dict[str, int]:
    pixels = model.decoded(request.files["file"].stream)
    return {"digit": model.read(model.load(), pixels[None])[0]}
