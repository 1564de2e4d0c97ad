# The image in which the pipeline's steps run, as a job on Cloud Run: this mlspec, and this project's specs, data and templates.
# The base is pinned by digest, and so is what mlspec needs; Cloud Build pushes by digest, and only the digest is ever deployed.
FROM python:3.12.14-slim-trixie@sha256:f77ac9e44ae96ef2c90b8053ea08c31f8be030f824196b0ae4db6d462c84e51f AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE mlspec.yaml ./
COPY mlspec mlspec
COPY templates templates
COPY infra infra
COPY specs specs
COPY data data
# What specs ask for beyond what is locked is added here: docker build --build-arg EXTRAS=lightgbm,ray. Its packages come without digests.
ARG EXTRAS=
# Git is not in here, so the version has to be said: docker build --build-arg VERSION=1.2.3
ARG VERSION=0.0
ENV SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MLSPEC_FORECAST=$VERSION
RUN python -m venv /opt/mlspec \
    && /opt/mlspec/bin/pip install --no-cache-dir --require-hashes -r templates/project/requirements.lock.j2 \
    && /opt/mlspec/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && if [ -n "$EXTRAS" ]; then /opt/mlspec/bin/pip install --no-cache-dir --no-build-isolation ".[$EXTRAS]"; fi

FROM python:3.12.14-slim-trixie@sha256:f77ac9e44ae96ef2c90b8053ea08c31f8be030f824196b0ae4db6d462c84e51f
LABEL org.opencontainers.image.title="mlspec step" \
      org.opencontainers.image.description="Runs one step of a forecast's pipeline"
# OpenMP, which scikit-learn's and LightGBM's trees run on; the newest that the release has is wanted, so it is not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/mlspec /opt/mlspec
WORKDIR /project
COPY mlspec.yaml ./
COPY models models
COPY specs specs
COPY data data
ENV PATH=/opt/mlspec/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that a platform which forbids root can see that this is not root.
USER 65532:65532
ENTRYPOINT ["mlspec"]
CMD ["--help"]
