"""The record of a forecast in a bucket: snapshots, artifacts and a lease."""
