"""Messages that children leave when no counsellor is there."""
