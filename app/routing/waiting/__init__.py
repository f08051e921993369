"""Who waits in the queue, in which place, and for whom."""
