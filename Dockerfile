# One image for web, worker, beat and migrations. `--target sandbox` is the pretend Sage, for demonstrations only.

FROM python:3.11-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin reflow

FROM base AS sandbox
COPY requirements-sandbox.txt ./
RUN pip install --require-hashes -r requirements-sandbox.txt
COPY sandbox/ sandbox/
RUN install -d -o reflow -g reflow /books
USER reflow
VOLUME /books
EXPOSE 8100
CMD ["python", "-m", "sandbox", "--host", "0.0.0.0", "--port", "8100", "--dir", "/books"]

FROM base AS reflow
COPY requirements.txt ./
RUN pip install --require-hashes -r requirements.txt
COPY manage.py ./
COPY reflow/ reflow/
COPY settings_ui/ settings_ui/
COPY invoices/ invoices/
COPY incrementors/ incrementors/
COPY connectors/ connectors/
COPY templates/ templates/
COPY static/ static/
# The settings must be readable to gather the files; these values are used for nothing and are not kept.
RUN SECRET_KEY=only-for-collectstatic-and-not-a-secret \
    TOKEN_KEYS=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgres://nobody@127.0.0.1:1/none \
    REDIS_URL=redis://127.0.0.1:1/0 \
    python manage.py collectstatic --noinput -v0
USER reflow
EXPOSE 8000
CMD ["gunicorn", "reflow.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--preload", "--no-control-socket", "--worker-tmp-dir", "/dev/shm"]
