"""What keeps the helpline answerable when a machine or a person fails: anchors and back-ups."""
