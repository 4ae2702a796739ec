# bench in a container, with the versions of uv.lock:
#     docker build -t simdr-bench .
#     docker build -t simdr-bench --build-arg PIP_EXTRA_INDEX_URL=... .    another build of torch, see docs/installation.md
#     docker run --rm --gpus all -v "$PWD:/work" simdr-bench run ci
ARG BASE=docker.io/library/python:3.12-slim-bookworm
FROM ${BASE}
ARG PIP_EXTRA_INDEX_URL

RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/bench
COPY Makefile pyproject.toml uv.lock README.md LICENSE ./
COPY suites suites
COPY bench bench
RUN make setup EXTRAS="--extra tensorboard" && rm -rf /root/.cache
ENV PATH=/opt/bench/.venv/bin:$PATH
# Whoever runs the image owns what it writes; matplotlib needs a folder for its font list.
ENV MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /work
ENTRYPOINT ["bench"]
