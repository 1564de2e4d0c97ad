"""mlspec: demand forecasts as YAML, from spec file to governed forecast."""

__version__ = "0.1.0"
