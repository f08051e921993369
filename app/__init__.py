"""The backend of a national child helpline."""
