"""What an emergency access left behind: found in the log, and undone when it ends."""
