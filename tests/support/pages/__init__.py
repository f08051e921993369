"""Every page of the product, with rows, as each kind of reader opens it."""
