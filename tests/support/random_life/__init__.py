"""Random life of a helpline, lived by the program's own verbs, one instant after the other."""
