"""The scan pipeline: collect → redact → link → judge → combine → save.

It is handed collectors and a judge (``undercroft.protocols``) and knows no cloud and no rule.
"""

from undercroft.scan.pipeline import run_scan

__all__ = ["run_scan"]
