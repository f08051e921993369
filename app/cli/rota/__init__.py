"""`helpline roster …`: duties, their changes, and the plan."""
