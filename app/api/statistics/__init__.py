"""Statistics as JSON and as files."""
