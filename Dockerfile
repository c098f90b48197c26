# One image for every role; which one it is, the command says. The root file system may be read-only: what is written
# goes to /tmp, and to /data where runs are executed.

FROM python:3.14-slim AS build

ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /build
COPY requirements.txt requirements-dev.txt ./
# uv itself comes by pip, in the version and with the hashes of the lock.
RUN sed -n '/^uv==/,/# via/p' requirements.txt > uv.txt \
 && pip install --no-cache-dir --require-hashes --requirement uv.txt
# With pandas for jobs, and obstore for SCHEDULER_ARTIFACTS_URL; all that they need is among the packages of the service.
RUN python -m venv /opt/venv \
 && uv pip install --no-cache --python /opt/venv/bin/python --require-hashes --requirement requirements.txt \
 && sed -n -e '/^obstore==/,/# via/p' -e '/^pandas==/,/# via/p' requirements-dev.txt > extras.txt \
 && uv pip install --no-cache --python /opt/venv/bin/python --require-hashes --no-deps --requirement extras.txt
COPY pyproject.toml README.md LICENSE alembic.ini SECURITY.md CONTRIBUTING.md ./
COPY docs docs
COPY src src
RUN uv pip install --no-cache --python /opt/venv/bin/python --no-deps . \
 && python -m compileall -q src


FROM python:3.14-slim

# PYTHONTZPATH: time zones come from the package tzdata, whose version the lock names, not from whatever the base image
# has: every machine is to agree on when a job is due.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONTZPATH= \
    SCHEDULER_DATA_DIR=/data \
    SCHEDULER_HOST=0.0.0.0 \
    SCHEDULER_PORT=8000

RUN groupadd --system --gid 10001 scheduler \
 && useradd --system --uid 10001 --gid scheduler --home-dir /nonexistent --shell /usr/sbin/nologin scheduler \
 && install -d -o scheduler -g scheduler -m 0700 /data

WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /build/src src
# The interface shows the guides.
COPY docs docs
COPY alembic.ini flowerconfig.py SECURITY.md CONTRIBUTING.md ./

USER scheduler
EXPOSE 8000 5555
STOPSIGNAL SIGTERM

# For the API and for everything in one process; compose.yaml and the manifests have probes for the other roles.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["sh", "-c", "python -c \"import urllib.request; urllib.request.urlopen('http://127.0.0.1:$SCHEDULER_PORT/health/live', timeout=2)\""]

CMD ["sh", "-c", "exec uvicorn src.app.main:app --host \"$SCHEDULER_HOST\" --port \"$SCHEDULER_PORT\""]
