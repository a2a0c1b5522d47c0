"""Many cores on one frozen encoder's tokens: the controlled comparison behind docs/results.md."""
