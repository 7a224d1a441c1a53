# haechi as an image: libraries by hash from the lock file, no compiler, no root, nothing written outside /var/lib/haechi and /tmp.
# The first start compiles the engine for this machine's processor (about a minute) and keeps it in the volume.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/haechi
COPY backend/requirements.lock /build/requirements.lock
RUN /opt/haechi/bin/pip install --require-hashes --only-binary :all: -r /build/requirements.lock
COPY backend/pyproject.toml /build/backend/pyproject.toml
COPY backend/src /build/backend/src
RUN /opt/haechi/bin/pip install --no-deps --no-build-isolation /build/backend

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin haechi \
    && install -d -o haechi -g haechi -m 0750 /var/lib/haechi
COPY --from=build /opt/haechi /opt/haechi
ENV PATH=/opt/haechi/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production HOST=0.0.0.0 PORT=8000 \
    HAECHI_VAR=/var/lib/haechi HAECHI_DATA=/var/lib/haechi/data XDG_CACHE_HOME=/var/lib/haechi/cache
WORKDIR /var/lib/haechi
VOLUME /var/lib/haechi
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=180s --retries=3 \
    CMD ["python", "-c", "import urllib.request as ask; ask.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
CMD ["haechi", "serve"]
