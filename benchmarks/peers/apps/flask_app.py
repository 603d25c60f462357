"""Flask with the model in memory."""

import model
from flask import Flask, request

app = Flask(__name__)
loaded = model.load_warm()


@app.post("/predict")
def predict() -> dict[str, int]:
    pixels = model.decoded(request.files["file"].stream)
    return {"digit": model.read(loaded, pixels[None])[0]}
