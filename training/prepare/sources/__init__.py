"""One module a source: how its files become rows."""
