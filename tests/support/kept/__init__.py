"""What the tests of one process keep from one to the next: connections, databases, routes."""
