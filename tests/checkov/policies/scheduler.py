"""Policy 6: how Cloud Scheduler calls. Python, because the address it calls has a reference in it: see grants.py."""

from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.terraform.checks.resource.base_resource_check import BaseResourceCheck


class SchedulerCall(BaseResourceCheck):
    """By https, with a token, on a clock in UTC.

    Without a token the called side has to be open to all; in a zone with summer time a run is skipped in March and doubled
    in October.
    """

    def __init__(self) -> None:
        super().__init__(
            name="A scheduler job calls by https, with a token, on a clock in UTC",
            id="CKV2_MLSPEC_6",
            categories=[CheckCategories.NETWORKING],
            supported_resources=["google_cloud_scheduler_job"],
        )

    def scan_resource_conf(self, conf: dict) -> CheckResult:
        """Pass a job without an HTTP target on its clock alone: it publishes to a topic."""
        zone = (conf.get("time_zone") or [""])[0]
        calls = all(
            str((target.get("uri") or [""])[0]).startswith("https://")
            and ("oauth_token" in target or "oidc_token" in target)
            for target in conf.get("http_target", [])
        )
        return CheckResult.PASSED if zone == "Etc/UTC" and calls else CheckResult.FAILED


CHECK = SchedulerCall()
