"""What shows that a log is whole: its chains, where they begin, and its sealed words."""
