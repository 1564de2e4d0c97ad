"""What all tests share: one hypothesis profile that never depends on how fast the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile("mlspec", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("mlspec")

pytest_plugins = ["tests.gcp.pubsub", "tests.stores", "tests.terraform.plugin"]
