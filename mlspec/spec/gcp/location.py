"""The location of a target on Google Cloud, and the names of the platform's resources that `infra/` makes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GcpLocation:
    """One target on Google Cloud. `kms_key` is from mlspec.yaml; None for the platform's own key."""

    target: str
    project: str
    region: str
    kms_key: str | None = None

    @property
    def key(self) -> str:
        """The full name of the key that encrypts everything."""
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
        """The full name of the topic that triggers the redeploy function."""
        return f"projects/{self.project}/topics/mlspec-alerts"
