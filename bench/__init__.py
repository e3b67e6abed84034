"""Measurements against the limit and against peers; `make bench`."""
