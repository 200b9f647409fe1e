"""Where S3 copies everything that comes into a bucket, and whether that is outside."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from collectors.aws.arns import Place, bucket, parse_bucket
from collectors.aws.values import mappings
from collectors.references import Reference
from undercroft.model import Json
from undercroft.relations import Relation

__all__ = ["COPIES", "copied_outside"]

COPIES = (Reference("Replication.Rules[].Destination.Bucket", bucket, Relation.WRITES_TO),)
_ON = "Enabled"


def copied_outside(
    replication: Mapping[str, Json], ours: Collection[str] | None, place: Place
) -> list[Json] | None:
    """The buckets of accounts that are not trusted to which objects are copied; None if unsure.

    ``ours``: names of the account's buckets, None if they may not be listed. A rule names the account
    only if that shall own the copies; otherwise a trusted account may own the bucket.
    """
    found: list[Json] = []
    unsure = False
    for rule in mappings(replication.get("Rules")):
        destination = rule.get("Destination")
        if rule.get("Status") != _ON or not isinstance(destination, Mapping):
            continue
        parsed = parse_bucket(str(destination.get("Bucket") or ""))
        owner = destination.get("Account")
        if parsed is None or owner in place.trusted or parsed[0] in (ours or ()):
            continue
        if owner or (ours is not None and place.trusted <= {place.account}):
            found.append(parsed[0])
        else:
            unsure = True
    return None if unsure and not found else found
