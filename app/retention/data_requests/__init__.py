"""What one person may ask about their data: what is held about them, and to erase it."""
