"""The registry: which node types exist, where they come from, and why some cannot load here.

Built-in nodes are named in the tables of `remotemedia.nodes`, plugins by the entry point group
``remotemedia.nodes``; either is imported when a pipeline first asks for it. A node defined in the
running program registers itself with `node`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from remotemedia.errors import RemoteMediaError, UnavailableError, UnknownNodeTypeError, nearest
from remotemedia.node import Behaviour, Node, function_node

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

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
        self._plugins_known = False

    def add(self, name: str, cls: type[Node]) -> None:
        """Register a class under a name; the name of a built-in node cannot be taken."""
        known = self._types.get(name)
        if known is not None and known.origin != "registered":
            raise RemoteMediaError(
                f"node type {name!r} is already defined by {known.origin}: choose another name"
            )
        target = f"{cls.__module__}:{cls.__qualname__}"
        self._types[name] = NodeType(name, target, "registered")
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
        cls = self._classes.get(name)
        if cls is None:
            cls = _load(self.info(name))
            self._classes[name] = cls
        missing = missing_packages(cls)
        if missing:
            packages = " ".join(f"'{package}'" for package in missing)
            raise UnavailableError(
                f"node_type {name!r} needs {', '.join(missing)}: pip install {packages}"
            )
        return cls

    def unavailable(self) -> Iterator[tuple[str, str]]:
        """Every node type that cannot work on this host, with the reason."""
        for name in self.names():
            try:
                self.find(name)
            except UnavailableError as error:
                yield name, str(error)

    def _find_plugins(self) -> None:
        if self._plugins_known:
            return
        self._plugins_known = True
        for point in entry_points(ENTRY_POINT_GROUP):
            origin = point.dist.name if point.dist else "plugin"
            # A plugin may not replace a node that is already there.
            self._types.setdefault(point.name, NodeType(point.name, point.value, origin))


def entry_points(group: str) -> list[EntryPoint]:
    """Installed entry points of a group, sorted by name and origin."""
    from importlib.metadata import entry_points as installed  # costs 20 ms

    return sorted(installed(group=group), key=lambda point: (point.name, point.value))


def missing_packages(cls: type[Node]) -> list[str]:
    """The requirements of a node that are not installed."""
    return [
        requirement
        for requirement in cls.requires
        if importlib.util.find_spec(_module_name(requirement)) is None
    ]


def _module_name(requirement: str) -> str:
    name = requirement
    for mark in "[<>=!~; ":
        name = name.split(mark)[0]
    return name.strip().replace("-", "_")


def _load(node_type: NodeType) -> type[Node]:
    module, _, qualname = node_type.target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise UnavailableError(
            f"node_type {node_type.name!r} of {node_type.origin} cannot be loaded here: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not (inspect.isclass(found) and issubclass(found, Node)):
        raise UnavailableError(
            f"node_type {node_type.name!r}: {node_type.target} is no subclass of remotemedia.Node"
        )
    return found


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
        cls: type[Node] = target if inspect.isclass(target) else function_node(target)
        for name, value in self.attributes.items():
            setattr(cls, name, value)
        # Malformed caps are reported here, where the author sees them.
        Node.input_ports.__func__(cls, None)  # type: ignore[attr-defined]
        Node.output_ports.__func__(cls, None)  # type: ignore[attr-defined]
        default_registry().add(self.name, cls)
        return cls


def node(
    name: str,
    *,
    input_caps: str | Mapping[str, str] | None = None,
    output_caps: str | Mapping[str, str] | None = None,
    capabilities: Behaviour | None = None,
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
    requires : tuple of str, optional
        Packages that the node imports.
    """
    given = {
        "input_caps": input_caps,
        "output_caps": output_caps,
        "capabilities": capabilities,
        "requires": requires,
    }
    return _Decorator(name, {key: value for key, value in given.items() if value is not None})
