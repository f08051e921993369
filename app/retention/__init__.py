"""How long each kind of data is kept, what is held, and what is erased each night."""
