"""A second, naive count of everything that the statistics say."""
