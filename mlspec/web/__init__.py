"""The server of predictions: HTTP in, what the versions that serve predict out. It knows no command line and no data frame."""
