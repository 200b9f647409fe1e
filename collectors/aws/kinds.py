"""What a kind of AWS resource is, as data: how it is listed, described, named and linked.

Tables of kinds are in ``*_kinds.py``, one per family of services; ``listed.py`` lists them, ``describing.py`` reads each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from collectors.aws.arns import Place
from collectors.aws.hosts import Host, host_type
from collectors.references import Reference
from undercroft.model import Edge, Json, Layer, Resource
from undercroft.relations import Relation

__all__ = ["ARN", "Child", "Each", "Facts", "Kind", "Read", "Tags", "constant"]

ARN = "$arn"
"""In place of a field: the ARN of the resource itself."""

Facts: TypeAlias = Callable[[Place, Mapping[str, Json]], Mapping[str, Json]]
"""What follows from a configuration, by name; a name whose value is unknown is left out."""


def constant(text: str) -> str:
    """An argument whose value is always this text, in place of a field."""
    return f"={text}"


@dataclass(frozen=True, slots=True)
class Each:
    """One more call about an item of a list; the answer becomes a field of the item."""

    into: str
    operation: str
    arguments: Mapping[str, str]
    """Argument → field of the item."""
    pick: str = ""
    listed: bool = False
    """The answer comes in pages; ``pick`` names the list."""


@dataclass(frozen=True, slots=True)
class Read:
    """One more call about a resource, whose answer becomes part of its configuration."""

    into: str
    """Field of the configuration that holds the answer."""
    operation: str
    arguments: Mapping[str, str]
    """Argument → field of the list's item or of the answer, ``ARN``, or a ``constant``.

    ``a.b`` goes down; of a list it takes the first.

    If a field is not there, there is nothing to ask and the call is not made.
    """
    pick: str = ""
    """Member of the answer that is kept; empty keeps the whole answer."""
    fields: tuple[str, ...] = ()
    """Only these fields of it are kept; empty keeps all."""
    answers: frozenset[str] = frozenset()
    """Error codes that mean "there is none"."""
    none_if: str = ""
    """Words in the message of an error that mean "there is none", where the code does not."""
    where: Callable[[Place, Mapping[str, Json]], bool] | None = None
    """Asked only where this holds of what was read before."""
    exists: bool = False
    """Only whether there is any is kept, told by the first page."""
    listed: bool = False
    """The answer comes in pages; ``pick`` names the list."""
    shared: bool = False
    """Listed once for all resources of a unit. Arguments that are no constants are not sent: the
    fields of the items that are named like them tell whose they are."""
    each: tuple[Each, ...] = ()
    """Further calls for every item of the list. A bare name becomes an item with one ``id``."""
    client: str = ""
    """botocore service, if not the kind's own."""
    grants: tuple[str, ...] = ()
    """The answer is a policy document; actions that nobody outside should be allowed.

    ``facts.public`` and ``facts.open_to`` say who is.
    """


@dataclass(frozen=True, slots=True)
class Tags:
    """How a service of this family is asked for its tags."""

    operation: str
    argument: str
    key: str
    of: str = ARN


@dataclass(frozen=True, slots=True)
class Child:
    """Things that can only be listed beneath their parent; read in its unit."""

    kind: Kind
    arguments: Mapping[str, str]
    """Argument of the list call → field of the parent or a ``constant``; the items inherit them."""
    relation: Relation
    via: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of resource."""

    name: str
    """The collector is ``aws.<family>.<name>``."""
    type: str
    segment: str
    """The resource type in its ARN, and in its key."""
    list_operation: str
    """Empty: not listed; what others name is read by its name."""
    list_key: str
    describe_operation: str
    """Empty: the list's item is all there is."""
    identifiers: tuple[str, ...]
    """Fields that make the id, joined by a slash.

    They are in the list's item. The describe call takes them as arguments of the same name, unless
    ``arguments`` says otherwise.
    """
    arn: str
    """The field of the answer that holds its ARN, if there is one."""
    title: str
    """The field that holds its name for people."""
    layer: Layer = Layer.SERVICE
    service: bool = False
    """A row of the services list; only these are worth a call for their tags."""
    references: tuple[Reference, ...] = ()
    hosts: Callable[[Mapping[str, Json]], Iterator[Host]] | None = None
    more: Callable[[Place, Resource], Iterator[Resource | Edge]] | None = None
    """Links that no single field states."""
    family: str = "sagemaker"
    client: str = "sagemaker"
    """botocore service."""
    prefix: str = "sagemaker"
    """The service in its ARN, and in its key."""
    list_arguments: Mapping[str, Json] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Argument of the describe call → field of the item, or a ``constant``."""
    numbers: tuple[str, ...] = ()
    """Arguments of the describe call that are numbers."""
    answer: str = ""
    """Member of the answer that is the resource; empty: the whole answer."""
    passing: tuple[str, ...] = ()
    """Fields of the answer that are not kept: what runs at the moment, of no use to anybody later."""
    by_arn: bool = False
    """Its id is what its ARN says, since no field holds it."""
    typed: bool = False
    """The type in its ARN is part of that id, since one list holds several types."""
    history: str = ""
    """Argument that limits the list by time: jobs are history, only the young ones are read."""
    created: str = "CreationTime"
    reads: tuple[Read, ...] = ()
    children: tuple[Child, ...] = ()
    facts: Facts | None = None
    derived: tuple[str, ...] = ()
    """Names of the facts that ``facts`` gives: they are unknown where the configuration is."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of such a fact → the only fields that it follows from."""
    tags: Tags | None = None
    settings: str = ""
    """The service whose settings in the region apply to all of this kind."""
    gone: tuple[str, ...] = ()
    """Values of ``Status`` in the list that mean it is no longer there."""
    keep: Callable[[Mapping[str, Json]], bool] | None = None
    """Which items of the list are read; None: all."""
    batch: int = 0
    """How many can be described with one call, if it is read by name."""
    batch_by: str = ""
    """The field of its answers that holds the name asked for."""
    within: str = ""
    """The kind that all of this belong to: where there is none of that, this is not listed."""

    def __reduce__(self) -> tuple[Callable[[str, str], Kind], tuple[str, str]]:
        # Functions do not travel between processes; the table is there already.
        return (_by_name, (self.family, self.name))

    @property
    def is_listed(self) -> bool:
        """Whether it has a list of its own."""
        return bool(self.list_operation) and not self.within

    @property
    def collector(self) -> str:
        """Name of the collector that lists or reads it."""
        return f"aws.{self.family}.{self.name}"

    @property
    def lists(self) -> tuple[str, ...]:
        """Types that a complete list of this kind enumerates."""
        own = (self.type, host_type(self.type)) if self.hosts else (self.type,)
        return (*own, *(name for child in self.children for name in child.kind.lists))

    @property
    def describe_arguments(self) -> Mapping[str, str]:
        """Argument of the describe call → field of the item, or a ``constant``."""
        return self.arguments or {name: name for name in self.identifiers}


def _by_name(family: str, name: str) -> Kind:
    from collectors.aws.catalogue import EVERY

    return next(kind for kind in EVERY if (kind.family, kind.name) == (family, name))
