# The helpline as an image. PostgreSQL is outside: set HELPLINE_DATABASE_URL.
FROM python:3.13-slim

WORKDIR /srv/helpline
COPY installer.lock requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r installer.lock \
 && uv pip install --system --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md package.json package-lock.json .npmrc ./
COPY app app
COPY migrations migrations
COPY scripts/assets scripts/assets
RUN python scripts/assets && rm -rf node_modules \
 && uv pip install --system --no-cache --no-deps --no-build-isolation --editable . \
 && python -m compileall -q app migrations \
 && useradd --system --home /srv/helpline helpline \
 && install -d -o helpline /var/lib/helpline

USER helpline
ENV HELPLINE_ENV=production HELPLINE_DATA_DIR=/var/lib/helpline
EXPOSE 8000
CMD ["helpline", "serve", "--host", "0.0.0.0"]
