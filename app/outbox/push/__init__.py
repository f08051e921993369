"""Web push: a browser that its owner has put aside is told that the helpline needs them."""
