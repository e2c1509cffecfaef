"""A file that was made for the visitor: handed to the browser at once, with a link for browsers that refuse that."""

from __future__ import annotations

from typing import Any

from poolformer.ui.component import StaticHTML, revised


class Download(StaticHTML):
    """One line with the file's name; its value comes from `value_of`, None shows nothing."""

    static_name = "download"

    def value_of(self, content: bytes, name: str) -> dict[str, Any]:
        """`content` under the file name `name`."""
        return revised({"file": self.file(content, name), "name": name, "size": f"{len(content) / 1e6:.1f} MB"})
