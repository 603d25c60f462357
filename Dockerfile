# One image for every service; docker-compose.yml gives each its command.
FROM python:3.11-slim

# requirements-gpu.txt adds NVIDIA's libraries (some 3 GB) to the same TensorFlow.
ARG REQUIREMENTS=requirements.txt

WORKDIR /app
# A process that native code ends says in the log where it was.
ENV PYTHONFAULTHANDLER=1 PYTHONUNBUFFERED=1 DATA_DIR=/data HOST=0.0.0.0

# A named volume takes its owner from the folder in the image.
RUN useradd --create-home --uid 1000 digits && install --directory --owner=digits /data
VOLUME /data

# A layer of its own: a change of the code does not install everything again.
COPY ${REQUIREMENTS} requirements.txt
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary=:all: \
    -r requirements.txt

COPY manage.py ./
COPY worker worker
COPY webapp webapp
COPY digits digits
# The user digits cannot write here, so the bytecode is made now.
RUN python -m compileall -q webapp digits worker

USER digits
EXPOSE 8000
# `docker run digits` is a whole installation in one container.
CMD ["python", "manage.py", "up"]
