# The helpline as an image, without tools for tests. PostgreSQL is outside: set HELPLINE_DATABASE_URL.
# It runs with a read-only root: docs/operators.md, "Containers".
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN scripts/install /opt/helpline

FROM python:3.13-slim
COPY --from=build /opt/helpline /opt/helpline
RUN groupadd --system --gid 10001 helpline \
 && useradd --system --uid 10001 --gid 10001 --home /var/lib/helpline helpline \
 && install -d -o helpline -g helpline /var/lib/helpline

USER 10001:10001
WORKDIR /var/lib/helpline
ENV PATH=/opt/helpline/bin:$PATH HELPLINE_ENV=production HELPLINE_DATA_DIR=/var/lib/helpline
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s CMD ["helpline", "health"]
CMD ["helpline", "serve", "--host", "0.0.0.0"]
