"""Numbers read from activations. Arrays in, frozen results out."""
