"""The history of the tables; each file says on top what it means for the helpline."""
