"""The shared core: model, graph, redaction, store, scan pipeline, triage, risk, filter, exchange.

Knows no cloud SDK, no rule and no screen; they are handed to it (see docs/architecture.md).
"""

__version__ = "0.1.0"
