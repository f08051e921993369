"""The JSON interface of children who write."""
