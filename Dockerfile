# The helpline as an image. PostgreSQL is outside: set HELPLINE_DATABASE_URL.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN scripts/install /opt/helpline

FROM python:3.13-slim
COPY --from=build /opt/helpline /opt/helpline
RUN useradd --system --home /var/lib/helpline helpline \
 && install -d -o helpline /var/lib/helpline

USER helpline
WORKDIR /var/lib/helpline
ENV PATH=/opt/helpline/bin:$PATH HELPLINE_ENV=production HELPLINE_DATA_DIR=/var/lib/helpline
EXPOSE 8000
CMD ["helpline", "serve", "--host", "0.0.0.0"]
