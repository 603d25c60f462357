# One image for each kind of process; docker-compose.yml gives each its command.
#   docker build --target web .           pages and API, beat, the migration, backups
#   docker build --target worker .        what reads on a processor: no TensorFlow
#   docker build --target worker-gpu .    what reads on GPUs of NVIDIA
#   docker build .                        what trains; `docker run` of it is a whole installation
# Each runs as a user without rights, and writes below /data and /tmp alone: its root may be read-only.
FROM python:3.11-slim AS base
WORKDIR /app
# A process that native code ends says in the log where it was. Matplotlib keeps a list of fonts.
ENV PYTHONFAULTHANDLER=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 MPLCONFIGDIR=/tmp/matplotlib DATA_DIR=/data HOST=0.0.0.0
# A named volume takes its owner from the folder in the image.
RUN useradd --create-home --uid 1000 digits && install --directory --owner=digits /data
VOLUME /data

# The code, with its bytecode: the user digits cannot write here.
FROM base AS code
COPY manage.py ./
COPY worker worker
COPY webapp webapp
COPY digits digits
RUN python -m compileall -q webapp digits worker

# Packages are layers of their own: a change of the code does not install everything again.
FROM base AS web
# `manage.py backup` and `restore` with PostgreSQL; Debian keeps one version of a package alone.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client \
    && rm -rf /var/lib/apt/lists/*
COPY requirements-web.txt requirements.txt
RUN pip install --require-hashes --only-binary=:all: -r requirements.txt
COPY --from=code /app ./
USER 1000
EXPOSE 8000
HEALTHCHECK --start-period=60s --interval=15s --timeout=10s \
    CMD ["python", "-m", "digits.monitoring.probes", "web"]
CMD ["python", "manage.py", "serve"]

# What reads starts in the same way on processors and on GPUs.
FROM base AS reader
HEALTHCHECK --start-period=120s --interval=30s --timeout=10s \
    CMD ["python", "-m", "digits.monitoring.probes", "classify"]
CMD ["python", "-m", "celery", "--quiet", "--app=webapp", "worker", "--without-gossip", \
    "--without-mingle", "--without-heartbeat", "--loglevel=INFO", "--queues=classify", \
    "--hostname=classify@%h"]

FROM reader AS worker
COPY requirements-worker.txt requirements.txt
RUN pip install --require-hashes --only-binary=:all: -r requirements.txt
COPY --from=code /app ./
USER 1000

# NVIDIA's libraries are some 3 GB beside TensorFlow.
FROM reader AS worker-gpu
COPY requirements-gpu.txt requirements.txt
RUN pip install --require-hashes --only-binary=:all: -r requirements.txt
COPY --from=code /app ./
USER 1000

FROM base AS trainer
COPY requirements.txt ./
RUN pip install --require-hashes --only-binary=:all: -r requirements.txt
COPY --from=code /app ./
USER 1000
EXPOSE 8000
CMD ["python", "manage.py", "up"]
