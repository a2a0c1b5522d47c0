"""See docs/standin.md."""
