"""Call-backs: agreed, made, and by whom a child who writes is rung."""
