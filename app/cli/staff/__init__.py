"""`helpline staff …`: accounts, ways in, leaving, rules of signing in, second persons."""
