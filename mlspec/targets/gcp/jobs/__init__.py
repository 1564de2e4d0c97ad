"""Steps as jobs on Google Cloud: Cloud Run, Vertex AI custom jobs and batch predictions."""
