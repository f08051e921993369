"""`helpline shift …`: duties, their changes, and the plan."""
