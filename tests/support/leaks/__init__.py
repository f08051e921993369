"""A night with planted names, numbers and words, and the search for what is left of them."""
