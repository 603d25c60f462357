"""FastAPI with the model in memory; it runs a plain function in one of its threads."""

import model
from fastapi import FastAPI, UploadFile

app = FastAPI()
loaded = model.load_warm()


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, int]:
    pixels = model.decoded(file.file)
    return {"digit": model.read(loaded, pixels[None])[0]}
