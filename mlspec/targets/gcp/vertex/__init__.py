"""Serving on Vertex AI: model registry, endpoints, traffic splits and request metrics."""
