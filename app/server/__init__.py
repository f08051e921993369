"""The server process: its database, its listening socket, and its replacement without a gap."""
