"""Decisions and what follows from them: the event log, merging, effective status, expiry.

Pure functions over events and sightings; only ``decide.Triage`` talks to a store.
"""
