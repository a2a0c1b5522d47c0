"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopwm_ros.validation.files import write_text_atomically


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text_atomically(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
