# One image for every process: `pantau process NAME` (see docker-compose.yml).
# The environment comes from requirements.lock with hashes, by the script that sets up a checkout.
FROM python:3.11-slim-bookworm

WORKDIR /pantau
# First what the environment depends on, so that a change of our code does not install everything anew.
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY bin/setup bin/setup
RUN mkdir pantau \
 && touch pantau/__init__.py \
 && bin/setup \
 && rm -rf var /var/lib/apt/lists/* /root/.cache

COPY . .
# The process's user may not write here: what Python and dbt would write beside the code is written now.
RUN .venv/bin/python -m compileall -q .venv pantau simulator dags \
 && .venv/bin/python -c 'from pantau.warehouse import write_sources; write_sources()' \
 && useradd --uid 10001 --create-home --shell /usr/sbin/nologin pantau \
 && install -d -m 700 -o pantau -g pantau /data /data/var /data/out /data/inbox

ENV PATH=/pantau/.venv/bin:$PATH \
    PANTAU_VAR=/data/var \
    PANTAU_OUT=/data/out \
    PANTAU_INBOX=/data/inbox
USER 10001
ENTRYPOINT ["pantau"]
CMD ["--help"]
