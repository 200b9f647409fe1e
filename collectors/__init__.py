"""Collectors: what exists in a cloud, as resources on six layers and the edges between them.

Read-only by construction; each cloud's SDK is imported inside the collector that needs it.
"""
