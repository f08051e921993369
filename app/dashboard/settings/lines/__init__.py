"""Pages of the lines, and of what every line says."""
