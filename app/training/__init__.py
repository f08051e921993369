"""Practice calls: a scripted child rings a trainee, who looks at the talk afterwards."""
