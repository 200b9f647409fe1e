"""Google Cloud on loopback: the REST APIs that a scan reads, answering from an estate description.

What Vertex AI says is made of the package's own types, so that an answer here has the fields, the
names and the paging of the real one; a field that the types do not have is an error, unless the
description says that it only exists on the wire. Other services answer what the description holds.
"""

from tests.cloud.gcp.server import GcpFault, GcpServer, denied, garbage, throttled

__all__ = ["GcpFault", "GcpServer", "denied", "garbage", "throttled"]
