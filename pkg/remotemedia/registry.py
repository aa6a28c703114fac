"""The registry: which node types exist, where they come from, and why some cannot load here.

Built-in nodes are named in the tables of `remotemedia.nodes`, plugins by the entry point group
``remotemedia.nodes``; either is imported when a pipeline first asks for it. A node defined in the
running program registers itself with `node`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from remotemedia.caps import parse_relation
from remotemedia.errors import NodeError, UnavailableError, UnknownNodeTypeError, nearest
from remotemedia.node import Behaviour, Node, broken_contract, function_node
from remotemedia.plugins import entry_points as entry_points

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

CONVERTER_GROUP = "remotemedia.converters"
ENTRY_POINT_GROUP = "remotemedia.nodes"


class NodeType(msgspec.Struct, frozen=True):
    """One line of the registry.

    Attributes
    ----------
    name : str
        What a manifest calls it.
    target : str
        ``module:Class`` that implements it.
    origin : str
        ``built-in``, ``registered``, or the distribution that brought it.
    """

    name: str
    target: str
    origin: str


class Registry:
    """Node types by name, loaded when first asked for."""

    def __init__(self, built_in: Mapping[str, str], aliases: Mapping[str, str]) -> None:
        self._types = {
            name: NodeType(name, target, "built-in") for name, target in built_in.items()
        }
        self._aliases = dict(aliases)
        self._classes: dict[str, type[Node]] = {}
        self._ignored: dict[str, str] = {}
        self._plugins_known = False
        self._announced: set[str] | None = None

    def add(self, name: str, cls: type[Node]) -> None:
        """Register a class under a name.

        Raises
        ------
        NodeError
            The name is taken. The same definition again, as in a notebook, replaces the former; a
            plugin may register what its entry point announces.
        """
        target = f"{cls.__module__}:{cls.__qualname__}"
        known = self._types.get(self.canonical(name))
        if known is None:
            self._types[name] = NodeType(name, target, "registered")
        elif known.target != target and not (
            known.origin not in ("built-in", "registered")
            and _top_package(known.target) == _top_package(target)
        ):
            also = f" (as {known.name})" if known.name != name else ""
            raise NodeError(
                f"node type {name!r} is already defined{also} by {known.origin} {known.target}: "
                "choose another name"
            )
        self._classes[name] = cls

    def canonical(self, name: str) -> str:
        """The name behind an alias; any other name as it is."""
        return self._aliases.get(name, name)

    def aliases_of(self, name: str) -> list[str]:
        """All aliases of a node type, sorted."""
        return sorted(alias for alias, target in self._aliases.items() if target == name)

    def names(self) -> list[str]:
        """All node types, sorted; aliases left out."""
        self._find_plugins()
        return sorted(self._types)

    def info(self, name: str) -> NodeType:
        """The registry's line on a node type or alias.

        Raises
        ------
        UnknownNodeTypeError
            With the nearest name that does exist.
        """
        name = self.canonical(name)
        known = self._types.get(name)
        if known is None:
            self._find_plugins()
            known = self._types.get(name)
        if known is None:
            hint = nearest(name, [*self._types, *self._aliases])
            raise UnknownNodeTypeError(
                f"unknown node_type {name!r}{hint or ' (see: remotemedia nodes)'}"
            )
        return known

    def find(self, name: str) -> type[Node]:
        """The class of a node type or alias, imported if need be.

        Raises
        ------
        UnknownNodeTypeError
            No such node type.
        UnavailableError
            It exists but cannot work on this host; says why and what to install.
        """
        name = self.canonical(name)
        cls = self._class(name)
        missing = missing_packages(cls)
        if missing:  # unless it was installed since the folders were last looked at
            importlib.invalidate_caches()
            missing = missing_packages(cls)
        if missing:
            packages = " ".join(f"'{package}'" for package in missing)
            raise UnavailableError(
                f"node_type {name!r} needs {', '.join(missing)}: pip install {packages}"
            )
        return cls

    def requirements(self, name: str) -> tuple[str, ...]:
        """The packages beyond the core that a node type or alias needs, installed here or not.

        Raises
        ------
        UnknownNodeTypeError
            No such node type.
        UnavailableError
            What implements it cannot be imported, so that nobody knows.
        """
        return tuple(self._class(self.canonical(name)).requires)

    def converters(self) -> dict[str, type[Node]]:
        """Node types that negotiation may insert, by name, sorted.

        Of plugins only those are imported for this that the group ``remotemedia.converters`` lists.
        """
        if self._announced is None:
            self._announced = {point.name for point in entry_points(CONVERTER_GROUP)}
        announced = self._announced
        found = {}
        for name in self.names():
            if self._types[name].origin not in ("built-in", "registered") and name not in announced:
                continue
            with contextlib.suppress(UnavailableError):
                cls = self.find(name)
                if cls.converts:
                    found[name] = cls
        return found

    def unavailable(self) -> Iterator[tuple[str, str]]:
        """Every node type that cannot work on this host, with the reason."""
        for name in self.names():
            try:
                self.find(name)
            except UnavailableError as error:
                yield name, str(error)
        yield from self._ignored.items()

    def _class(self, name: str) -> type[Node]:
        cls = self._classes.get(name)
        if cls is None:
            cls = self._classes[name] = _load(self.info(name))
        return cls

    def _find_plugins(self) -> None:
        if self._plugins_known:
            return
        self._plugins_known = True
        for point in entry_points(ENTRY_POINT_GROUP):
            origin = _origin(point)
            known = self._types.get(self.canonical(point.name))
            if known is None:
                target = f"{point.module}:{point.attr}"
                self._types[point.name] = NodeType(point.name, target, origin)
            elif known.origin != "registered":
                self._ignored[f"{point.name} of {origin}"] = (
                    f"node_type {point.name!r} of {origin} is ignored: {known.origin} defines it"
                )


def _origin(point: EntryPoint) -> str:
    try:
        return point.dist.name if point.dist else "plugin"
    except Exception:  # its metadata cannot be read
        return "plugin"


def _top_package(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def missing_packages(cls: type[Node], more: Iterable[str] = ()) -> list[str]:
    """What a node requires, and more, that is not installed, in whatever version."""
    return [each for each in (*cls.requires, *more) if not _is_installed(each)]


def _is_installed(requirement: str) -> bool:
    # By the name of its module, which is quick, or by that of its distribution, which may differ.
    name = re.split(r"[\s\[<>=!~;@(]", requirement.strip(), maxsplit=1)[0]
    try:
        if importlib.util.find_spec(name.replace("-", "_")) is not None:
            return True
    except (ImportError, ValueError):  # "a.b" where there is no package "a"
        pass
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _load(node_type: NodeType) -> type[Node]:
    module, _, qualname = node_type.target.partition(":")
    whose = f"node_type {node_type.name!r} of {node_type.origin}"
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise UnavailableError(
            f"{whose} cannot be loaded here: {type(error).__name__}: {error}"
        ) from error
    problem = broken_contract(found)
    if problem:
        raise UnavailableError(f"{whose} is no node: {node_type.target}: {problem}")
    cls: type[Node] = found
    return cls


def default_registry() -> Registry:
    """The registry of this program: built-in nodes, plugins and what `node` registered."""
    global _default  # noqa: PLW0603 - the one registry of the program
    if _default is None:
        # By name: the tables stand above this module and plug into it.
        nodes = importlib.import_module("remotemedia.nodes")
        _default = Registry(nodes.TABLE, nodes.ALIASES)
    return _default


_default: Registry | None = None

T = TypeVar("T", bound=type[Node])


class _Decorator:
    """What ``@node("Name", …)`` returns: takes a Node class or a function."""

    def __init__(self, name: str, attributes: dict[str, object]) -> None:
        self.name = name
        self.attributes = attributes

    @overload
    def __call__(self, target: T) -> T: ...
    @overload
    def __call__(self, target: Callable[..., Any]) -> type[Node]: ...
    def __call__(self, target: Any) -> Any:
        cls: type[Node] = target if isinstance(target, type) else function_node(target)
        for name, value in self.attributes.items():
            setattr(cls, name, value)
        problem = broken_contract(cls)
        if problem:
            raise NodeError(f"@node({self.name!r}) on {cls.__qualname__}: {problem}")
        # Malformed caps are reported here, where the author sees them.
        ports = [
            *Node.input_ports.__func__(cls, None),  # type: ignore[attr-defined]
            *Node.output_ports.__func__(cls, None),  # type: ignore[attr-defined]
        ]
        for relation in map(parse_relation, cls.relations):
            for port in (relation.port, relation.other):
                if port not in ports:
                    hint = nearest(port, ports) or f" (ports: {', '.join(ports)})"
                    raise NodeError(
                        f"@node({self.name!r}) on {cls.__qualname__}: its relation "
                        f"'{relation}' names port {port!r}, which it has not{hint}"
                    )
        default_registry().add(self.name, cls)
        return cls


def node(
    name: str,
    *,
    input_caps: str | Mapping[str, str] | None = None,
    output_caps: str | Mapping[str, str] | None = None,
    capabilities: Behaviour | None = None,
    relations: tuple[str, ...] | None = None,
    requires: tuple[str, ...] | None = None,
) -> _Decorator:
    """Register a `Node` class, or a function as a node.

    A function takes ``(data)`` or ``(data, port)``; its keyword-only arguments become parameters::

        @rm.node("Shout", input_caps="text", output_caps="text")
        def shout(text: rm.Text, *, marks: int = 1) -> rm.Text:
            return text.replace(text=text.text.upper() + "!" * marks)

    Parameters
    ----------
    name : str
        The `node_type` of manifests.
    input_caps, output_caps : str or mapping of port to str, optional
        Caps in text form; see `remotemedia.caps.text`. The default is ``any``.
    capabilities : str, optional
        See `Node.capabilities`.
    relations : tuple of str, optional
        How the formats of the ports depend on each other; see `remotemedia.caps.relation`.
    requires : tuple of str, optional
        Packages that the node imports.
    """
    if type(name) is not str or not name:
        raise NodeError(f"@node takes the name of the node type: @node('Name'), not {name!r:.100}")
    given = {
        "input_caps": input_caps,
        "output_caps": output_caps,
        "capabilities": capabilities,
        "relations": relations,
        "requires": requires,
    }
    return _Decorator(name, {key: value for key, value in given.items() if value is not None})
