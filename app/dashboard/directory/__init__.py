"""The form of an agency: filled in by choosing, and stored as the CSV file would store it."""
