"""Emergency access by two people."""
