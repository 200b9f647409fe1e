"""Resource type patterns of rules: ``sagemaker:*`` means every SageMaker type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

__all__ = ["any_match"]


def any_match(patterns: Iterable[str], resource_type: str) -> bool:
    """Whether one of the patterns means this type; ``*`` stands for any run of characters."""
    return any(
        pattern == resource_type or ("*" in pattern and _regex(pattern).fullmatch(resource_type))
        for pattern in patterns
    )


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
