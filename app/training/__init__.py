"""Practice calls: a trainee rings up a scripted child, and looks at the talk afterwards."""
