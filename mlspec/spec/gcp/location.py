"""Where on Google Cloud a target lives: the names that `infra/` makes and that forecasts, and mlspec itself, go by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GcpLocation:
    """One target on Google Cloud. `kms_key` is given in mlspec.yaml where the platform did not make its own."""

    target: str
    project: str
    region: str
    kms_key: str | None = None

    @property
    def key(self) -> str:
        """The key that encrypts everything, by its full name."""
        own = f"projects/{self.project}/locations/{self.region}/keyRings/mlspec/cryptoKeys/mlspec"
        return self.kms_key or own

    def bucket(self, role: str) -> str:
        """Return the name of one of the platform's buckets: data, models, state, source, dags or access-logs."""
        return f"{self.project}-mlspec-{role}"

    def account(self, role: str) -> str:
        """Return the e-mail address of one of the platform's service accounts: dag, redeploy, reconcile, build."""
        return f"mlspec-{role}@{self.project}.iam.gserviceaccount.com"

    @property
    def alerts_topic(self) -> str:
        """The topic that wakes the redeploy function, by its full name."""
        return f"projects/{self.project}/topics/mlspec-alerts"
