"""The whole helpline with the practice exchange: for the demo, the tests and the benchmark."""
