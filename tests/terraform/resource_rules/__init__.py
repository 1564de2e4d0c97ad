"""What Google's provider and Google's services do with each type, beyond the schema. Written by hand.

Sources are the provider's documentation and what its releases do. A line is here because something depends on it: an
id that other resources are built from, a change that destroys data, a value that is refused too late. `project` forces
a replacement everywhere, and is not repeated. Each service has a module; `data_sources` has what is only read.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.terraform.resource_rules.bigquery import BIGQUERY
from tests.terraform.resource_rules.cloud_build import CLOUD_BUILD
from tests.terraform.resource_rules.cloud_functions import CLOUD_FUNCTIONS
from tests.terraform.resource_rules.cloud_run import CLOUD_RUN
from tests.terraform.resource_rules.composer import COMPOSER
from tests.terraform.resource_rules.iam import IAM
from tests.terraform.resource_rules.kms import KMS
from tests.terraform.resource_rules.logging import LOGGING
from tests.terraform.resource_rules.monitoring import MONITORING
from tests.terraform.resource_rules.network import NETWORK
from tests.terraform.resource_rules.project import PROJECT
from tests.terraform.resource_rules.pubsub import PUBSUB
from tests.terraform.resource_rules.secret_manager import SECRET_MANAGER
from tests.terraform.resource_rules.service_agents import BETA_SCHEMA, SERVICE_AGENTS
from tests.terraform.resource_rules.storage import STORAGE
from tests.terraform.resource_rules.vertex_ai import VERTEX_AI
from tests.terraform.rules import Rules

RESOURCES: Mapping[str, Rules] = {
    **BIGQUERY,
    **CLOUD_BUILD,
    **CLOUD_FUNCTIONS,
    **CLOUD_RUN,
    **COMPOSER,
    **IAM,
    **KMS,
    **LOGGING,
    **MONITORING,
    **NETWORK,
    **PROJECT,
    **PUBSUB,
    **SECRET_MANAGER,
    **STORAGE,
    **VERTEX_AI,
    **SERVICE_AGENTS,
}


def stable_types() -> list[str]:
    """The types that the package knows."""
    return sorted(set(RESOURCES) - set(BETA_SCHEMA))
