"""A package with a node, as a user would publish one."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

SOURCE = '''"""A node."""
import remotemedia as rm


@rm.node("MyShout", input_caps="text", output_caps="text")
def shout(text: rm.Text) -> rm.Text:
    """Says it louder."""
    return text.replace(text=text.text.upper() + "!")
'''
FILES = {
    "my_nodes/__init__.py": SOURCE,
    "my_nodes-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-nodes\nVersion: 1.0\n",
    "my_nodes-1.0.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "my_nodes-1.0.dist-info/entry_points.txt": "[remotemedia.nodes]\nMyShout = my_nodes:shout\n",
}


def write_wheel(folder: Path) -> Path:
    """Write ``my_nodes-1.0-py3-none-any.whl``."""
    record = ""
    wheel = folder / "my_nodes-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
            record += f"{name},sha256={digest.rstrip(b'=').decode()},{len(text)}\n"
        archive.writestr(
            "my_nodes-1.0.dist-info/RECORD", record + "my_nodes-1.0.dist-info/RECORD,,\n"
        )
    return wheel
