"""Things that belong together because something links them, directly or through others."""

from __future__ import annotations


class Groups:
    """Disjoint sets of names (union-find); a set is called by its first name in order."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def name(self, item: str) -> str:
        """The name of the group that an item is in."""
        parent = self._parent.setdefault(item, item)
        while parent != self._parent[parent]:
            self._parent[parent] = self._parent[self._parent[parent]]
            parent = self._parent[parent]
        self._parent[item] = parent
        return parent

    def join(self, first: str, *others: str) -> None:
        """Put items into one group."""
        for other in others:
            low, high = sorted((self.name(first), self.name(other)))
            self._parent[high] = low
