"""The report of what is held about a person, which answers a request."""
