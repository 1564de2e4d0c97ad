"""What no command imports that only looks, or has nothing to do: each takes longer to import than the command to run."""

from __future__ import annotations

HEAVY = (
    "pandas",
    "numpy",
    "sklearn",
    "pyarrow",
    "google.protobuf",
    "google.api_core",
    "grpc",
    "statsforecast",
    "mlforecast",
    "mlspec.web",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "scipy",
)
