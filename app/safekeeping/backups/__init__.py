"""Back-ups of the program's own server: made, listed, restored to a moment, and tried."""
