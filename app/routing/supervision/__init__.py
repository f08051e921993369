"""What supervisors see and do: live talks, the people of a team, messages to it."""
