"""Serve the application: its sockets, one or several processes, and replacement without a gap."""
