"""The labels by which mlspec finds what it made on Google Cloud: Terraform and the target write them, the target reads them."""

from __future__ import annotations

MANAGED_BY = {"managed-by": "mlspec"}
# What a list call of Vertex AI takes for the resources with that label.
MANAGED_FILTER = 'labels.managed-by="mlspec"'
FORECAST_LABEL = "mlspec-forecast"
