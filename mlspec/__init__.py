"""mlspec: demand forecasts as YAML, from spec file to governed forecast."""

__all__ = ["__version__"]

try:
    from mlspec._version import __version__
except ImportError:  # a checkout that was never installed, or the archive of the redeploy function
    __version__ = "0.0"
